// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A connection always has a read pending, so that a peer which closes an idle one is noticed before the next request
// goes there. Beast parses; callbacks rather than coroutines, because this runs for every event of every stream.
// Requests are written when the executor comes round, all in a row: waking the peer costs more than all else, and so it
// is woken once for many.
#include "router/upstream/plain_http.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/http/parser.hpp"

namespace headgate::router {
namespace {

namespace beast_http = boost::beast::http;
using boost::asio::ip::tcp;
using Error = boost::system::error_code;
using Socket = boost::asio::basic_stream_socket<tcp, Executor>;

// A connection waits with a small buffer, since most of the time little comes; what is longer is fetched at once.
constexpr size_t kWaitingBytes = 4 << 10;
constexpr size_t kFetchedBytes = 64 << 10;
constexpr uint32_t kHeadBytesMax = 64 << 10;
constexpr int kInterimMax = 8;                           // 100 Continue and its like
constexpr absl::Duration kIdleMax = absl::Seconds(100);  // then the peer is probably about to close it

// Hands the body on as it is parsed.
struct BodyToReader {
  struct value_type {
    HttpReader* reader = nullptr;
  };
  class reader {
   public:
    template <bool kRequest, typename Fields>
    reader(beast_http::header<kRequest, Fields>&, value_type& to) : to_(to) {}
    void init(const boost::optional<std::uint64_t>&, Error& error) { error = {}; }
    template <typename Buffers>
    size_t put(const Buffers& buffers, Error& error) {
      size_t used = 0;
      error = {};
      const auto end = boost::asio::buffer_sequence_end(buffers);
      for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end; ++it) {
        const boost::asio::const_buffer bytes = *it;
        const auto taken = to_.reader->TakeBody({static_cast<const char*>(bytes.data()), bytes.size()});
        if (taken == HttpReader::Taken::kLater) error = beast_http::error::need_buffer;
        if (taken == HttpReader::Taken::kNever) error = boost::asio::error::operation_aborted;
        if (error) break;
        used += bytes.size();
      }
      return used;
    }
    void finish(Error& error) { error = {}; }

   private:
    value_type& to_;
  };
};
using Parser = beast_http::response_parser<BodyToReader>;

class PlainExchange;
class PlainHttp;

class PlainConnection : public std::enable_shared_from_this<PlainConnection> {
 public:
  PlainConnection(PlainHttp& pool, Executor executor) : pool_(&pool), socket_(executor) {}

  // For a new one; how it ends, the user's reader is told.
  void Connect(PlainExchange& user);
  // On an idle one.
  void Begin(PlainExchange& user);
  // Of what Begin was called for.
  void WriteNow();
  // The user goes away.
  void Abandon() {
    user_ = nullptr;
    Close();
  }
  void Resume();
  void Close();
  // The pool goes away.
  void Detach() {
    pool_ = nullptr;
    Close();
  }

 private:
  void GiveBack();
  void TryNext();
  void Connected();
  bool Write();
  void Read();
  void OnRead(const Error& error, size_t bytes);
  void Feed(std::string_view bytes);
  size_t Parse(std::string_view bytes);
  bool TakeHead();
  void AtEnd();
  void End(const absl::Status& status, bool reusable = false);

  PlainHttp* pool_;               // null: gone
  Socket socket_;
  PlainExchange* user_ = nullptr;  // null: idle or closed
  std::optional<Parser> parser_;   // of the user's answer
  std::unique_ptr<Timer> timer_;   // while it connects
  size_t address_ = 0;             // to try next
  std::string unsent_;
  std::string rest_;  // read, and not parsed yet
  int interim_ = 0;
  bool open_ = true;
  bool reading_ = false;
  bool head_told_ = false;
  bool held_ = false;  // until Resume
  std::array<char, kWaitingBytes> waiting_;
};

class PlainHttp final : public HttpTransport {
 public:
  PlainHttp(Executor e, Clock& c, PlainPeer p) : executor(e), clock(c), peer(std::move(p)) {
    const std::string name = peer.host.find(':') == std::string::npos ? peer.host : absl::StrCat("[", peer.host, "]");
    const std::string host = peer.port == 80 ? name : absl::StrCat(name, ":", peer.port);
    for (const auto& headers : peer.headers) {
      std::string& head = heads_.emplace_back(absl::StrCat("POST ", peer.path, " HTTP/1.1\r\nHost: ", host, "\r\n"));
      for (const std::string& line : headers) absl::StrAppend(&head, line, "\r\n");
      head.append("Content-Length: ");
    }
    const std::vector<std::string> literals =
        peer.host == "localhost" ? std::vector<std::string>{"127.0.0.1", "::1"} : std::vector<std::string>{peer.host};
    for (const std::string& literal : literals) {
      Error error;
      const auto address = boost::asio::ip::make_address(literal, error);
      if (!error) endpoints.emplace_back(address, peer.port);
    }
  }
  ~PlainHttp() override {
    idle_.clear();
    const auto open = std::exchange(open_, {});
    for (PlainConnection* connection : open) connection->shared_from_this()->Detach();
  }

