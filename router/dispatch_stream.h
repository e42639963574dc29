// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One attempt of Dispatch at one upstream, up to the commit point and beyond. Private to the files of Dispatch.
//
// Thread-safety: executor thread only.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "router/dispatch.h"

namespace headgate::router {

// How an attempt ended.
enum class Dispatch::Outcome {
  kOk,
  kCancelled,  // the client left, or the attempt was dropped
  kDeadline,   // the request's
  kCallerError,
  kExhausted,  // 429, engine full: busy, not broken
  kRejected,   // our key or balance
  kTimeout,    // of a timer; an engine showed no work, and another one could take it
  kUnavailable,
  kDied,      // after the commit point
  kOtherKey,  // one of our keys; another one is left
  kBlank,     // JSON was asked for, and white space came: no fault of the connection
};

struct Dispatch::Begun {
  Outcome outcome;
  absl::Status why;
  std::optional<int64_t> paid_for = std::nullopt;  // not kOk, the cloud
  std::optional<RetryBudget::Hold> again = std::nullopt;  // kTimeout of an engine: for the next attempt
  void Tell(Attempts& attempts) const {
    if (!paid_for) return;
    ++attempts.lost;
    attempts.lost_output_tokens += *paid_for;
  }
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
  size_t cloud = 0;  // its number
  ApproveRetry again = {};
};

// An Answer once Begin has returned kOk. Tells breaker and cap, or registry and queue, exactly once how it ended, also
// when it is dropped.
class Dispatch::StreamAnswer : public Answer {
 public:
  using Event = v1::GenerateStreamResponse;

  // To the cloud. Breaker and cap have given permission.
  StreamAnswer(Dispatch& dispatch, v1::Route route, std::shared_ptr<const CloudPrompt> prompt, CloudAttempt attempt,
               const Ticket& ticket);
  // To a local engine, which may show no work for `patience` before the first token. `ask` must outlive Begin.
  StreamAnswer(Dispatch& dispatch, v1::Route route, EndpointUse place, const Prompt& prompt, const Ticket& ticket,
               const LocalAsk& ask, absl::Duration patience);
  ~StreamAnswer() override;

  // Reads up to the commit point. Anything but kOk has ended the attempt.
  Task<Begun> Begin(MonotonicTime first_by, Cancellation& cancellation);
  Task<absl::StatusOr<std::optional<Event>>> Next(Cancellation& cancellation) override;
  // From the commit point on it counts as active by itself.
  void Keep(RetryBudget::Hold active) { active_.emplace(std::move(active)); }

 private:
  // From here on the client sees output, so no other upstream can take over.
  bool Commits(const Event& event) const;
  bool Blank() const;
  Outcome Judge(const absl::StatusOr<std::optional<Event>>& event, const Cancellation& cancellation) const;
  // The next event; for an engine also UNAVAILABLE when it has stopped reporting or working and another one could take
  // over. It has sent nothing that the client saw.
  Task<absl::StatusOr<std::optional<Event>>> First(MonotonicTime first_by, Cancellation& cancellation);
  // Once a second before the commit point; true: give it up.
  bool LookAtEngine();
  bool AnotherCouldTakeIt() const;
  void Count(const Event& event);
  void End(Outcome outcome, const absl::Status& why = absl::OkStatus());

  Dispatch& dispatch_;
  const MonotonicTime deadline_;
  const absl::Duration idle_timeout_;
  const bool whole_;
  const bool cloud_json_;  // the cloud replaces what is not JSON by white space
  const std::string tenant_;
  std::shared_ptr<const CloudPrompt> prompt_;  // null: local
  CloudAttempt attempt_;                       // at the cloud
  std::optional<EndpointUse> use_;             // none: cloud
  struct Watched {                             // the engine, before the commit point
    const LocalAsk* ask;
    absl::Duration patience;
    MonotonicTime at;                          // of the last look
    int64_t reports, work;                     // as they were then
    absl::Duration silent = {}, stalled = {};  // for so long, nothing new
  };
  std::optional<Watched> watched_;
  std::optional<RetryBudget::Hold> again_;     // set: given up as stalled
  std::optional<RetryBudget::Hold> active_;    // of its side's retries
  int64_t output_tokens_ = 0;                  // one a delta, until the usage says it better
  std::deque<Event> held_;
  std::unique_ptr<AnswerStream> stream_;  // null: ended
};

}  // namespace headgate::router
