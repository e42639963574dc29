// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/redis_connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/as_tuple.hpp"
#include "boost/asio/connect.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/local/stream_protocol.hpp"
#include "boost/asio/ssl/context.hpp"
#include "boost/asio/ssl/host_name_verification.hpp"
#include "boost/asio/ssl/stream.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "boost/asio/write.hpp"
#include "common/status_macros.h"
#include "router/upstream/address_ranges.h"

namespace headgate::router {
namespace {

constexpr size_t kReplyBytesMax = 16 << 20;
constexpr int kDepthMax = 4;
constexpr int64_t kItemsMax = 100'000;
constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<Executor>> kAwait;

using Tcp = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using Local = boost::asio::basic_stream_socket<boost::asio::local::stream_protocol, Executor>;
using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, Executor>;
using Secure = boost::asio::ssl::stream<Tcp>;
using Error = boost::system::error_code;

absl::Status Broken(const Error& error) {
  return absl::UnavailableError(absl::StrCat("redis connection: ", error.message()));
}

absl::Status NeedMore() { return absl::NotFoundError("more bytes are needed"); }
absl::Status NoReply() { return absl::InvalidArgumentError("this is no Redis reply"); }

std::optional<int64_t> Number(std::string_view text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

absl::StatusOr<RedisReply> Take(std::string_view& bytes, int depth) {
  if (depth > kDepthMax) return NoReply();
  const size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return bytes.size() > kReplyBytesMax ? NoReply() : NeedMore();
  if (end == 0) return NoReply();
  const char type = bytes.front();
  const std::string_view line = bytes.substr(1, end - 1);
  std::string_view rest = bytes.substr(end + 2);
  RedisReply reply;
  const std::optional<int64_t> number = Number(line);
  if (type == '+') {
    reply.kind = RedisReply::Kind::kText;
    reply.text = std::string(line);
  } else if (type == '-') {
    bytes = rest;
    // The first word names the kind; the rest may repeat what was sent.
    return absl::FailedPreconditionError(absl::StrCat("redis: ", std::string(line.substr(0, line.find(' ')))));
  } else if (!number) {
    return NoReply();
  } else if (type == ':') {
    reply.kind = RedisReply::Kind::kNumber;
    reply.number = *number;
  } else if ((type == '$' || type == '*') && *number == -1) {
    reply.kind = RedisReply::Kind::kNothing;
  } else if (type == '$') {
    if (*number < 0 || static_cast<size_t>(*number) > kReplyBytesMax) return NoReply();
    const auto size = static_cast<size_t>(*number);
    if (rest.size() < size + 2) return NeedMore();
    reply.kind = RedisReply::Kind::kText;
    reply.text = std::string(rest.substr(0, size));
    rest.remove_prefix(size + 2);
  } else if (type == '*') {
    if (*number < 0 || *number > kItemsMax) return NoReply();
    reply.kind = RedisReply::Kind::kList;
    for (int64_t i = 0; i < *number; ++i) {
      ASSIGN_OR_RETURN(RedisReply item, Take(rest, depth + 1));
      reply.list.push_back(std::move(item));
    }
  } else {
    return NoReply();
  }
  bytes = rest;
  return reply;
}

}  // namespace

absl::StatusOr<RedisReply> TakeRedisReply(std::string_view& bytes) { return Take(bytes, 0); }

std::string RedisCommand(const std::vector<std::string>& words) {
  std::string command = absl::StrCat("*", words.size(), "\r\n");
  for (const std::string& word : words) absl::StrAppend(&command, "$", word.size(), "\r\n", word, "\r\n");
  return command;
}

// The three kinds of connection behind one door.
class RedisConnection::Stream {
 public:
  virtual ~Stream() = default;
  virtual Task<absl::Status> Open() = 0;
  virtual Task<absl::Status> Write(const std::string& bytes) = 0;
  virtual Task<absl::Status> Read(std::string& in) = 0;
  virtual void Close() = 0;
};

namespace {

template <typename Socket>
class PlainStream : public RedisConnection::Stream {
 public:
  explicit PlainStream(Executor executor) : socket_(executor) {}
  Task<absl::Status> Write(const std::string& bytes) override {
    auto [error, n] = co_await boost::asio::async_write(socket_, boost::asio::buffer(bytes), kAwait);
    co_return error ? Broken(error) : absl::OkStatus();
  }
  Task<absl::Status> Read(std::string& in) override {
    auto [error, n] = co_await socket_.async_read_some(boost::asio::buffer(buffer_), kAwait);
    in.append(buffer_.data(), n);
    co_return error ? Broken(error) : absl::OkStatus();
  }
  void Close() override {
    Error ignored;
    socket_.close(ignored);
  }

