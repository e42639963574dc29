// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TLS on the running router's front doors: versions, client certificates, files that change. Certificates are made by
// the openssl program, and openssl s_client is the witness for the versions.
#include <gmock/gmock.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "common/tls.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kOpenssl[] = "/usr/bin/openssl";

class TlsTest : public RouterWorld {
 protected:
  void Openssl(std::vector<std::string> arguments) const {
    const Ended ended = Run(kOpenssl, std::move(arguments));
    ASSERT_EQ(ended.code, 0) << ended.err;
  }
  // NAME.pem and NAME.key, self-signed: a CA.
  void MakeCa(const std::string& name) const {
    Openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             absl::StrCat("/CN=", name), "-keyout", Path(name + ".key"), "-out", Path(name + ".pem")});
  }
  // FILE.pem and FILE.key for `common_name`, signed by `ca`.
  void MakeCertificate(const std::string& file, const std::string& common_name, const std::string& ca) const {
    Openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             absl::StrCat("/CN=", common_name), "-keyout", Path(file + ".key"), "-out", Path(file + ".csr")});
    const std::string extensions = Write("extensions", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    Openssl({"x509", "-req", "-in", Path(file + ".csr"), "-CA", Path(ca + ".pem"), "-CAkey", Path(ca + ".key"),
             "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", Path(file + ".pem")});
  }
  // What s_client says about one handshake.
  Ended Handshake(const std::string& address, std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"s_client", "-connect", address, "-CAfile", Path("ca.pem"), "-brief",
                                          "-no_ign_eof"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(kOpenssl, std::move(arguments));
  }
  HttpResult Ask(const std::string& certificate, const std::string& text = "hello") const {
    HttpCall call;
    call.url = http("/v1/chat/completions");
    call.body = ChatBody(text);
    call.ca_file = Path("ca.pem");
    if (!certificate.empty()) {
      call.cert_file = Path(certificate + ".pem");
      call.key_file = Path(certificate + ".key");
    }
    return Fetch(call);
  }
  grpc::Status AskGrpc(const std::string& certificate, std::string* route = nullptr) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = *ReadFile(Path("ca.pem"), 1 << 20);
    if (!certificate.empty()) {
      options.pem_cert_chain = *ReadFile(Path(certificate + ".pem"), 1 << 20);
      options.pem_private_key = *ReadFile(Path(certificate + ".key"), 1 << 20);
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(grpc_, grpc::SslCredentials(options), arguments);
    const auto stub = v1::Inference::NewStub(channel);
    grpc::ClientContext context;
    v1::GenerateResponse response;
    const grpc::Status status = stub->Generate(&context, Request("hello"), &response);
    if (route != nullptr) *route = response.route().target() == v1::Route::TARGET_CLOUD ? "cloud" : "local";
    return status;
  }
  RouterYaml WithTls(bool mutual) {
    RouterYaml yaml;
    yaml.listen = "  tls:\n    certificate_file: server.pem\n    key_file: server.key\n";
    if (mutual) {
      yaml.listen += "    ca_file: ca.pem\n";
      yaml.tenants = "tenants:\n  - name: payroll\n    cloud_allowed: false\n    peer_identities: [payroll]\n"
                     "  - name: website\n    peer_identities: [website]\n";
    }
    scheme_ = "https";
    return yaml;
  }
};

TEST_F(TlsTest, Version13IsServedAnd12Refused) {
  MakeCa("ca");
  MakeCertificate("server", "localhost", "ca");
  StartAll(WithTls(false));
  for (const std::string& address : {http_, grpc_}) {
    SCOPED_TRACE(address == http_ ? "http" : "grpc");
    const Ended good = Handshake(address, {"-tls1_3"});
    EXPECT_THAT(good.out + good.err, AllOf(HasSubstr("TLSv1.3"), HasSubstr("Verification: OK")));
    const Ended old = Handshake(address, {"-tls1_2"});
    EXPECT_NE(old.code, 0);
    EXPECT_THAT(old.out + old.err, Not(HasSubstr("CONNECTION ESTABLISHED")));
  }
  EXPECT_EQ(Ask("").status, 200);
  EXPECT_TRUE(AskGrpc("").ok());
  // That of HTTP is counted; of gRPC's nobody is told.
  EXPECT_EQ(RouterMetric("headgate_router_front_door_refusals_total{reason=\"tls\"}"), 1);
}

