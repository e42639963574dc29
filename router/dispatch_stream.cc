// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/dispatch_stream.h"

#include <algorithm>
#include <utility>

#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

constexpr size_t kHeldMax = 64;        // empty deltas before the first content
constexpr size_t kHeldMaxJson = 4096;  // blank ones
// An engine that has not reported for so long, while others do, is given up before its first token: stopped, cut off,
// or busy beyond reason.
constexpr absl::Duration kSilentMax = absl::Seconds(5);
constexpr absl::Duration kLookEvery = absl::Seconds(1);
// Of the time between two looks that much counts: a router that was stopped itself has not read what engines sent.
constexpr absl::Duration kLookCounts = absl::Seconds(2);

bool IsBlank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

}  // namespace

Dispatch::StreamAnswer::StreamAnswer(Dispatch& dispatch, v1::Route route, std::shared_ptr<const CloudPrompt> prompt,
                                     CloudAttempt attempt, const Ticket& ticket)
    : dispatch_(dispatch),
      deadline_(ticket.deadline),
      idle_timeout_(attempt.cloud->config.idle_timeout),
      whole_(ticket.whole),
      cloud_json_(prompt->content().response_format().type() == v1::ResponseFormat::TYPE_JSON_OBJECT),
      prompt_(std::move(prompt)),
      attempt_(attempt) {
  route_ = std::move(route);
  route_.set_target(v1::Route::TARGET_CLOUD);
  route_.set_endpoint(attempt_.cloud->config.name);
  route_.set_model(attempt_.cloud->config.model);
  stream_ = attempt_.cloud->upstream->Generate(*prompt_, CloudCall{deadline_, ticket.tenant->name, ticket.whole});
}

Dispatch::StreamAnswer::StreamAnswer(Dispatch& dispatch, v1::Route route, EndpointUse place, const Prompt& prompt,
                                     const Ticket& ticket, const LocalAsk& ask, absl::Duration patience)
    : dispatch_(dispatch),
      deadline_(ticket.deadline),
      idle_timeout_(absl::InfiniteDuration()),
      whole_(ticket.whole),
      cloud_json_(false),
      tenant_(ticket.tenant->name),
      use_(std::move(place)),
      watched_({&ask, patience, dispatch.clock_.Monotonic(), (*use_)->reports, (*use_)->work_seen}) {
  route_ = std::move(route);
  route_.set_target(v1::Route::TARGET_LOCAL);
  route_.set_endpoint((*use_)->name);
  route_.set_model((*use_)->load.model());
  stream_ = (*use_)->upstream->Generate(
      prompt, CallOptions{ticket.request_id, deadline_, tenant_, ticket.whole, ticket.trace});
}

Dispatch::StreamAnswer::~StreamAnswer() {
  if (stream_) End(Outcome::kCancelled);
}

Task<Dispatch::Begun> Dispatch::StreamAnswer::Begin(MonotonicTime first_by, Cancellation& cancellation) {
  // The first event of a whole answer is the last one too.
  const MonotonicTime until = whole_ ? deadline_ : std::min(first_by, deadline_);
  do {
    auto event = co_await First(until, cancellation);
    const Outcome outcome = Judge(event, cancellation);
    if (outcome != Outcome::kOk) {
      const std::optional<int64_t> paid_for = stream_->PaidFor();
      End(outcome, event.status());
      co_return Begun{outcome, event.status(), paid_for, std::move(again_)};
    }
    if ((*event)->has_route()) continue;  // an upstream's own opinion
    Count(**event);
    held_.push_back(std::move(**event));
  } while (held_.size() < (cloud_json_ ? kHeldMaxJson : kHeldMax) && (held_.empty() || !Commits(held_.back())));
  if (Blank()) {
    End(Outcome::kBlank);
    co_return Begun{Outcome::kBlank, absl::OkStatus(), output_tokens_};
  }
  if (prompt_) attempt_.cloud->breaker.Answered(attempt_.breaker);
  watched_.reset();
  co_return Begun{Outcome::kOk, absl::OkStatus()};
}

bool Dispatch::StreamAnswer::Commits(const Event& event) const {
  if (event.has_finish()) return true;
  const v1::Delta& delta = event.delta();
  if (cloud_json_ && whole_) return false;  // all of it is looked at
  const bool content = cloud_json_ ? !IsBlank(delta.content()) : !delta.content().empty();
  return content || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0;
}