 protected:
  Socket socket_;
  std::array<char, 16 << 10> buffer_;
};

class LocalStream : public PlainStream<Local> {
 public:
  LocalStream(Executor executor, std::string path) : PlainStream(executor), path_(std::move(path)) {}
  Task<absl::Status> Open() override {
    auto [error] = co_await socket_.async_connect(boost::asio::local::stream_protocol::endpoint(path_), kAwait);
    co_return error ? Broken(error) : absl::OkStatus();
  }

 private:
  const std::string path_;
};

Task<absl::Status> ConnectTcp(Executor executor, Tcp& socket, std::string host, std::string port) {
  Resolver resolver(executor);
  auto [unresolved, results] = co_await resolver.async_resolve(host, port, kAwait);
  if (unresolved) co_return Broken(unresolved);
  auto [error, endpoint] = co_await boost::asio::async_connect(socket, results, kAwait);
  if (error) co_return Broken(error);
  Error ignored;
  socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  co_return absl::OkStatus();
}

class TcpStream : public PlainStream<Tcp> {
 public:
  TcpStream(Executor executor, std::string host, std::string port)
      : PlainStream(executor), executor_(executor), host_(std::move(host)), port_(std::move(port)) {}
  Task<absl::Status> Open() override { return ConnectTcp(executor_, socket_, host_, port_); }

 private:
  Executor executor_;
  const std::string host_, port_;
};

class TlsStream : public RedisConnection::Stream {
 public:
  TlsStream(Executor executor, std::string host, std::string port, const SharingConfig& config)
      : executor_(executor), host_(std::move(host)), port_(std::move(port)), config_(config) {}
  Task<absl::Status> Open() override {
    Error error;
    context_.set_options(boost::asio::ssl::context::no_tlsv1_1 | boost::asio::ssl::context::no_tlsv1, error);
    if (!config_.tls.allow_tls12) context_.set_options(boost::asio::ssl::context::no_tlsv1_2, error);
    context_.set_verify_mode(boost::asio::ssl::verify_peer, error);
    if (!config_.tls.ca_file.empty()) {
      context_.load_verify_file(config_.tls.ca_file, error);
    } else {
      context_.set_default_verify_paths(error);
    }
    if (error) co_return Broken(error);
    if (!config_.tls.certificate_file.empty()) {
      context_.use_certificate_chain_file(config_.tls.certificate_file, error);
      if (!error) context_.use_private_key_file(config_.tls.key_file, boost::asio::ssl::context::pem, error);
      if (error) co_return Broken(error);
    }
    stream_.emplace(executor_, context_);
    const std::string name = config_.tls_server_name.empty() ? host_ : config_.tls_server_name;
    stream_->set_verify_callback(boost::asio::ssl::host_name_verification(name), error);
    if (!IsIpAddress(name)) SSL_set_tlsext_host_name(stream_->native_handle(), name.c_str());
    const absl::Status connected = co_await ConnectTcp(executor_, stream_->next_layer(), host_, port_);
    if (!connected.ok()) co_return connected;
    auto [failed] = co_await stream_->async_handshake(boost::asio::ssl::stream_base::client, kAwait);
    co_return failed ? Broken(failed) : absl::OkStatus();
  }
  Task<absl::Status> Write(const std::string& bytes) override {
    auto [error, n] = co_await boost::asio::async_write(*stream_, boost::asio::buffer(bytes), kAwait);
    co_return error ? Broken(error) : absl::OkStatus();
  }
  Task<absl::Status> Read(std::string& in) override {
    auto [error, n] = co_await stream_->async_read_some(boost::asio::buffer(buffer_), kAwait);
    in.append(buffer_.data(), n);
    co_return error ? Broken(error) : absl::OkStatus();
  }
  void Close() override {
    Error ignored;
    if (stream_) stream_->next_layer().close(ignored);
  }

