// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace headgate {
namespace {

constexpr size_t kPemBytesMax = 1 << 20;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// An encrypted key must fail, not ask at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kPemBytesMax));
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr), &X509_free);
  ERR_clear_error();
  if (!certificate) return absl::InvalidArgumentError(absl::StrCat(path, ": holds no PEM certificate"));
  return certificate;
}

absl::StatusOr<Key> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kPemBytesMax));
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  if (!key) return absl::InvalidArgumentError(absl::StrCat(path, ": holds no unencrypted PEM private key"));
  return key;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(errno)));
  std::string bytes;
  char chunk[16384];
  // A directory opens and then fails to read.
  while (const size_t n = std::fread(chunk, 1, sizeof(chunk), file.get())) {
    bytes.append(chunk, n);
    if (bytes.size() > bytes_max) {
      return absl::OutOfRangeError(absl::StrCat(path, ": larger than ", bytes_max, " bytes"));
    }
  }
  if (std::ferror(file.get())) return absl::UnavailableError(absl::StrCat(path, ": cannot be read"));
  return bytes;
}

absl::Status CheckTls(const TlsConfig& config) {
  if (!config.ca_file.empty()) RETURN_IF_ERROR(ReadCertificate(config.ca_file).status());
  if (config.certificate_file.empty() != config.key_file.empty()) {
    return absl::InvalidArgumentError("certificate_file and key_file go together");
  }
  if (config.certificate_file.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(config.certificate_file));
  ASSIGN_OR_RETURN(const Key key, ReadKey(config.key_file));
  const bool match = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.key_file, ": is not the key of the certificate in ", config.certificate_file));
  }
  return absl::OkStatus();
}

void RequireTls13ForGrpc(bool allow_tls12) {
  if (allow_tls12) return;
  // This list governs TLS 1.2 only, and no certificate server can serve a PSK suite: measured to refuse every 1.2
  // handshake and to leave 1.3 alone. Naming a 1.3 suite here makes gRPC 1.51 abort.
  setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1);
}

}  // namespace headgate