  absl::StatusOr<std::unique_ptr<HttpExchange>> Send(size_t key, std::string body, HttpReader& reader) override;

  // A connection whose answer is over.
  void Return(std::shared_ptr<PlainConnection> connection) {
    if (!waiting_.empty()) {
      PlainExchange* const next = waiting_.front();
      waiting_.pop_front();
      return connection->Begin(*next);
    }
    idle_.push_back({std::move(connection), clock.Monotonic()});
  }
  void Closed(PlainConnection* connection) {
    open_.erase(connection);
    std::erase_if(idle_, [connection](const Idle& idle) { return idle.connection.get() == connection; });
    if (waiting_.empty() || open_.size() >= peer.connections_max) return;
    PlainExchange* const next = waiting_.front();
    waiting_.pop_front();
    Open(*next);
  }
  // There is no descriptor for a further connection: the request waits for one of the others. False: there is none.
  bool Postpone(PlainConnection& connection, PlainExchange& exchange) {
    if (open_.size() < 2) return false;
    open_.erase(&connection);
    waiting_.push_back(&exchange);
    return true;
  }
  void StopWaiting(PlainExchange* exchange) { std::erase(waiting_, exchange); }
  void WriteSoon(std::shared_ptr<PlainConnection> connection) {
    to_write_.push_back(std::move(connection));
    if (to_write_.size() > 1) return;
    boost::asio::post(executor, [this, alive = std::weak_ptr<const bool>(alive_)] {
      if (alive.expired()) return;
      for (const auto& each : std::exchange(to_write_, {})) each->WriteNow();
    });
  }
  void Open(PlainExchange& exchange) {
    const auto connection = std::make_shared<PlainConnection>(*this, executor);
    open_.insert(connection.get());
    connection->Connect(exchange);
  }

  const Executor executor;
  Clock& clock;
  const PlainPeer peer;
  std::vector<tcp::endpoint> endpoints;

 private:
  struct Idle {
    std::shared_ptr<PlainConnection> connection;
    MonotonicTime since;
  };

  std::vector<std::string> heads_;  // by key, up to the length's value
  absl::flat_hash_set<PlainConnection*> open_;
  std::vector<Idle> idle_;  // used last at the end
  std::deque<PlainExchange*> waiting_;
  std::vector<std::shared_ptr<PlainConnection>> to_write_;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

class PlainExchange final : public HttpExchange {
 public:
  PlainExchange(PlainHttp& p, std::string r, HttpReader& to) : pool(p), request(std::move(r)), reader(to) {}
  ~PlainExchange() override {
    if (connection) {
      std::exchange(connection, nullptr)->Abandon();
    } else if (!ended) {
      pool.StopWaiting(this);
    }
  }
  absl::Status Resume() override {
    if (connection) connection->Resume();
    return absl::OkStatus();
  }
  bool sent() const override { return begun; }
  bool shared() const override { return false; }

