// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TLS of headgate-engine: 1.3 only unless asked otherwise, client certificates when a CA is given.

#include <gmock/gmock.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/tls.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/engine/engine_process.h"
#include "tests/unit/upstream/test_certificate.h"

namespace headgate {
namespace {

constexpr char kOpenSsl[] = "/usr/bin/openssl";

grpc::Status List(const std::string& address, const std::string& roots, const router::TestCertificate* client) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *ReadFile(roots, 1 << 20);
  if (client != nullptr) {
    options.pem_cert_chain = *ReadFile(client->cert_file(), 1 << 20);
    options.pem_private_key = *ReadFile(client->key_file(), 1 << 20);
  }
  const auto stub = v1::Inference::NewStub(grpc::CreateChannel(address, grpc::SslCredentials(options)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20 * TimeScale()));
  v1::ListModelsResponse models;
  return stub->ListModels(&context, {}, &models);
}

// The line of `openssl s_client` that says what was agreed on with this flag.
std::string Agreed(const std::string& address, const std::string& flag) {
  auto client = Process::Start(kOpenSsl, {"s_client", "-connect", address, "-alpn", "h2", flag});
  return client.ok() ? (*client)->WaitForLine("New, ").value_or("nothing") : "no openssl";
}

TEST(EngineTls, ServesTls13Only) {
  const router::TestCertificate certificate("IP:127.0.0.1");
  const std::vector<std::string> flags = {"--tls-cert=" + certificate.cert_file(),
                                          "--tls-key=" + certificate.key_file()};
  EngineProcess engine(flags);
  EXPECT_TRUE(List(engine.address("grpc"), certificate.cert_file(), nullptr).ok());
  EXPECT_EQ(Agreed(engine.address("grpc"), "-tls1_2"), "New, (NONE), Cipher is (NONE)");
  EXPECT_THAT(Agreed(engine.address("grpc"), "-tls1_3"), testing::HasSubstr("TLSv1.3"));
  EXPECT_EQ(Agreed(engine.address("admin"), "-tls1_2"), "New, (NONE), Cipher is (NONE)");
  std::vector<std::string> lax = flags;
  lax.push_back("--tls-allow-12");
  EngineProcess old(lax);
  EXPECT_THAT(Agreed(old.address("grpc"), "-tls1_2"), testing::HasSubstr("TLSv1.2")) << "the test above could not fail";
}

TEST(EngineTls, RefusesStrangersWhenThereIsAClientCa) {
  const router::TestCertificate server("IP:127.0.0.1");
  const router::TestCertificate client("DNS:router");
  const router::TestCertificate stranger("DNS:router");
  EngineProcess engine({"--tls-cert=" + server.cert_file(), "--tls-key=" + server.key_file(),
                        "--tls-ca=" + client.cert_file()});
  EXPECT_TRUE(List(engine.address("grpc"), server.cert_file(), &client).ok());
  EXPECT_FALSE(List(engine.address("grpc"), server.cert_file(), nullptr).ok());
  EXPECT_FALSE(List(engine.address("grpc"), server.cert_file(), &stranger).ok());
  EXPECT_FALSE(List(engine.address("admin"), server.cert_file(), nullptr).ok());
}

}  // namespace
}  // namespace headgate
