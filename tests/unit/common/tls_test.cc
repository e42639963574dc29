// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string BioText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

struct Pem {
  std::string certificate, key;
};

// A self-signed certificate, new for every call.
Pem MakePem() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> certificate_pem(BIO_new(BIO_s_mem()), &BIO_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> key_pem(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(certificate_pem.get(), certificate.get());
  PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {BioText(certificate_pem.get()), BioText(key_pem.get())};
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    const Pem a = MakePem();
    const Pem b = MakePem();
    Write("a.crt", a.certificate);
    Write("a.key", a.key);
    Write("b.crt", b.certificate);
    Write("b.key", b.key);
    Write("garbage", "not PEM");
  }
  ~TlsTest() override { fs::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  std::string Path(const std::string& name) const { return name.empty() ? "" : (folder_ / name).string(); }

  const fs::path folder_ = fs::path(testing::TempDir()) / absl::StrCat("headgate_tls_test.", getpid());
};

TEST_F(TlsTest, CheckTls) {
  const struct {
    const char* name;
    const char *certificate, *key, *ca;
    const char* complaint;  // empty = good
  } rows[] = {
      {"nothing", "", "", "", ""},
      {"ca only", "", "", "a.crt", ""},
      {"certificate and key", "a.crt", "a.key", "", ""},
      {"all three", "a.crt", "a.key", "b.crt", ""},
      {"certificate without key", "a.crt", "", "", "go together"},
      {"key without certificate", "", "a.key", "", "go together"},
      {"key of another certificate", "a.crt", "b.key", "", "b.key: is not the key of the certificate in"},
      {"no such certificate", "c.crt", "a.key", "", "c.crt: No such file"},
      {"certificate is garbage", "garbage", "a.key", "", "garbage: holds no PEM certificate"},
      {"key is garbage", "a.crt", "garbage", "", "garbage: holds no unencrypted PEM private key"},
      {"ca is a key", "", "", "a.key", "a.key: holds no PEM certificate"},
  };
  for (const auto& row : rows) {
    TlsConfig config;
    config.certificate_file = Path(row.certificate);
    config.key_file = Path(row.key);
    config.ca_file = Path(row.ca);
    const absl::Status status = CheckTls(config);
    EXPECT_EQ(status.ok(), std::string(row.complaint).empty()) << row.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.complaint)) << row.name;
  }
}

TEST_F(TlsTest, ReadFileIsBounded) {
  Write("ten", "0123456789");
  EXPECT_EQ(*ReadFile(Path("ten"), 10), "0123456789");
  EXPECT_EQ(ReadFile(Path("ten"), 9).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReadFile(Path("none"), 9).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadFile(folder_.string(), 9).ok());
}

TEST(RequireTls13ForGrpc, SetsOrLeavesTheSuites) {
  unsetenv("GRPC_SSL_CIPHER_SUITES");
  RequireTls13ForGrpc(/*allow_tls12=*/true);
  EXPECT_EQ(std::getenv("GRPC_SSL_CIPHER_SUITES"), nullptr);
  setenv("GRPC_SSL_CIPHER_SUITES", "from the environment", 1);
  RequireTls13ForGrpc(/*allow_tls12=*/false);
  EXPECT_STREQ(std::getenv("GRPC_SSL_CIPHER_SUITES"), "PSK-AES256-GCM-SHA384");
  unsetenv("GRPC_SSL_CIPHER_SUITES");
}

}  // namespace
}  // namespace headgate