 private:
  Executor executor_;
  const std::string host_, port_;
  const SharingConfig config_;
  boost::asio::ssl::context context_{boost::asio::ssl::context::tls_client};
  std::optional<Secure> stream_;
  std::array<char, 16 << 10> buffer_;
};

}  // namespace

RedisConnection::RedisConnection(Executor executor, Clock& clock, const SharingConfig& config, std::string password)
    : executor_(executor), clock_(clock), config_(config), password_(std::move(password)) {}

RedisConnection::~RedisConnection() { Close(); }

void RedisConnection::Close() {
  if (stream_) stream_->Close();
  stream_.reset();
  in_.clear();
}

Task<absl::Status> RedisConnection::Open() {
  if (absl::StartsWith(config_.redis, "unix:")) {
    stream_ = std::make_shared<LocalStream>(executor_, config_.redis.substr(5));
  } else {
    std::string host, port;
    if (!SplitAddress(config_.redis, &host, &port)) co_return absl::UnavailableError("redis: no address");
    if (config_.tls.enabled()) {
      stream_ = std::make_shared<TlsStream>(executor_, host, port, config_);
    } else {
      stream_ = std::make_shared<TcpStream>(executor_, host, port);
    }
  }
  const std::shared_ptr<Stream> stream = stream_;  // Close may come in between
  const absl::Status opened = co_await stream->Open();
  if (!opened.ok()) co_return opened;
  if (stream != stream_) co_return absl::UnavailableError("redis: closed");
  if (password_.empty()) co_return absl::OkStatus();
  // Named: a list in the middle of a co_await is what this compiler cannot do.
  std::vector<std::string> words = {"AUTH", password_};
  const std::string command = RedisCommand(words);
  auto allowed = co_await Exchange(command);
  co_return allowed.status();
}

Task<absl::StatusOr<RedisReply>> RedisConnection::Exchange(const std::string& command) {
  const std::shared_ptr<Stream> stream = stream_;
  const absl::Status written = co_await stream->Write(command);
  if (!written.ok()) co_return written;
  while (true) {
    std::string_view bytes = in_;
    auto reply = TakeRedisReply(bytes);
    if (!absl::IsNotFound(reply.status())) {
      in_.erase(0, in_.size() - bytes.size());
      if (absl::IsInvalidArgument(reply.status())) co_return absl::UnavailableError("redis: no reply");
      co_return reply;
    }
    const absl::Status read = co_await stream->Read(in_);
    if (!read.ok()) co_return read;
    if (in_.size() > kReplyBytesMax + 64) co_return absl::UnavailableError("redis: reply too long");
  }
}

Task<absl::StatusOr<RedisReply>> RedisConnection::Call(std::vector<std::string> words, MonotonicTime deadline) {
  bool late = false;
  const auto timer = clock_.CallAt(deadline, [&] {
    late = true;
    Close();
  });
  if (!stream_) {
    const absl::Status opened = co_await Open();
    if (!opened.ok()) {
      Close();
      co_return late ? absl::DeadlineExceededError("redis: not connected in time") : opened;
    }
  }
  const std::string command = RedisCommand(words);
  auto reply = co_await Exchange(command);
  if (!reply.ok() && !absl::IsFailedPrecondition(reply.status())) {
    Close();
    if (late) co_return absl::DeadlineExceededError("redis: no reply in time");
  }
  co_return reply;
}

}  // namespace headgate::router