  PlainHttp& pool;
  std::string request;
  HttpReader& reader;
  std::shared_ptr<PlainConnection> connection;  // null: waits for one, or has ended
  bool begun = false;
  bool ended = false;
};

absl::StatusOr<std::unique_ptr<HttpExchange>> PlainHttp::Send(size_t key, std::string body, HttpReader& reader) {
  std::string request = absl::StrCat(heads_[key], body.size(), "\r\n\r\n", body);
  auto exchange = std::make_unique<PlainExchange>(*this, std::move(request), reader);
  const MonotonicTime young = clock.Monotonic() - kIdleMax;
  while (!idle_.empty()) {
    const Idle last = std::move(idle_.back());
    idle_.pop_back();
    if (last.since < young) {
      last.connection->Close();
    } else {
      last.connection->Begin(*exchange);
      return exchange;
    }
  }
  if (open_.size() < peer.connections_max) {
    Open(*exchange);
  } else {
    waiting_.push_back(exchange.get());
  }
  return exchange;
}

void PlainConnection::Connect(PlainExchange& user) {
  user_ = &user;
  user.connection = shared_from_this();
  timer_ = pool_->clock.CallAt(pool_->clock.Monotonic() + pool_->peer.connect_timeout, [this] {
    const auto self = shared_from_this();
    End(absl::UnavailableError("no connection in time"));
  });
  TryNext();
}

void PlainConnection::TryNext() {
  const auto self = shared_from_this();
  const auto& endpoints = pool_->endpoints;
  const auto& allowed = pool_->peer.allowed;
  while (address_ < endpoints.size() && allowed && !allowed(endpoints[address_].address().to_string())) ++address_;
  if (address_ == endpoints.size()) {
    return boost::asio::post(pool_->executor, [self] {
      if (self->user_ != nullptr) self->End(absl::UnavailableError("no connection"));
    });
  }
  Error error;
  socket_.open(endpoints[address_].protocol(), error);
  if (error == boost::asio::error::no_descriptors && pool_->Postpone(*this, *user_)) {
    open_ = false;
    timer_.reset();
    std::exchange(user_, nullptr)->connection.reset();
    return;
  }
  socket_.async_connect(endpoints[address_++], [self](const Error& error) {
    if (self->user_ == nullptr) return;
    if (!error) return self->Connected();
    Error ignored;
    self->socket_.close(ignored);
    self->TryNext();
  });
}

void PlainConnection::Connected() {
  timer_.reset();
  if (pool_->peer.connects != nullptr) pool_->peer.connects->Increment();
  Error ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  const int idle_s = 30, between_s = 10;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof(between_s));
  if (!Write()) return End(absl::UnavailableError("closed before the request was sent"));
  Read();
}

void PlainConnection::Begin(PlainExchange& user) {
  user_ = &user;
  user.connection = shared_from_this();
  pool_->WriteSoon(user.connection);
}

void PlainConnection::WriteNow() {
  char unasked;  // or its end, which the pending read has not told yet
  const bool live = ::recv(socket_.native_handle(), &unasked, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  if (user_ != nullptr && (!live || !Write())) GiveBack();
}

// Nothing was sent, and nothing can be: another connection will do.
void PlainConnection::GiveBack() {
  PlainExchange& user = *std::exchange(user_, nullptr);
  const auto self = std::exchange(user.connection, nullptr);
  PlainHttp& pool = *pool_;
  Close();
  pool.Open(user);
}

// The user's request; false: not a byte of it could be written.
bool PlainConnection::Write() {
  const std::string& request = user_->request;
  const ssize_t n = ::send(socket_.native_handle(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return false;
  user_->begun = true;
  parser_.emplace();
  parser_->header_limit(kHeadBytesMax);
  parser_->body_limit(boost::none);
  parser_->get().body().reader = &user_->reader;
  head_told_ = held_ = false;
  interim_ = 0;
  const auto sent = static_cast<size_t>(std::max<ssize_t>(n, 0));
  if (sent < request.size()) {
    unsent_ = request.substr(sent);
    boost::asio::async_write(socket_, boost::asio::buffer(unsent_),
                             [self = shared_from_this()](const Error& error, size_t) {
                               self->unsent_.clear();
                               if (error && self->user_ != nullptr) {
                                 self->End(absl::UnavailableError("closed while the request was sent"));
                               }
                             });
  }
  std::string().swap(user_->request);
  return true;
}

void PlainConnection::Read() {
  if (!open_ || reading_ || held_) return;
  reading_ = true;
  socket_.async_read_some(boost::asio::buffer(waiting_), [self = shared_from_this()](const Error& error, size_t n) {
    self->reading_ = false;
    if (self->open_) self->OnRead(error, n);
  });
}

void PlainConnection::OnRead(const Error& error, size_t bytes) {
  // It closes, or speaks without being asked.
  if (user_ == nullptr) return Close();
  if (!user_->begun) return GiveBack();
  if (error == boost::asio::error::eof) return AtEnd();
  if (error) return End(absl::UnavailableError("connection broken"));
  Feed({waiting_.data(), bytes});
  if (bytes == waiting_.size() && user_ != nullptr && !held_) {
    static thread_local std::array<char, kFetchedBytes> more;  // an end or an error is left for the next read
    const ssize_t n = ::recv(socket_.native_handle(), more.data(), more.size(), MSG_DONTWAIT);
    if (n > 0) Feed({more.data(), static_cast<size_t>(n)});
  }
  Read();
}

void PlainConnection::Feed(std::string_view bytes) {
  if (rest_.empty()) {
    const size_t used = Parse(bytes);
    if (used < bytes.size()) rest_.assign(bytes.substr(used));
    return;
  }
  rest_.append(bytes);
  std::string all;
  all.swap(rest_);
  const size_t used = Parse(all);
  rest_.assign(all, used);
}

// How many bytes were used. The exchange may be over after it, and the next one have begun.
size_t PlainConnection::Parse(std::string_view bytes) {
  size_t used = 0;
  while (true) {
    if (parser_->is_header_done() && !head_told_ && !TakeHead()) return used;
    if (parser_->is_done()) {
      const bool whole = used == bytes.size() && unsent_.empty();
      End(absl::OkStatus(), whole && parser_->keep_alive());
      return used;
    }
    if (used == bytes.size()) return used;
    Error error;
    used += parser_->put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == beast_http::error::need_more) return used;
    if (error == beast_http::error::need_buffer) {
      held_ = true;
      return used;
    }
    if (error) {
      End(absl::UnavailableError("not a valid answer"));
      return used;
    }
  }
}

// False when the exchange has ended.
bool PlainConnection::TakeHead() {
  const auto& head = parser_->get();
  const auto status = static_cast<int>(head.result_int());
  if (status >= 200) {
    head_told_ = true;
    const auto retry_after = head[beast_http::field::retry_after];
    user_->reader.TakeHead(status, {retry_after.data(), retry_after.size()});
    return true;
  }
  if (status == 101 || ++interim_ > kInterimMax) {
    End(absl::UnavailableError("not a valid answer"));
    return false;
  }
  parser_.emplace();
  parser_->header_limit(kHeadBytesMax);
  parser_->body_limit(boost::none);
  parser_->get().body().reader = &user_->reader;
  return true;
}

// The peer has closed its side: some answers end so.
void PlainConnection::AtEnd() {
  Error error;
  if (parser_->got_some()) parser_->put_eof(error);
  if (parser_->got_some() && !error && parser_->is_done() && head_told_) return End(absl::OkStatus());
  End(absl::UnavailableError(head_told_ ? "closed in the middle of an answer" : "closed before an answer"));
}

void PlainConnection::End(const absl::Status& status, bool reusable) {
  PlainExchange* const user = std::exchange(user_, nullptr);
  const auto self = std::exchange(user->connection, nullptr);
  user->ended = true;
  timer_.reset();
  if (reusable && pool_ != nullptr) {
    pool_->Return(self);
  } else {
    Close();
  }
  user->reader.TakeEnd(status);
}

void PlainConnection::Resume() {
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!std::exchange(self->held_, false)) return;
    if (self->user_ != nullptr && !self->rest_.empty()) self->Feed("");
    self->Read();
  });
}

void PlainConnection::Close() {
  if (!std::exchange(open_, false)) return;
  timer_.reset();
  Error ignored;
  socket_.close(ignored);
  if (pool_ != nullptr) pool_->Closed(this);
}

}  // namespace

std::unique_ptr<HttpTransport> MakePlainHttp(Executor executor, Clock& clock, PlainPeer peer) {
  return std::make_unique<PlainHttp>(executor, clock, std::move(peer));
}

}  // namespace headgate::router