bool Dispatch::StreamAnswer::Blank() const {
  if (!cloud_json_ || held_.back().finish().reason() != v1::FINISH_REASON_STOP) return false;
  return std::all_of(held_.begin(), held_.end(), [](const Event& event) {
    return IsBlank(event.delta().content()) && event.delta().tool_calls_size() == 0;
  });
}

Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Dispatch::StreamAnswer::First(
    MonotonicTime first_by, Cancellation& cancellation) {
  while (true) {
    const MonotonicTime look = use_ ? dispatch_.clock_.Monotonic() + kLookEvery : first_by;
    const MonotonicTime until = std::min(look, first_by);
    auto event = co_await stream_->Next(until, cancellation);
    const bool looked = use_ && absl::IsDeadlineExceeded(event.status()) && dispatch_.clock_.Monotonic() >= until &&
                        until < first_by && !cancellation.cancelled();
    if (!looked) co_return event;
    if (LookAtEngine()) co_return absl::UnavailableError("engine has gone silent, or shows no work");
  }
}

bool Dispatch::StreamAnswer::LookAtEngine() {
  const Endpoint& engine = **use_;
  Watched& w = *watched_;
  const MonotonicTime now = dispatch_.clock_.Monotonic();
  const absl::Duration since = std::min(now - std::exchange(w.at, now), kLookCounts);
  const bool reported = std::exchange(w.reports, engine.reports) != engine.reports;
  const bool worked = std::exchange(w.work, engine.work_seen) != engine.work_seen;
  w.silent = reported ? absl::ZeroDuration() : w.silent + since;
  w.stalled = worked ? absl::ZeroDuration() : w.stalled + since;
  if (w.silent >= kSilentMax && AnotherCouldTakeIt()) return true;
  // A whole answer is one event at its end: only the reports can show that it is worked on.
  if (w.stalled < w.patience || (whole_ && !engine.reports_work) || !AnotherCouldTakeIt()) return false;
  // Slow engines under load are not to be asked everything twice: without budget it stays where it is.
  auto again = dispatch_.local_retries_.Retry();
  if (again) again_.emplace(*std::move(again));
  return again_.has_value();
}

// One that reports; without, waiting is as good.
bool Dispatch::StreamAnswer::AnotherCouldTakeIt() const {
  const auto other = dispatch_.endpoints_.Pick(*watched_->ask, {(*use_)->address});
  return other != nullptr && dispatch_.endpoints_.Fresh(*other);
}

Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Dispatch::StreamAnswer::Next(
    Cancellation& cancellation) {
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
    Count(**event);
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

Dispatch::Outcome Dispatch::StreamAnswer::Judge(const absl::StatusOr<std::optional<Event>>& event,
                                               const Cancellation& cancellation) const {
  if (cancellation.cancelled()) return Outcome::kCancelled;
  if (again_) return Outcome::kTimeout;
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
      if (!cloud) return Outcome::kUnavailable;
      return OtherKeyLeft(event.status()) ? Outcome::kOtherKey : Outcome::kRejected;
    case absl::StatusCode::kResourceExhausted:
      return Outcome::kExhausted;
    case absl::StatusCode::kDeadlineExceeded:
      // Ours would say so (again_): the engine says that it cannot meet the deadline.
      return cloud ? Outcome::kTimeout : Outcome::kExhausted;
    default:
      return Outcome::kUnavailable;  // OK without an event too: cut before its finish
  }
}

void Dispatch::StreamAnswer::Count(const Event& event) {
  if (use_) (*use_)->Worked();
  if (event.has_delta()) ++output_tokens_;
  if (event.has_finish()) output_tokens_ = std::max(output_tokens_, event.finish().usage().completion_tokens());
}

void Dispatch::StreamAnswer::End(Outcome outcome, const absl::Status& why) {
  stream_.reset();  // cancels the upstream's work
  active_.reset();
  dispatch_.CountAttempt(prompt_ != nullptr, outcome);
  if (prompt_) return dispatch_.TellCloud(attempt_, outcome, why);
  if (outcome == Outcome::kOk) dispatch_.endpoints_.ReportSuccess(**use_);
  if (outcome == Outcome::kUnavailable || outcome == Outcome::kDied) dispatch_.endpoints_.ReportFailure(**use_);
  if (outcome == Outcome::kTimeout) dispatch_.endpoints_.ReportStall(**use_);
  if (outcome == Outcome::kExhausted && absl::IsResourceExhausted(why)) use_->Refused();
  dispatch_.queue_.Served(tenant_, output_tokens_);
  use_.reset();
}

}  // namespace headgate::router
