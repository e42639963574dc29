// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/dispatch.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include "common/log.h"
#include "common/mailbox.h"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

using Event = v1::GenerateStreamResponse;

constexpr absl::Duration kBackoffMax = absl::Seconds(10);   // cloud, whatever the configuration says
constexpr absl::Duration kRejectedOpen = absl::Minutes(1);  // key refused, balance spent: a person has to act
constexpr absl::Duration kEndpointPollMin = absl::Milliseconds(10);
constexpr absl::Duration kEndpointPollMax = absl::Milliseconds(250);
constexpr absl::Duration kNotSensitiveWaitMax = absl::Seconds(30);  // it may as well come again later
constexpr absl::Duration kRefuseBefore = absl::Milliseconds(20);    // so that the refusal still arrives
constexpr absl::Duration kLocalRetryAfter = absl::Seconds(1);
// A request that saw this many healthy engines die before its first token may be what kills them.
constexpr int kLocalDeathsMax = 3;
constexpr size_t kHeldMax = 64;  // empty deltas before the first content

// From here on the client sees output, so no other upstream can take over.
bool Commits(const Event& event) {
  if (event.has_finish()) return true;
  const v1::Delta& delta = event.delta();
  return !delta.content().empty() || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0;
}

absl::Status NoLocalCapacity() {
  return WithRetryAfter(absl::UnavailableError("no local capacity in time"), kLocalRetryAfter);
}

}  // namespace

enum class Dispatch::Outcome {
  kOk,
  kCancelled,  // the client left, or the attempt was dropped
  kDeadline,   // the request's
  kCallerError,
  kExhausted,  // 429, engine full: busy, not broken
  kRejected,   // our key or balance
  kTimeout,    // of a timer
  kUnavailable,
  kDied,  // after the commit point
};

struct Dispatch::Begun {
  Outcome outcome;
  absl::Status why;
};

struct Dispatch::CloudResult {
  std::unique_ptr<Answer> answer;
  absl::Status status;
  std::string fallback;  // reason code; empty: `status` is final
};

struct Dispatch::Exchange {
  const Ticket& ticket;
  const Prompt& prompt;
  const Sensitivity& sensitivity;
  Attempts& attempts;
  Cancellation& cancellation;
  v1::Route route;
};

// One attempt at one upstream; an Answer once Begin has returned kOk. Tells the breaker or the registry exactly once
// how it ended, also when it is dropped.
class Dispatch::StreamAnswer : public Answer {
 public:
  // To the cloud. The breaker has given permission.
  StreamAnswer(Dispatch& dispatch, v1::Route route, std::shared_ptr<const CloudPrompt> prompt,
               CircuitBreaker::Attempt attempt, MonotonicTime deadline)
      : dispatch_(dispatch),
        deadline_(deadline),
        idle_timeout_(dispatch.cloud_config_.idle_timeout),
        prompt_(std::move(prompt)),
        attempt_(attempt) {
    route_ = std::move(route);
    route_.set_target(v1::Route::TARGET_CLOUD);
    route_.set_endpoint(dispatch_.cloud_config_.name);
    route_.set_model(dispatch_.cloud_config_.model);
    stream_ = dispatch_.cloud_->Generate(*prompt_, deadline_);
  }
  // To a local engine.
  StreamAnswer(Dispatch& dispatch, v1::Route route, std::shared_ptr<Endpoint> endpoint, const Prompt& prompt,
               const Ticket& ticket, bool sensitive)
      : dispatch_(dispatch),
        deadline_(ticket.deadline),
        idle_timeout_(absl::InfiniteDuration()),
        use_(std::in_place, std::move(endpoint), sensitive, static_cast<double>(prompt.text_bytes()) / 4) {
    route_ = std::move(route);
    route_.set_target(v1::Route::TARGET_LOCAL);
    route_.set_endpoint((*use_)->name);
    route_.set_model((*use_)->load.model());
    stream_ = (*use_)->upstream->Generate(prompt, CallOptions{ticket.request_id, deadline_, ticket.tenant->name});
  }
  ~StreamAnswer() override {
    if (stream_) End(Outcome::kCancelled);
  }

