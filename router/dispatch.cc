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
// A request that saw this many healthy engines die before its first token may be what kills them.
constexpr int kLocalDeathsMax = 3;
constexpr int kLocalStallsMax = 2;
constexpr uint64_t kItself = 1;  // in a cloud's table of beginnings

uint64_t SecretFrom(const RandomBytes& random) {
  const std::string bytes = random(sizeof(uint64_t));
  uint64_t secret = 0;
  std::memcpy(&secret, bytes.data(), std::min(bytes.size(), sizeof(secret)));
  return secret;
}

}  // namespace

Dispatch::Dispatch(Executor executor, Clock& clock, RandomBytes random, const CloudConfig& cloud_config,
                   const LocalConfig& local_config, EndpointRegistry& endpoints, CloudUpstream* cloud,
                   Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      random_(std::move(random)),
      endpoints_(endpoints),
      metrics_(metrics),
      queue_(executor, clock, random_, local_config, endpoints, metrics),
      prefix_secret_(SecretFrom(random_)) {
  AddCloud(cloud_config, cloud);
}

void Dispatch::AddCloud(const CloudConfig& config, CloudUpstream* cloud) {
  clouds_.push_back(std::make_unique<Cloud>(clock_, config, cloud, metrics_));
  SetBreakerGauge(*clouds_.back());
}

void Dispatch::Apply(const CloudConfig& cloud_config, const LocalConfig& local_config) {
  Cloud& first = *clouds_.front();
  first.config = cloud_config;
  first.limit.Apply(cloud_config);
  queue_.Apply(local_config);
  first.breaker.Configure(cloud_config.breaker_failures, cloud_config.breaker_open);
}

bool Dispatch::cloud_available(size_t cloud) const {
  const Cloud& one = *clouds_[cloud];
  return one.upstream != nullptr && one.config.enabled && one.breaker.Available();
}

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::Send(const Ticket& ticket, const Prompt& prompt,
                                                             const Sensitivity& sensitivity, Decision decision,
                                                             Attempts& attempts, Cancellation& cancellation,
                                                             const ApproveHedge& approve, const ApproveRetry& again) {
  Exchange exchange{ticket, prompt, sensitivity, attempts, cancellation, {}, decision.cloud, again};
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
  // Whoever waits for a whole answer sees no first token.
  const bool may_hedge = decision.hedge && approve && !sensitivity.sensitive() && !ticket.whole;
  if (decision.target == Target::kLocal && may_hedge) {
    auto hedged = co_await SendHedged(exchange, *std::move(decision.hedge), approve);
    co_return hedged;
  }
  auto answer = co_await SendLocal(exchange);
  co_return answer;
}

std::optional<Dispatch::CloudAttempt> Dispatch::TakeCloud(size_t number, std::string& why) {
  // The breaker may have opened since policy looked, or since the last attempt; so may the cap have been reached.
  why = "cloud_unavailable";
  if (!cloud_available(number)) return std::nullopt;
  Cloud& cloud = *clouds_[number];
  const auto place = cloud.limit.Take();
  if (!place) {
    why = "cloud_at_cap";
    return std::nullopt;
  }
  return CloudAttempt{&cloud, *cloud.breaker.Acquire(), *place};
}

Task<Dispatch::CloudResult> Dispatch::SendCloud(Exchange& exchange, CloudPermit permit) {
  auto made = CloudPrompt::Make(std::move(permit), exchange.ticket.request_id, exchange.prompt);
  if (!made.ok()) co_return CloudResult{nullptr, made.status(), ""};
  const auto prompt = std::make_shared<const CloudPrompt>(*std::move(made));
  Cloud& cloud = *clouds_[exchange.cloud];
  RetryBudget::Hold active = cloud.retries.Begin();
  std::optional<RetryBudget::Hold> retry;
  for (int failed = 0;; ++failed) {
    std::string fallback;
    const auto attempt = TakeCloud(exchange.cloud, fallback);
    if (!attempt) co_return CloudResult{nullptr, absl::OkStatus(), fallback};
    ++exchange.attempts.cloud;
    auto answer = std::make_unique<StreamAnswer>(*this, exchange.route, prompt, *attempt, exchange.ticket);
    const MonotonicTime first_by = clock_.Monotonic() + cloud.config.first_token_timeout;
    Begun begun = co_await answer->Begin(first_by, exchange.cancellation);
    if (begun.outcome == Outcome::kOk) {
      cloud.sent.Remember(PrefixKeysOf(prefix_secret_, exchange.ticket.tenant->name, exchange.prompt), kItself);
      answer->Keep(std::move(active));
      co_return CloudResult{std::move(answer), absl::OkStatus(), ""};
    }
    begun.Tell(exchange.attempts);
    answer = nullptr;
    std::optional<absl::Status> last = FinalCloudStatus(begun, exchange, fallback);
    if (last) co_return CloudResult{nullptr, *last, fallback};
    // A stream that ended without a status was cut.
    const bool again = begun.why.ok() || begun.outcome == Outcome::kOtherKey || Retryable(begun.why);
    const auto backoff = again ? CloudBackoff(cloud.config, failed + 1, begun, exchange.ticket.deadline) : std::nullopt;
    retry.reset();
    if (backoff) {
      auto hold = cloud.retries.Retry();
      if (hold) retry.emplace(*std::move(hold));
    }
    if (!retry) {
      if (backoff) CountRefusedRetry();
      co_return CloudResult{nullptr, absl::OkStatus(), fallback};
    }
    if (exchange.again && !exchange.again()) co_return CloudResult{nullptr, absl::OkStatus(), "budget_exhausted"};
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

std::optional<absl::Duration> Dispatch::CloudBackoff(const CloudConfig& config, int failed_attempts,
                                                     const Begun& begun, MonotonicTime deadline) {
  if (failed_attempts >= config.attempts_max) return std::nullopt;
  if (begun.outcome == Outcome::kOtherKey) return absl::ZeroDuration();
  const absl::Duration cap = std::min(config.backoff_max, kBackoffMax);
  const absl::Duration ceiling = std::min(cap, config.backoff_base * std::exp2(failed_attempts - 1));
  absl::Duration wait = ceiling * RandomUnit(random_);
  if (const auto asked = RetryAfter(begun.why); asked.has_value()) {
    // Told to stay away for longer than we would ever wait: local can start now.
    if (*asked > cap) return std::nullopt;
    wait = std::max(wait, *asked);
  }
  if (clock_.Monotonic() + wait >= deadline) return std::nullopt;
  return wait;
}

Prospect Dispatch::Look(const std::string& tenant, const Prompt& prompt, bool sensitive, size_t cloud) {
  LocalAsk ask;
  ask.model = endpoints_.ModelNamed(prompt.content().model());
  ask.sensitive = sensitive;
  ask.prompt_tokens = static_cast<double>(prompt.text_bytes()) / 4;
  ask.prefix = PrefixKeysOf(prefix_secret_, tenant, prompt);
  Prospect prospect{endpoints_.Look(ask)};
  for (const PrefixAffinity::Match& match : clouds_[cloud]->sent.Find(ask.prefix)) {
    prospect.cloud_cached_tokens = std::min(ask.prompt_tokens, match.bytes / 4);
  }
  return prospect;
}

LocalQueue::Work Dispatch::WorkOf(const Exchange& exchange) const {
  const Ticket& ticket = exchange.ticket;
  const bool sensitive = exchange.sensitivity.sensitive();
  LocalQueue::Work work;
  work.ask.model = endpoints_.ModelNamed(exchange.prompt.content().model());
  work.ask.sensitive = sensitive;
  work.ask.prompt_tokens = static_cast<double>(exchange.prompt.text_bytes()) / 4;
  work.ask.prefix = PrefixKeysOf(prefix_secret_, ticket.tenant->name, exchange.prompt);
  work.band = BandOf(sensitive, ticket.priority);
  work.tenant = ticket.tenant->name;
  work.until = LocalWaitEnd(sensitive, clock_.Monotonic(), ticket.deadline);
  return work;
}

bool Dispatch::MayRetryLocally(int deaths, std::optional<RetryBudget::Hold>& retry) {
  // One engine's death is nobody's fault: whoever was at it goes to another one. Beyond that all may be failing.
  if (deaths == 1) return true;
  retry.reset();
  auto hold = deaths < kLocalDeathsMax ? local_retries_.Retry() : std::nullopt;
  if (!hold) return false;
  retry.emplace(*std::move(hold));
  return true;
}

absl::Duration Dispatch::Patience(const Endpoint& engine, const LocalQueue::Work& work, int stalls) const {
  // Whoever was moved twice stays: then all engines are slow, and beginning again only adds to that.
  if (stalls >= kLocalStallsMax) return absl::InfiniteDuration();
  return endpoints_.StallLimit(engine, work.ask.prompt_tokens) * std::exp2(stalls);
}

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::SendLocal(Exchange& exchange) {
  const MonotonicTime deadline = exchange.ticket.deadline;
  LocalQueue::Work work = WorkOf(exchange);
  absl::Duration backoff = kEndpointPollMin;
  int deaths = 0, stalls = 0;
  RetryBudget::Hold active = local_retries_.Begin();
  std::optional<RetryBudget::Hold> retry;
  while (true) {
    auto place = co_await queue_.Enter(work, exchange.cancellation);
    if (!place.ok()) co_return place.status();
    const std::string address = (*place)->address;
    const bool healthy = endpoints_.Fresh(**place);
    ++exchange.attempts.local;
    const absl::Duration patience = Patience(**place, work, stalls);
    auto answer = std::make_unique<StreamAnswer>(*this, exchange.route, *std::move(place), exchange.prompt,
                                                 exchange.ticket, work.ask, patience);
    Begun begun = co_await answer->Begin(deadline, exchange.cancellation);
    switch (begun.outcome) {
      case Outcome::kOk:
        answer->Keep(std::move(active));
        co_return std::move(answer);
      case Outcome::kCancelled:
        co_return exchange.cancellation.reason();
      case Outcome::kDeadline:
        co_return absl::DeadlineExceededError("deadline before the first token");
      case Outcome::kCallerError:
        co_return begun.why;
      case Outcome::kUnavailable:
        if (healthy && !MayRetryLocally(++deaths, retry)) {
          co_return queue_.ComeAgain("local engines failed");
        }
        break;
      case Outcome::kTimeout:
        ++stalls;
        retry.reset();
        retry.emplace(*std::move(begun.again));
        work.until = LocalWaitEnd(work.ask.sensitive, clock_.Monotonic(), deadline);  // it had a place: it waits anew
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

Task<absl::StatusOr<std::shared_ptr<Endpoint>>> Dispatch::WaitForLocal(const std::string& model,
                                                                       MonotonicTime deadline,
                                                                       Cancellation& cancellation) {
  const MonotonicTime until = deadline - kRefuseBefore;
  absl::Duration backoff = kEndpointPollMin;
  while (true) {
    if (cancellation.cancelled()) co_return cancellation.reason();
    if (auto endpoint = endpoints_.PickAny(endpoints_.ModelNamed(model))) co_return endpoint;
    const MonotonicTime now = clock_.Monotonic();
    if (now >= until) co_return queue_.ComeAgain("no local capacity in time");
    const absl::Duration wait = backoff * (0.5 + RandomUnit(random_) / 2);
    absl::Status slept = co_await SleepUntil(executor_, clock_, std::min(until, now + wait), cancellation);
    if (!slept.ok()) co_return slept;
    backoff = std::min(backoff * 2, kEndpointPollMax);
  }
}

const char* Dispatch::NameOf(Outcome outcome) {
  static constexpr const char* kNames[] = {"ok",       "cancelled", "deadline",    "caller_error", "exhausted",
                                           "rejected", "timeout",   "unavailable", "died",         "other_key",
                                           "blank"};
  return kNames[static_cast<int>(outcome)];
}

std::vector<Dispatch::CloudStanding> Dispatch::Clouds() const {
  std::vector<CloudStanding> standing;
  for (const auto& cloud : clouds_) {
    if (cloud->upstream == nullptr) continue;
    const std::string breaker(cloud->breaker.state());
    standing.push_back({cloud->config.name, breaker, breaker == "closed" ? "" : cloud->opened_by});
  }
  return standing;
}

void Dispatch::TellCloud(const CloudAttempt& attempt, Outcome outcome, const absl::Status& why) {
  CircuitBreaker& breaker = attempt.cloud->breaker;
  CloudLimit& limit = attempt.cloud->limit;
  const std::string before(breaker.state());
  switch (outcome) {
    case Outcome::kOk:
      breaker.Success(attempt.breaker);
      break;
    case Outcome::kRejected:
      breaker.Trip(kRejectedOpen);
      break;
    case Outcome::kTimeout:
    case Outcome::kUnavailable:
    case Outcome::kDied:
      breaker.Failure(attempt.breaker);
      break;
    case Outcome::kCancelled:
    case Outcome::kDeadline:
    case Outcome::kCallerError:
    case Outcome::kExhausted:
    case Outcome::kOtherKey:
    case Outcome::kBlank:
      breaker.Abandon(attempt.breaker);
      break;
  }
  if (outcome == Outcome::kOk) {
    limit.Succeeded();
  } else if (outcome == Outcome::kExhausted) {
    limit.Limited(attempt.limit, ConcurrencyLimit(why));
  } else {
    limit.Ended();
  }
  const std::string after(breaker.state());
  if (after != before) {
    if (after == "open") attempt.cloud->opened_by = NameOf(outcome);
    HG_LOG(Warning, "cloud ", attempt.cloud->config.name, ": breaker ", before, " -> ", after, ": ", NameOf(outcome));
  }
  SetBreakerGauge(*attempt.cloud);
}

void Dispatch::SetBreakerGauge(const Cloud& cloud) {
  metrics_
      .GetGauge("headgate_router_cloud_breaker_open", "1 from the breaker's opening until a probe has succeeded.",
                CloudLabels(cloud.config))
      .Set(cloud.breaker.state() == "closed" ? 0 : 1);
}

void Dispatch::CountAttempt(bool cloud, Outcome outcome) {
  metrics_
      .GetCounter("headgate_router_upstream_attempts_total", "Attempts at upstreams by how they ended.",
                  {{"upstream", cloud ? "cloud" : "local"}, {"outcome", NameOf(outcome)}})
      .Increment();
}

}  // namespace headgate::router
