// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/http_socket.h"

#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/as_tuple.hpp"
#include "boost/asio/ssl/stream.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "boost/asio/write.hpp"
#include "common/status_macros.h"

namespace headgate::services {
namespace {

constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<Executor>> kAwait;

absl::Status FromAsio(const boost::system::error_code& error) {
  return error ? absl::UnavailableError(absl::StrCat("connection: ", error.message())) : absl::OkStatus();
}

// A connection waits with a small buffer, since most of the time nothing comes; what is longer is fetched at once.
constexpr size_t kWaitingBytes = 2 << 10;
constexpr size_t kFetchedBytes = 64 << 10;

template <typename Stream>
Task<absl::Status> WriteTo(Stream& stream, std::string_view bytes) {
  auto [error, n] = co_await boost::asio::async_write(stream, boost::asio::buffer(bytes.data(), bytes.size()), kAwait);
  co_return FromAsio(error);
}

void CloseSocket(TcpSocket& socket) {
  boost::system::error_code ignored;
  socket.shutdown(TcpSocket::shutdown_both, ignored);
  socket.close(ignored);
}

class PlainSocket final : public HttpSocket {
 public:
  explicit PlainSocket(TcpSocket socket) : socket_(std::move(socket)) {}
  Task<absl::Status> Open() override { co_return absl::OkStatus(); }
  Task<absl::Status> Read(std::string& out, size_t bytes_max) override {
    const auto buffer = boost::asio::buffer(waiting_.data(), std::min(bytes_max, waiting_.size()));
    auto [error, n] = co_await socket_.async_read_some(buffer, kAwait);
    out.append(waiting_.data(), n);
    if (!error && n == waiting_.size()) Fetch(out, bytes_max - n);
    co_return FromAsio(error);
  }
  Task<absl::Status> Write(std::string_view bytes) override { return WriteTo(socket_, bytes); }
  size_t WriteSome(std::string_view bytes) override {
    const ssize_t n = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return static_cast<size_t>(std::max<ssize_t>(n, 0));
  }
  void Close() override { CloseSocket(socket_); }
  std::string PeerIdentity() const override { return ""; }

 private:
  // An end or an error is left for the next Read.
  void Fetch(std::string& out, size_t bytes_max) {
    static thread_local std::array<char, kFetchedBytes> buffer;
    const ssize_t n = ::recv(socket_.native_handle(), buffer.data(), std::min(bytes_max, buffer.size()), MSG_DONTWAIT);
    out.append(buffer.data(), static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }

  TcpSocket socket_;
  std::array<char, kWaitingBytes> waiting_;
};

// The common name, else the first DNS or URI alternative name.
std::string IdentityOf(X509* certificate) {
  char name[256];
  X509_NAME* const subject = X509_get_subject_name(certificate);
  if (X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof(name)) > 0) return name;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type != GEN_DNS && one->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = one->d.ia5;
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), ASN1_STRING_length(text));
  }
  return "";
}

class TlsSocket final : public HttpSocket {
 public:
  TlsSocket(TcpSocket socket, std::shared_ptr<TlsContext> context)
      : context_(std::move(context)), stream_(std::move(socket), *context_) {}
  Task<absl::Status> Open() override {
    auto [error] = co_await stream_.async_handshake(boost::asio::ssl::stream_base::server, kAwait);
    // Who only left, as probes do, has not been turned away.
    if (error.category() == boost::asio::error::get_ssl_category()) co_return absl::InvalidArgumentError("no TLS");
    co_return FromAsio(error);
  }
  Task<absl::Status> Read(std::string& out, size_t bytes_max) override {
    const auto buffer = boost::asio::buffer(waiting_.data(), std::min(bytes_max, waiting_.size()));
    auto [error, n] = co_await stream_.async_read_some(buffer, kAwait);
    out.append(waiting_.data(), n);
    co_return FromAsio(error);
  }
  Task<absl::Status> Write(std::string_view bytes) override { return WriteTo(stream_, bytes); }
  size_t WriteSome(std::string_view) override { return 0; }  // TLS may have to read first
  // No close_notify: HTTP says itself where a message ends, and waiting for the peer's could take for ever.
  void Close() override { CloseSocket(stream_.next_layer()); }
  std::string PeerIdentity() const override {
    SSL* ssl = const_cast<boost::asio::ssl::stream<TcpSocket>&>(stream_).native_handle();
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl), &X509_free);
    if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return "";
    return IdentityOf(certificate.get());
  }

 private:
  const std::shared_ptr<TlsContext> context_;  // the one it began with, also after a reload
  boost::asio::ssl::stream<TcpSocket> stream_;
  std::array<char, kFetchedBytes / 8> waiting_;
};

}  // namespace

std::unique_ptr<HttpSocket> MakePlainSocket(TcpSocket socket) {
  return std::make_unique<PlainSocket>(std::move(socket));
}
std::unique_ptr<HttpSocket> MakeTlsSocket(TcpSocket socket, std::shared_ptr<TlsContext> context) {
  return std::make_unique<TlsSocket>(std::move(socket), std::move(context));
}

absl::StatusOr<std::shared_ptr<TlsContext>> MakeTlsContext(const TlsConfig& config) {
  RETURN_IF_ERROR(CheckTls(config));
  auto context = std::make_shared<TlsContext>(TlsContext::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, config.allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  boost::system::error_code error;
  context->use_certificate_chain_file(config.certificate_file, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(config.certificate_file, ": ", error.message()));
  context->use_private_key_file(config.key_file, TlsContext::pem, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(config.key_file, ": ", error.message()));
  if (!config.ca_file.empty()) {
    context->load_verify_file(config.ca_file, error);
    if (error) return absl::InvalidArgumentError(absl::StrCat(config.ca_file, ": ", error.message()));
    SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Resumed sessions would need a session id context, and would outlive a change of the CA.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(native, 0);
  }
  return context;
}

}  // namespace headgate::services
