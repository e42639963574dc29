// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// dispatch: sends the request to where policy said, retries and falls back until the first content byte (the commit
// point), never towards less trust: cloud -> local is allowed, local -> cloud is not. After the commit point an
// upstream's death ends the answer with UNAVAILABLE. A fallback puts its reason in front of the route's reasons:
// cloud_unavailable, cloud_rate_limited, cloud_rejected (our key or balance), cloud_at_cap or budget_exhausted (no room
// for another attempt).
//
// Hedging: a local request to which policy gave a second permit may be sent to the cloud too when its first token is
// late (hedging.h). Whoever reaches the commit point first answers, with `hedge` in front of the reasons when it is the
// cloud; the other one is cancelled. Nothing is sent without the caller's ApproveHedge.
//
// Before the engines stands a queue (upstream/local_queue.h), before the cloud a breaker, a cap and a budget of retries
// (upstream/circuit_breaker.h, cloud_limit.h, retry_budget.h).
//
// Dispatch and all that it was given must outlive its Answers.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/admission.h"
#include "router/config.h"
#include "router/hedging.h"
#include "router/policy.h"
#include "router/upstream/circuit_breaker.h"
#include "router/upstream/cloud_limit.h"
#include "router/upstream/endpoint_registry.h"
#include "router/upstream/inference_client.h"
#include "router/upstream/local_queue.h"
#include "router/upstream/retry_budget.h"

namespace headgate::router {

// A committed answer: its first content event has arrived.
class Answer {
 public:
  virtual ~Answer() = default;
  const v1::Route& route() const { return route_; }
  // From the first content event on; nullopt after finish.
  virtual Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Next(Cancellation& cancellation) = 0;

 protected:
  v1::Route route_;
};

// Counted even when every attempt failed: what accounting and audit need to know.
struct Attempts {
  int cloud = 0;  // attempts that were given to the cloud client
  int local = 0;
  // kLost: the cloud had the prompt when the engine was first, or the client left; it may be paid for.
  enum class Hedge { kNone, kFailed, kLost, kWon };
  Hedge hedge = Hedge::kNone;
  // Attempts at the cloud that ended before the commit point and may be billed (AnswerStream::PaidFor).
  int lost = 0;
  int64_t lost_output_tokens = 0;
};

// Before a hedge is sent: budget, record, whatever else a way out needs. Anything but OK: it is not sent.
using ApproveHedge = std::function<Task<absl::Status>(Cancellation&)>;
// Before the cloud is asked again: `attempts` says what the ones before it may have cost. False: it is not asked.
using ApproveRetry = std::function<bool()>;

// What a request would meet on either side.
struct Prospect {
  Outlook local;
  double cloud_cached_tokens = 0;  // of its prompt, probably: the cloud was sent them before
};

class Dispatch {
 public:
  // `cloud` may be null (no cloud configured). Clouds are numbered: 0 is `cloud`, then those that AddCloud adds.
  Dispatch(Executor executor, Clock& clock, RandomBytes random, const CloudConfig& cloud_config,
           const LocalConfig& local_config, EndpointRegistry& endpoints, CloudUpstream* cloud, Metrics& metrics);
  void AddCloud(const CloudConfig& config, CloudUpstream* cloud);
  void Apply(const CloudConfig& cloud_config, const LocalConfig& local_config);

  // Sends and waits for the first content event. `decision.permit` is spent here. `prompt` must remain live while the
  // Answer is. Without room at an engine a local request waits until just before its deadline (not sensitive: at most
  // 30 s, less when overloaded), then UNAVAILABLE with RetryAfter. CANCELLED, DEADLINE_EXCEEDED: the request's own.
  // INVALID_ARGUMENT: the upstream says that the caller erred. INTERNAL: the permit does not fit; nothing was sent.
  Task<absl::StatusOr<std::unique_ptr<Answer>>> Send(const Ticket& ticket, const Prompt& prompt,
                                                     const Sensitivity& sensitivity, Decision decision,
                                                     Attempts& attempts, Cancellation& cancellation,
                                                     const ApproveHedge& approve = {}, const ApproveRetry& again = {});
  void Share(SharedLimits& limits) {
    for (const auto& cloud : clouds_) cloud->limit.Share(limits);
  }
  void Apply(const PolicyConfig& policy) { hedging_.Apply(policy); }
  // An engine for one unary call: CountTokens, Embed, ListModels. They take no place in a batch, so any engine will do;
  // waits until just before the deadline for one, then UNAVAILABLE with RetryAfter. `model` as the client named it.
  Task<absl::StatusOr<std::shared_ptr<Endpoint>>> WaitForLocal(const std::string& model, MonotonicTime deadline,
                                                               Cancellation& cancellation);

