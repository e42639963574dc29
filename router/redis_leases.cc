// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "router/lease_store.h"
#include "router/upstream/redis_connection.h"

namespace headgate::router {
namespace {

// ARGV: holder, life of a lease in ms, then kind, limit, burst, want of each key. The server's clock, so that routers
// need not agree on theirs. Numbers go as text: Lua's integers would lose their fractions.
constexpr char kScript[] = R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local holder, life = ARGV[1], tonumber(ARGV[2]) / 1000
local given = {}
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 4
  local kind, limit = ARGV[at], tonumber(ARGV[at + 1])
  local burst, want = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local give
  if kind == 'rate' then
    local state = redis.call('HMGET', key, 'tokens', 'at')
    local tokens, last = tonumber(state[1]), tonumber(state[2])
    if not tokens then tokens, last = burst, now end
    tokens = math.min(burst, tokens + math.max(0, now - last) * limit)
    give = math.min(want, tokens)
    tokens = math.min(burst, tokens - give)
    redis.call('HSET', key, 'tokens', string.format('%.17g', tokens), 'at', string.format('%.17g', now))
    redis.call('PEXPIRE', key, 3600000)
  elseif kind == 'cap' then
    give = math.min(limit, tonumber(redis.call('GET', key) or limit))
    give = math.min(limit, want, give + burst / give)
    redis.call('SET', key, string.format('%.17g', give), 'PX', 3600000)
  else
    local others, wanted, routers = 0, want, 1
    local held = redis.call('HGETALL', key)
    for j = 1, #held, 2 do
      if held[j] ~= holder then
        local n, until_, asked = string.match(held[j + 1], '^(%S+) (%S+) ?(%S*)$')
        if kind == 'spend' or tonumber(until_) > now then
          others, wanted, routers = others + tonumber(n), wanted + (tonumber(asked) or 0), routers + 1
        else
          redis.call('HDEL', key, held[j])
        end
      end
    end
    give = kind == 'sum' and want or math.max(0, math.min(want, limit - others))
    local state = string.format('%.17g %.17g', give, now + life)
    if kind == 'places' then
      local part = math.floor(limit / routers)
      if wanted > limit and part >= 1 then give = math.min(give, math.max(part, limit - (wanted - want))) end
      state = string.format('%.17g %.17g %.17g', math.max(give, burst), now + life, want)
    end
    redis.call('HSET', key, holder, state)
    if kind == 'sum' then give = give + others end
    redis.call('PEXPIRE', key, kind == 'spend' and 5184000000 or 60000)
  end
  given[i] = string.format('%.17g', give)
end
return given
)";

const char* Name(LeaseAsk::Kind kind) {
  if (kind == LeaseAsk::Kind::kRate) return "rate";
  if (kind == LeaseAsk::Kind::kSum) return "sum";
  if (kind == LeaseAsk::Kind::kCap) return "cap";
  return kind == LeaseAsk::Kind::kPlaces ? "places" : "spend";
}

std::string Text(double number) { return absl::StrFormat("%.17g", number); }

class RedisLeases : public LeaseStore {
 public:
  RedisLeases(Executor executor, Clock& clock, const SharingConfig& config, std::string password, std::string holder)
      : connection_(executor, clock, config, std::move(password)),
        prefix_(config.prefix),
        holder_(std::move(holder)) {}

  Task<absl::StatusOr<std::vector<double>>> Exchange(std::vector<LeaseAsk> asks, MonotonicTime deadline) override {
    if (sha_.empty()) {
      std::vector<std::string> load(1, "SCRIPT");
      load.emplace_back("LOAD");
      load.emplace_back(kScript);
      auto loaded = co_await connection_.Call(std::move(load), deadline);
      if (!loaded.ok()) co_return Unavailable(loaded.status());
      sha_ = loaded->text;
    }
    std::vector<std::string> words(1, "EVALSHA");
    words.push_back(sha_);
    words.push_back(absl::StrCat(asks.size()));
    // One slot for all keys, should the server be a cluster.
    for (const LeaseAsk& ask : asks) words.push_back(absl::StrCat("{", prefix_, "}:", ask.key));
    words.push_back(holder_);
    words.push_back(absl::StrCat(absl::ToInt64Milliseconds(kLeaseLife)));
    for (const LeaseAsk& ask : asks) {
      words.emplace_back(Name(ask.kind));
      for (const double number : {ask.limit, ask.burst, ask.want}) words.push_back(Text(number));
    }
    auto reply = co_await connection_.Call(std::move(words), deadline);
    if (absl::IsFailedPrecondition(reply.status())) sha_.clear();  // a server that has been restarted knows no script
    if (!reply.ok()) co_return Unavailable(reply.status());
    std::vector<double> given;
    for (const RedisReply& item : reply->list) {
      double number = 0;
      if (!absl::SimpleAtod(item.text, &number) || !std::isfinite(number)) break;
      given.push_back(number);
    }
    if (given.size() != asks.size()) co_return absl::UnavailableError("redis: an answer to another question");
    co_return given;
  }

 private:
  static absl::Status Unavailable(const absl::Status& status) {
    return absl::IsDeadlineExceeded(status) ? status : absl::UnavailableError(status.message());
  }

  RedisConnection connection_;
  const std::string prefix_;
  const std::string holder_;
  std::string sha_;
};

}  // namespace

std::unique_ptr<LeaseStore> MakeRedisLeases(Executor executor, Clock& clock, const SharingConfig& config,
                                            std::string password, std::string holder) {
  return std::make_unique<RedisLeases>(executor, clock, config, std::move(password), std::move(holder));
}

}  // namespace headgate::router
