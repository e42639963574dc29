// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/dispatch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "common/mailbox.h"
#include "router/dispatch_stream.h"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kBackoffMax = absl::Seconds(10);   // cloud, whatever the configuration says
constexpr absl::Duration kRejectedOpen = absl::Minutes(1);  // key refused, balance spent: a person has to act
constexpr absl::Duration kEndpointPollMin = absl::Milliseconds(10);
constexpr absl::Duration kEndpointPollMax = absl::Milliseconds(250);
constexpr absl::Duration kRefuseBefore = absl::Milliseconds(20);    // so that the refusal still arrives
constexpr absl::Duration kLocalRetryAfter = absl::Seconds(1);
// A request that saw this many healthy engines die before its first token may be what kills them.
constexpr int kLocalDeathsMax = 3;

uint64_t SecretFrom(const RandomBytes& random) {
  const std::string bytes = random(sizeof(uint64_t));
  uint64_t secret = 0;
  std::memcpy(&secret, bytes.data(), std::min(bytes.size(), sizeof(secret)));
  return secret;
}

absl::Status NoLocalCapacity() {
  return WithRetryAfter(absl::UnavailableError("no local capacity in time"), kLocalRetryAfter);
}

}  // namespace

Dispatch::Dispatch(Executor executor, Clock& clock, RandomBytes random, const CloudConfig& cloud_config,
                   const LocalConfig& local_config, EndpointRegistry& endpoints, CloudUpstream* cloud,
                   Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      random_(std::move(random)),
      cloud_config_(cloud_config),
      endpoints_(endpoints),
      cloud_(cloud),
      metrics_(metrics),
      breaker_(clock, cloud_config.breaker_failures, cloud_config.breaker_open),
      limit_(clock, cloud_config, metrics),
      queue_(executor, clock, random_, local_config, endpoints, metrics),
      prefix_secret_(SecretFrom(random_)) {
  SetBreakerGauge();
}

void Dispatch::Apply(const CloudConfig& cloud_config, const LocalConfig& local_config) {
  cloud_config_ = cloud_config;
  limit_.Apply(cloud_config);
  queue_.Apply(local_config);
  breaker_.Configure(cloud_config.breaker_failures, cloud_config.breaker_open);
}

bool Dispatch::cloud_available() const { return cloud_ != nullptr && cloud_config_.enabled && breaker_.Available(); }

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::Send(const Ticket& ticket, const Prompt& prompt,
                                                             const Sensitivity& sensitivity, Decision decision,
                                                             Attempts& attempts, Cancellation& cancellation,
                                                             const ApproveHedge& approve) {
  Exchange exchange{ticket, prompt, sensitivity, attempts, cancellation, {}};
  exchange.route.mutable_reasons()->Assign(decision.reasons.begin(), decision.reasons.end());
  exchange.route.set_sensitivity(sensitivity.level);
  exchange.route.set_request_id(ticket.request_id);

  if (decision.target == Target::kCloud) {
    // Policy guarantees both; the gate is worth a second lock.
    if (sensitivity.sensitive() || !decision.permit) co_return absl::InternalError("cloud decision without its right");
    CloudResult result = co_await SendCloud(exchange, *std::move(decision.permit));
    if (result.answer) co_return std::move(result.answer);
    if (result.fallback.empty()) co_return result.status;
    metrics_
        .GetCounter("headgate_router_fallbacks_total", "Requests that went local after the cloud failed them.",
                    {{"reason", result.fallback}})
        .Increment();
    decision.reasons.insert(decision.reasons.begin(), result.fallback);
    exchange.route.mutable_reasons()->Assign(decision.reasons.begin(), decision.reasons.end());
  }
  if (decision.target == Target::kLocal && decision.hedge && approve && !sensitivity.sensitive()) {
    auto hedged = co_await SendHedged(exchange, *std::move(decision.hedge), approve);
    co_return hedged;
  }
  auto answer = co_await SendLocal(exchange);
  co_return answer;
}

std::optional<Dispatch::CloudAttempt> Dispatch::TakeCloud(std::string& why) {
  // The breaker may have opened since policy looked, or since the last attempt; so may the cap have been reached.
  why = "cloud_unavailable";
  if (!cloud_available()) return std::nullopt;
  const auto place = limit_.Take();
  if (!place) {
    why = "cloud_at_cap";
    return std::nullopt;
  }
  return CloudAttempt{*breaker_.Acquire(), *place};
}

Task<Dispatch::CloudResult> Dispatch::SendCloud(Exchange& exchange, CloudPermit permit) {
  auto made = CloudPrompt::Make(std::move(permit), exchange.ticket.request_id, exchange.prompt);
  if (!made.ok()) co_return CloudResult{nullptr, made.status(), ""};
  const auto prompt = std::make_shared<const CloudPrompt>(*std::move(made));
  RetryBudget::Hold active = retries_.Begin();
  std::optional<RetryBudget::Hold> retry;
  for (int failed = 0;; ++failed) {
    std::string fallback;
    const auto attempt = TakeCloud(fallback);
    if (!attempt) co_return CloudResult{nullptr, absl::OkStatus(), fallback};
    ++exchange.attempts.cloud;
    auto answer = std::make_unique<StreamAnswer>(*this, exchange.route, prompt, *attempt, exchange.ticket);
    const MonotonicTime first_by = clock_.Monotonic() + cloud_config_.first_token_timeout;
    Begun begun = co_await answer->Begin(first_by, exchange.cancellation);
    if (begun.outcome == Outcome::kOk) {
      answer->Keep(std::move(active));
      co_return CloudResult{std::move(answer), absl::OkStatus(), ""};
    }
    answer = nullptr;
    std::optional<absl::Status> last = FinalCloudStatus(begun, exchange, fallback);
    if (last) co_return CloudResult{nullptr, *last, fallback};
    // A stream that ended without a status was cut.
    const bool again = begun.why.ok() || begun.outcome == Outcome::kOtherKey || Retryable(begun.why);
    const auto backoff = again ? CloudBackoff(failed + 1, begun, exchange.ticket.deadline) : std::nullopt;
    retry.reset();
    if (backoff) {
      auto hold = retries_.Retry();
      if (hold) retry.emplace(*std::move(hold));
    }
    if (!retry) {
      if (backoff) CountRefusedRetry();
      co_return CloudResult{nullptr, absl::OkStatus(), fallback};
    }
    absl::Status slept = co_await SleepUntil(executor_, clock_, clock_.Monotonic() + *backoff, exchange.cancellation);
    if (!slept.ok()) co_return CloudResult{nullptr, slept, ""};
  }
}

// The status that ends the request, or OK with a reason to go local; nullopt: another attempt may help, and `fallback`
// is the reason when there is none.
std::optional<absl::Status> Dispatch::FinalCloudStatus(const Begun& begun, const Exchange& exchange,
                                                       std::string& fallback) const {
  fallback.clear();
  switch (begun.outcome) {
    case Outcome::kCancelled:
      return exchange.cancellation.reason();
    case Outcome::kDeadline:
      return absl::DeadlineExceededError("deadline before the cloud's first token");
    case Outcome::kCallerError:
      return begun.why;
    case Outcome::kRejected:
      HG_LOG(Error, "cloud refuses our key or balance, closed for a minute: code=",
             absl::StatusCodeToString(begun.why.code()));
      fallback = "cloud_rejected";
      return absl::OkStatus();
    case Outcome::kOtherKey:
      fallback = "cloud_rejected";
      return std::nullopt;
    case Outcome::kExhausted:
      fallback = "cloud_rate_limited";
      return std::nullopt;
    default:
      fallback = "cloud_unavailable";
      return std::nullopt;
  }
}

void Dispatch::CountRefusedRetry() {
  metrics_
      .GetCounter("headgate_router_retries_refused_total",
                  "Further attempts at the cloud that were not made: the budget of retries was spent.")
      .Increment();
}

std::optional<absl::Duration> Dispatch::CloudBackoff(int failed_attempts, const Begun& begun, MonotonicTime deadline) {
  if (failed_attempts >= cloud_config_.attempts_max) return std::nullopt;
  if (begun.outcome == Outcome::kOtherKey) return absl::ZeroDuration();
  const absl::Duration cap = std::min(cloud_config_.backoff_max, kBackoffMax);
  const absl::Duration ceiling = std::min(cap, cloud_config_.backoff_base * std::exp2(failed_attempts - 1));
  absl::Duration wait = ceiling * RandomUnit(random_);
  if (const auto asked = RetryAfter(begun.why); asked.has_value()) {
    // Told to stay away for longer than we would ever wait: local can start now.
    if (*asked > cap) return std::nullopt;
    wait = std::max(wait, *asked);
  }
  if (clock_.Monotonic() + wait >= deadline) return std::nullopt;
  return wait;
}

LocalQueue::Work Dispatch::WorkOf(const Exchange& exchange) const {
  const Ticket& ticket = exchange.ticket;
  const bool sensitive = exchange.sensitivity.sensitive();
  LocalQueue::Work work;
  work.ask.sensitive = sensitive;
  work.ask.prompt_tokens = static_cast<double>(exchange.prompt.text_bytes()) / 4;
  work.ask.prefix = PrefixKeysOf(prefix_secret_, ticket.tenant->name, exchange.prompt);
  work.band = BandOf(sensitive, ticket.priority);
  work.tenant = ticket.tenant->name;
  work.until = LocalWaitEnd(sensitive, clock_.Monotonic(), ticket.deadline);
  return work;
}

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::SendLocal(Exchange& exchange) {
  const MonotonicTime deadline = exchange.ticket.deadline;
  LocalQueue::Work work = WorkOf(exchange);
  absl::Duration backoff = kEndpointPollMin;
  int deaths = 0;
  while (true) {
    auto place = co_await queue_.Enter(work, exchange.cancellation);
    if (!place.ok()) co_return place.status();
    const std::string address = (*place)->address;
    const bool healthy = endpoints_.Fresh(**place);
    ++exchange.attempts.local;
    auto answer =
        std::make_unique<StreamAnswer>(*this, exchange.route, *std::move(place), exchange.prompt, exchange.ticket);
    Begun begun = co_await answer->Begin(deadline, exchange.cancellation);
    switch (begun.outcome) {
      case Outcome::kOk:
        co_return std::move(answer);
      case Outcome::kCancelled:
        co_return exchange.cancellation.reason();
      case Outcome::kDeadline:
        co_return absl::DeadlineExceededError("deadline before the first token");
      case Outcome::kCallerError:
        co_return begun.why;
      case Outcome::kUnavailable:
        if (healthy && ++deaths == kLocalDeathsMax) {
          co_return WithRetryAfter(absl::UnavailableError("local engines failed"), kLocalRetryAfter);
        }
        break;
      default:
        break;  // full: another one, or wait
    }
    // An engine that reports and is full gets no more until it has room (Endpoint::full). Otherwise not to the same one
    // at once; jittered, so that those who were turned away do not all come back together.
    if (healthy && absl::IsResourceExhausted(begun.why)) continue;
    work.tried.push_back(address);
    work.tried_until = clock_.Monotonic() + backoff * (0.5 + RandomUnit(random_) / 2);
    backoff = std::min(backoff * 2, kEndpointPollMax);
  }
}

Task<absl::StatusOr<std::shared_ptr<Endpoint>>> Dispatch::WaitForLocal(MonotonicTime deadline,
                                                                       Cancellation& cancellation) {
  const MonotonicTime until = deadline - kRefuseBefore;
  absl::Duration backoff = kEndpointPollMin;
  while (true) {
    if (cancellation.cancelled()) co_return cancellation.reason();
    if (auto endpoint = endpoints_.PickAny()) co_return endpoint;
    const MonotonicTime now = clock_.Monotonic();
    if (now >= until) co_return NoLocalCapacity();
    const absl::Duration wait = backoff * (0.5 + RandomUnit(random_) / 2);
    absl::Status slept = co_await SleepUntil(executor_, clock_, std::min(until, now + wait), cancellation);
    if (!slept.ok()) co_return slept;
    backoff = std::min(backoff * 2, kEndpointPollMax);
  }
}

void Dispatch::TellCloud(const CloudAttempt& attempt, Outcome outcome, const absl::Status& why) {
  const std::string before(breaker_.state());
  switch (outcome) {
    case Outcome::kOk:
      breaker_.Success(attempt.breaker);
      break;
    case Outcome::kRejected:
      breaker_.Trip(kRejectedOpen);
      break;
    case Outcome::kTimeout:
    case Outcome::kUnavailable:
    case Outcome::kDied:
      breaker_.Failure(attempt.breaker);
      break;
    case Outcome::kCancelled:
    case Outcome::kDeadline:
    case Outcome::kCallerError:
    case Outcome::kExhausted:
    case Outcome::kOtherKey:
      breaker_.Abandon(attempt.breaker);
      break;
  }
  if (outcome == Outcome::kOk) {
    limit_.Succeeded();
  } else if (outcome == Outcome::kExhausted) {
    limit_.Limited(attempt.limit, ConcurrencyLimit(why));
  } else {
    limit_.Ended();
  }
  const std::string after(breaker_.state());
  if (after != before) HG_LOG(Warning, "cloud breaker ", before, " -> ", after);
  SetBreakerGauge();
}

void Dispatch::SetBreakerGauge() {
  metrics_.GetGauge("headgate_router_cloud_breaker_open", "1 from the breaker's opening until a probe has succeeded.")
      .Set(breaker_.state() == "closed" ? 0 : 1);
}

void Dispatch::CountAttempt(bool cloud, Outcome outcome) {
  static constexpr const char* kNames[] = {"ok",       "cancelled", "deadline",    "caller_error", "exhausted",
                                           "rejected", "timeout",   "unavailable", "died",         "other_key"};
  metrics_
      .GetCounter("headgate_router_upstream_attempts_total", "Attempts at upstreams by how they ended.",
                  {{"upstream", cloud ? "cloud" : "local"}, {"outcome", kNames[static_cast<int>(outcome)]}})
      .Increment();
}

}  // namespace headgate::router