  Prospect Look(const std::string& tenant, const Prompt& prompt, bool sensitive, size_t cloud = 0);

  // For a router that has just begun, with cloud.calls_per_day: counts the calls of today that the audit log tells of.
  // Of several clouds, those that answered are told apart, failed calls count for the first.
  int64_t RestoreCalls(const std::string& audit_directory);

  bool cloud_available(size_t cloud = 0) const;
  // Fewer answers under way than the cloud's cap, and calls left for today.
  bool cloud_has_room(size_t cloud = 0) const { return clouds_[cloud]->limit.HasRoom(); }
  const CircuitBreaker& breaker(size_t cloud = 0) const { return clouds_[cloud]->breaker; }
  struct CloudStanding {
    std::string name;
    std::string breaker, opened_by;  // how the attempt ended that opened it; empty while it is closed
  };
  std::vector<CloudStanding> Clouds() const;

 private:
  class StreamAnswer;
  struct Exchange;  // one Send on its way
  struct CloudResult;
  enum class Outcome;  // of one attempt
  struct Begun;
  struct Race;  // of a hedged request

  Task<CloudResult> SendCloud(Exchange& exchange, CloudPermit permit);
  Task<absl::StatusOr<std::unique_ptr<Answer>>> SendLocal(Exchange& exchange);
  Task<absl::StatusOr<std::unique_ptr<Answer>>> SendHedged(Exchange& exchange, CloudPermit permit,
                                                           const ApproveHedge& approve);
  Task<void> RunHedge(std::shared_ptr<Race> race, CloudPermit permit, const ApproveHedge& approve);
  Task<void> Hedge(Race& race, CloudPermit permit, const ApproveHedge& approve);
  void CountHedge(Attempts::Hedge result);
  LocalQueue::Work WorkOf(const Exchange& exchange) const;
  // How long to wait before the next cloud attempt; nullopt: not worth it, fall back.
  std::optional<absl::Duration> CloudBackoff(const CloudConfig& config, int failed_attempts, const Begun& begun,
                                             MonotonicTime deadline);
  std::optional<absl::Status> FinalCloudStatus(const Begun& begun, const Exchange& exchange,
                                               std::string& fallback) const;
  void CountRefusedRetry();
  // After the death of a healthy engine, the so manieth of one request: whether it may be sent once more. `retry` then
  // holds what that takes of the budget.
  bool MayRetryLocally(int deaths, std::optional<RetryBudget::Hold>& retry);
  // How long the engine may show no work before the first token of a request that has met so many stalls.
  absl::Duration Patience(const Endpoint& engine, const LocalQueue::Work& work, int stalls) const;
  static const char* NameOf(Outcome outcome);
  void CountAttempt(bool cloud, Outcome outcome);
  static constexpr size_t kSentMax = 1 << 16;
  struct Cloud {
    Cloud(const Clock& clock, const CloudConfig& c, CloudUpstream* u, Metrics& metrics)
        : config(c), upstream(u), breaker(clock, c.breaker_failures, c.breaker_open), limit(clock, c, metrics) {}
    CloudConfig config;
    CloudUpstream* const upstream;
    CircuitBreaker breaker;
    const char* opened_by = "";  // the breaker, the last time
    CloudLimit limit;
    RetryBudget retries;
    PrefixAffinity sent{kSentMax};  // beginnings of prompts that it has read
  };
  struct CloudAttempt {
    Cloud* cloud = nullptr;
    CircuitBreaker::Attempt breaker = {};
    CloudLimit::Attempt limit = {};
  };
  // Nullopt, and why: the breaker is open, or there is no room under the cap.
  std::optional<CloudAttempt> TakeCloud(size_t cloud, std::string& why);
  void TellCloud(const CloudAttempt& attempt, Outcome outcome, const absl::Status& why);
  void SetBreakerGauge(const Cloud& cloud);

  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  EndpointRegistry& endpoints_;
  Metrics& metrics_;
  std::vector<std::unique_ptr<Cloud>> clouds_;
  LocalQueue queue_;
  RetryBudget local_retries_;
  Hedging hedging_{PolicyConfig()};
  const uint64_t prefix_secret_;
};

}  // namespace headgate::router
