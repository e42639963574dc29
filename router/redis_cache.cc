// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "router/cache_store.h"
#include "router/upstream/redis_connection.h"

namespace headgate::router {
namespace {

constexpr int kConnections = 8;
constexpr absl::Duration kPutTimeout = absl::Milliseconds(500);

class RedisCache : public CacheStore {
 public:
  RedisCache(Executor executor, Clock& clock, const SharingConfig& config, const std::string& password)
      : executor_(executor), clock_(clock), prefix_(config.prefix) {
    for (int i = 0; i < kConnections; ++i) {
      free_->push_back(std::make_shared<RedisConnection>(executor, clock, config, password));
    }
  }

  Task<absl::StatusOr<std::string>> Get(std::string key, MonotonicTime deadline) override {
    std::vector<std::string> words(1, "GET");
    words.push_back(Named(key));
    auto reply = co_await Call(free_, std::move(words), deadline);
    if (!reply.ok()) co_return reply.status();
    if (reply->kind != RedisReply::Kind::kText) co_return absl::NotFoundError("not there");
    co_return std::move(reply->text);
  }

  void Put(std::string key, std::string value, absl::Duration ttl) override {
    std::vector<std::string> words(1, "SET");
    words.push_back(Named(key));
    words.push_back(std::move(value));
    words.emplace_back("PX");
    words.push_back(absl::StrCat(std::max<int64_t>(1, absl::ToInt64Milliseconds(ttl))));
    boost::asio::co_spawn(executor_, Forget(free_, std::move(words), clock_.Monotonic() + kPutTimeout),
                          boost::asio::detached);
  }

 private:
  using Free = std::shared_ptr<std::vector<std::shared_ptr<RedisConnection>>>;
  // Static, with what they need: a Put may outlive the store.
  static Task<absl::StatusOr<RedisReply>> Call(Free free, std::vector<std::string> words, MonotonicTime deadline) {
    if (free->empty()) co_return absl::UnavailableError("redis: all connections are busy");
    const std::shared_ptr<RedisConnection> connection = std::move(free->back());
    free->pop_back();
    auto reply = co_await connection->Call(std::move(words), deadline);
    free->push_back(connection);
    co_return reply;
  }
  static Task<void> Forget(Free free, std::vector<std::string> words, MonotonicTime deadline) {
    (void)co_await Call(free, std::move(words), deadline);
  }
  std::string Named(const std::string& key) const { return absl::StrCat("{", prefix_, "}:answer:", key); }

  Executor executor_;
  Clock& clock_;
  const std::string prefix_;
  const Free free_ = std::make_shared<std::vector<std::shared_ptr<RedisConnection>>>();
};

}  // namespace

std::unique_ptr<CacheStore> MakeRedisCache(Executor executor, Clock& clock, const SharingConfig& config,
                                           std::string password) {
  return std::make_unique<RedisCache>(executor, clock, config, password);
}

}  // namespace headgate::router