TEST_F(TlsTest, Version12IsServedWhenConfigured) {
  MakeCa("ca");
  MakeCertificate("server", "localhost", "ca");
  RouterYaml yaml = WithTls(false);
  yaml.listen += "    allow_tls12: true\n";
  StartAll(yaml);
  for (const std::string& address : {http_, grpc_}) {
    SCOPED_TRACE(address == http_ ? "http" : "grpc");
    EXPECT_THAT(Handshake(address, {"-tls1_2"}).err, HasSubstr("TLSv1.2"));
  }
}

TEST_F(TlsTest, TheClientsCertificateNamesItsTenant) {
  MakeCa("ca");
  MakeCa("strangers");
  MakeCertificate("server", "localhost", "ca");
  MakeCertificate("payroll", "payroll", "ca");
  MakeCertificate("website", "website", "ca");
  MakeCertificate("nobody", "nobody", "ca");
  MakeCertificate("forged", "payroll", "strangers");
  StartAll(WithTls(true));
  const struct {
    const char* certificate;
    const char* route;  // empty: refused by the router; null: no connection
  } rows[] = {{"payroll", "local"}, {"website", "cloud"}, {"nobody", ""}, {"forged", nullptr}, {"", nullptr}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.certificate);
    const HttpResult result = Ask(row.certificate);
    std::string grpc_route;
    const grpc::Status status = AskGrpc(row.certificate, &grpc_route);
    if (row.route == nullptr) {
      EXPECT_FALSE(result.transport_ok);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    } else if (*row.route == '\0') {
      EXPECT_EQ(result.status, 401);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    } else {
      EXPECT_EQ(result.status, 200) << result.body;
      EXPECT_EQ(result.headers.at("x-headgate-route"), row.route);
      EXPECT_TRUE(status.ok()) << status.error_message();
      EXPECT_EQ(grpc_route, row.route);
    }
  }
}

TEST_F(TlsTest, NewCertificatesAndCasAreUsedWithoutARestart) {
  MakeCa("ca");
  MakeCa("next-ca");
  MakeCertificate("server", "localhost", "ca");
  MakeCertificate("website", "website", "ca");
  MakeCertificate("next-website", "website", "next-ca");
  StartAll(WithTls(true));
  ASSERT_EQ(Ask("website").status, 200);
  EXPECT_FALSE(Ask("next-website").transport_ok);

  // Files that do not fit together change nothing.
  const std::string old_key = *ReadFile(Path("server.key"), 1 << 20);
  Write("server.key", "no key");
  router_->Signal(SIGHUP);
  WaitFor("the complaint", [this] { return router_->Stderr().find("server.key") != std::string::npos; });
  EXPECT_EQ(Ask("website").status, 200);
  Write("server.key", old_key);

  MakeCertificate("next-server", "next.localhost", "next-ca");
  const std::string both = *ReadFile(Path("ca.pem"), 1 << 20) + *ReadFile(Path("next-ca.pem"), 1 << 20);
  Write("server.key", *ReadFile(Path("next-server.key"), 1 << 20));
  Write("server.pem", *ReadFile(Path("next-server.pem"), 1 << 20));
  Write("ca.pem", both);
  router_->Signal(SIGHUP);
  WaitFor("the new CA over HTTP", [this] { return Ask("next-website").status == 200; });
  WaitFor("the new CA over gRPC", [this] { return AskGrpc("next-website").ok(); });
  EXPECT_EQ(Ask("website").status, 200);
  for (const std::string& address : {http_, grpc_}) {
    WaitFor("the new certificate", [&] {
      const Ended seen = Handshake(address, {"-cert", Path("website.pem"), "-key", Path("website.key")});
      return (seen.out + seen.err).find("next.localhost") != std::string::npos;
    });
  }
}

}  // namespace
}  // namespace headgate