  // Reads up to the commit point. Anything but kOk has ended the attempt.
  Task<Begun> Begin(MonotonicTime first_by, Cancellation& cancellation) {
    do {
      auto event = co_await stream_->Next(std::min(first_by, deadline_), cancellation);
      const Outcome outcome = Judge(event, cancellation);
      if (outcome != Outcome::kOk) {
        End(outcome);
        co_return Begun{outcome, event.status()};
      }
      if ((*event)->has_route()) continue;  // an upstream's own opinion
      held_.push_back(std::move(**event));
    } while (held_.size() < kHeldMax && (held_.empty() || !Commits(held_.back())));
    if (prompt_) dispatch_.breaker_.Answered(attempt_);
    co_return Begun{Outcome::kOk, absl::OkStatus()};
  }

  Task<absl::StatusOr<std::optional<Event>>> Next(Cancellation& cancellation) override {
    if (!held_.empty()) {
      Event event = std::move(held_.front());
      held_.pop_front();
      if (event.has_finish()) End(Outcome::kOk);
      co_return event;
    }
    if (!stream_) co_return std::nullopt;
    const MonotonicTime until = std::min(dispatch_.clock_.Monotonic() + idle_timeout_, deadline_);
    auto event = co_await stream_->Next(until, cancellation);
    const Outcome outcome = Judge(event, cancellation);
    if (outcome == Outcome::kOk) {
      if ((*event)->has_finish()) End(Outcome::kOk);
      co_return std::move(*event);
    }
    if (outcome == Outcome::kCancelled || outcome == Outcome::kDeadline) {
      End(outcome);
      co_return outcome == Outcome::kCancelled ? cancellation.reason() : absl::DeadlineExceededError("deadline");
    }
    End(Outcome::kDied);
    co_return absl::UnavailableError("upstream died in mid-stream");
  }

 private:
  Outcome Judge(const absl::StatusOr<std::optional<Event>>& event, const Cancellation& cancellation) const {
    if (cancellation.cancelled()) return Outcome::kCancelled;
    if (event.ok() && event->has_value()) return Outcome::kOk;
    if (dispatch_.clock_.Monotonic() >= deadline_) return Outcome::kDeadline;
    const bool cloud = prompt_ != nullptr;
    switch (event.status().code()) {
      case absl::StatusCode::kInvalidArgument:
        return Outcome::kCallerError;
      case absl::StatusCode::kNotFound:
      case absl::StatusCode::kOutOfRange:
      case absl::StatusCode::kUnimplemented:
        // The request reached the cloud under our model name at our address: there it is our mistake.
        return cloud ? Outcome::kUnavailable : Outcome::kCallerError;
      case absl::StatusCode::kUnauthenticated:
      case absl::StatusCode::kPermissionDenied:
      case absl::StatusCode::kFailedPrecondition:
        return cloud ? Outcome::kRejected : Outcome::kUnavailable;
      case absl::StatusCode::kResourceExhausted:
        return Outcome::kExhausted;
      case absl::StatusCode::kDeadlineExceeded:
        // No timer of ours runs on a local engine: it says that it cannot meet the deadline.
        return cloud ? Outcome::kTimeout : Outcome::kExhausted;
      default:
        return Outcome::kUnavailable;  // OK without an event too: cut before its finish
    }
  }

  void End(Outcome outcome) {
    stream_.reset();  // cancels the upstream's work
    dispatch_.CountAttempt(prompt_ != nullptr, outcome);
    if (prompt_) {
      dispatch_.TellBreaker(attempt_, outcome);
    } else if (outcome == Outcome::kOk) {
      dispatch_.endpoints_.ReportSuccess(**use_);
    } else if (outcome == Outcome::kUnavailable || outcome == Outcome::kDied) {
      dispatch_.endpoints_.ReportFailure(**use_);
    }
    use_.reset();
  }

  Dispatch& dispatch_;
  const MonotonicTime deadline_;
  const absl::Duration idle_timeout_;
  std::shared_ptr<const CloudPrompt> prompt_;  // null: local
  CircuitBreaker::Attempt attempt_;            // at the cloud
  std::optional<EndpointUse> use_;             // none: cloud
  std::deque<Event> held_;
  std::unique_ptr<AnswerStream> stream_;  // null: ended
};

Dispatch::Dispatch(Executor executor, Clock& clock, RandomBytes random, const CloudConfig& cloud_config,
                   EndpointRegistry& endpoints, CloudUpstream* cloud, Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      random_(std::move(random)),
      cloud_config_(cloud_config),
      endpoints_(endpoints),
      cloud_(cloud),
      metrics_(metrics),
      breaker_(clock, cloud_config.breaker_failures, cloud_config.breaker_open) {
  SetBreakerGauge();
}

void Dispatch::Apply(const CloudConfig& cloud_config) {
  cloud_config_ = cloud_config;
  breaker_.Configure(cloud_config.breaker_failures, cloud_config.breaker_open);
}

bool Dispatch::cloud_available() const { return cloud_ != nullptr && cloud_config_.enabled && breaker_.Available(); }

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::Send(const Ticket& ticket, const Prompt& prompt,
                                                             const Sensitivity& sensitivity, Decision decision,
                                                             Attempts& attempts, Cancellation& cancellation) {
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
  auto answer = co_await SendLocal(exchange);
  co_return answer;
}

Task<Dispatch::CloudResult> Dispatch::SendCloud(Exchange& exchange, CloudPermit permit) {
  auto made = CloudPrompt::Make(std::move(permit), exchange.ticket.request_id, exchange.prompt);
  if (!made.ok()) co_return CloudResult{nullptr, made.status(), ""};
  const auto prompt = std::make_shared<const CloudPrompt>(*std::move(made));
  const MonotonicTime deadline = exchange.ticket.deadline;
  for (int failed = 0;; ++failed) {
    // The breaker may have opened since policy looked, or since the last attempt.
    const bool usable = cloud_ != nullptr && cloud_config_.enabled;
    const auto attempt = usable ? breaker_.Acquire() : std::nullopt;
    if (!attempt) {
      co_return CloudResult{nullptr, absl::OkStatus(), "cloud_unavailable"};
    }
    ++exchange.attempts.cloud;
    auto answer = std::make_unique<StreamAnswer>(*this, exchange.route, prompt, *attempt, deadline);
    const MonotonicTime first_by = clock_.Monotonic() + cloud_config_.first_token_timeout;
    Begun begun = co_await answer->Begin(first_by, exchange.cancellation);
    answer = begun.outcome == Outcome::kOk ? std::move(answer) : nullptr;
    std::string fallback = "cloud_unavailable";
    switch (begun.outcome) {
      case Outcome::kOk:
        co_return CloudResult{std::move(answer), absl::OkStatus(), ""};
      case Outcome::kCancelled:
        co_return CloudResult{nullptr, exchange.cancellation.reason(), ""};
      case Outcome::kDeadline:
        co_return CloudResult{nullptr, absl::DeadlineExceededError("deadline before the cloud's first token"), ""};
      case Outcome::kCallerError:
        co_return CloudResult{nullptr, begun.why, ""};
      case Outcome::kRejected:
        HG_LOG(Error, "cloud refuses our key or balance, closed for a minute: code=",
               absl::StatusCodeToString(begun.why.code()));
        co_return CloudResult{nullptr, absl::OkStatus(), "cloud_rejected"};
      case Outcome::kExhausted:
        fallback = "cloud_rate_limited";
        break;
      case Outcome::kTimeout:
      case Outcome::kUnavailable:
      case Outcome::kDied:
        break;
    }
    // A stream that ended without a status was cut.
    const bool again = begun.why.ok() || Retryable(begun.why);
    const auto backoff = again ? CloudBackoff(failed + 1, begun.why, deadline) : std::nullopt;
    if (!backoff) co_return CloudResult{nullptr, absl::OkStatus(), fallback};
    absl::Status slept = co_await SleepUntil(executor_, clock_, clock_.Monotonic() + *backoff, exchange.cancellation);
    if (!slept.ok()) co_return CloudResult{nullptr, slept, ""};
  }
}

std::optional<absl::Duration> Dispatch::CloudBackoff(int failed_attempts, const absl::Status& why,
                                                     MonotonicTime deadline) {
  if (failed_attempts >= cloud_config_.attempts_max) return std::nullopt;
  const absl::Duration cap = std::min(cloud_config_.backoff_max, kBackoffMax);
  const absl::Duration ceiling = std::min(cap, cloud_config_.backoff_base * std::exp2(failed_attempts - 1));
  absl::Duration wait = ceiling * RandomUnit(random_);
  if (const auto asked = RetryAfter(why); asked.has_value()) {
    // Told to stay away for longer than we would ever wait: local can start now.
    if (*asked > cap) return std::nullopt;
    wait = std::max(wait, *asked);
  }
  if (clock_.Monotonic() + wait >= deadline) return std::nullopt;
  return wait;
}

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::SendLocal(Exchange& exchange) {
  const bool sensitive = exchange.sensitivity.sensitive();
  const MonotonicTime deadline = exchange.ticket.deadline;
  const MonotonicTime wait_end = LocalWaitEnd(sensitive, deadline);
  Search search{{}, kEndpointPollMin};
  int deaths = 0;
  while (true) {
    auto endpoint = co_await FindEndpoint(sensitive, search, wait_end, exchange.cancellation);
    if (!endpoint.ok()) co_return endpoint.status();
    search.tried.push_back((*endpoint)->address);
    const bool healthy = endpoints_.Fresh(**endpoint);
    ++exchange.attempts.local;
    auto answer =
        std::make_unique<StreamAnswer>(*this, exchange.route, *std::move(endpoint), exchange.prompt, exchange.ticket,
                                       sensitive);
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
  }
}

MonotonicTime Dispatch::LocalWaitEnd(bool sensitive, MonotonicTime deadline) const {
  const MonotonicTime end = deadline - kRefuseBefore;
  return sensitive ? end : std::min(end, clock_.Monotonic() + kNotSensitiveWaitMax);
}

Task<absl::StatusOr<std::shared_ptr<Endpoint>>> Dispatch::FindEndpoint(bool sensitive, Search& search,
                                                                       MonotonicTime until,
                                                                       Cancellation& cancellation) {
  while (true) {
    if (cancellation.cancelled()) co_return cancellation.reason();
    if (auto endpoint = endpoints_.Pick(sensitive, search.tried)) co_return endpoint;
    const MonotonicTime now = clock_.Monotonic();
    if (now >= until) co_return NoLocalCapacity();
    // Jittered, so that those who wait do not all come back at once.
    const absl::Duration wait = search.backoff * (0.5 + RandomUnit(random_) / 2);
    absl::Status slept = co_await SleepUntil(executor_, clock_, std::min(until, now + wait), cancellation);
    if (!slept.ok()) co_return slept;
    search.tried.clear();
    search.backoff = std::min(search.backoff * 2, kEndpointPollMax);
  }
}

Task<absl::StatusOr<std::shared_ptr<Endpoint>>> Dispatch::WaitForLocal(bool sensitive, MonotonicTime deadline,
                                                                       Cancellation& cancellation) {
  Search search{{}, kEndpointPollMin};
  auto endpoint = co_await FindEndpoint(sensitive, search, LocalWaitEnd(sensitive, deadline), cancellation);
  co_return endpoint;
}

void Dispatch::TellBreaker(const CircuitBreaker::Attempt& attempt, Outcome outcome) {
  const std::string before(breaker_.state());
  switch (outcome) {
    case Outcome::kOk:
      breaker_.Success(attempt);
      break;
    case Outcome::kRejected:
      breaker_.Trip(kRejectedOpen);
      break;
    case Outcome::kTimeout:
    case Outcome::kUnavailable:
    case Outcome::kDied:
      breaker_.Failure(attempt);
      break;
    case Outcome::kCancelled:
    case Outcome::kDeadline:
    case Outcome::kCallerError:
    case Outcome::kExhausted:
      breaker_.Abandon(attempt);
      break;
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
                                           "rejected", "timeout",   "unavailable", "died"};
  metrics_
      .GetCounter("headgate_router_upstream_attempts_total", "Attempts at upstreams by how they ended.",
                  {{"upstream", cloud ? "cloud" : "local"}, {"outcome", kNames[static_cast<int>(outcome)]}})
      .Increment();
}

}  // namespace headgate::router
