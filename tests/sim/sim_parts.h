// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What stands around a simulated router: the disk of its audit log, Redis, a client.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/mailbox.h"
#include "router/router.h"
#include "tests/fakes/fake_lease_store.h"
#include "tests/sim/sim_trace.h"

namespace headgate::router {

class SimStore : public AuditStore {
 public:
  // `ended`: the process is gone; what it writes now is not. `on_medium`: lines of the trace that are, of this router.
  SimStore(Clock& clock, SimTrace& trace, std::string chain, const bool& broken, const bool& ended, size_t& on_medium,
           uint64_t seed)
      : clock_(clock),
        trace_(trace),
        chain_(std::move(chain)),
        broken_(broken),
        ended_(ended),
        on_medium_(on_medium),
        dice_(seed) {}
  ~SimStore() override {
    for (const auto& timer : timers_) timer->reset();
  }
  absl::Status Append(const std::string& line) override {
    if (ended_) return absl::UnavailableError("the process is gone");
    trace_.audit.push_back({line, !broken_, clock_.Monotonic(), chain_});
    return broken_ ? absl::UnavailableError("no space left") : absl::OkStatus();
  }
  // The medium takes a while, now and then too long.
  void Sync(std::function<void(absl::Status)> done) override {
    const auto took = absl::Milliseconds(dice_.Chance(0.01) ? 3000 : dice_.Below(12));
    auto timer = std::make_shared<std::unique_ptr<Timer>>();
    timers_.push_back(timer);
    *timer = clock_.CallAt(clock_.Monotonic() + took, [this, timer, done, lines = trace_.audit.size()] {
      if (!broken_ && !ended_) on_medium_ = std::max(on_medium_, lines);
      done(broken_ ? absl::UnavailableError("input/output error") : absl::OkStatus());
      timer->reset();
    });
  }

 private:
  Clock& clock_;
  SimTrace& trace_;
  const std::string chain_;
  const bool& broken_;
  const bool& ended_;
  size_t& on_medium_;
  Dice dice_;
  std::vector<std::shared_ptr<std::unique_ptr<Timer>>> timers_;
};

// Redis, as a router sees it: down, slow, deaf after it has acted, or restarted without its memory.
class SimLeases : public LeaseStore {
 public:
  SimLeases(FakeLeases& leases, Executor executor, Clock& clock, std::string holder,
            const SimPlan::StoreSpell* const& fault)
      : store_(leases, executor, clock, std::move(holder)), executor_(executor), clock_(clock), fault_(fault) {}
  Task<absl::StatusOr<std::vector<double>>> Exchange(std::vector<LeaseAsk> asks, MonotonicTime deadline) override {
    using Fault = SimPlan::StoreSpell::Fault;
    const std::optional<Fault> fault = fault_ == nullptr ? std::nullopt : std::optional<Fault>(fault_->fault);
    if (fault == Fault::kDown) co_return absl::UnavailableError("down");
    Cancellation never;
    if (fault == Fault::kSlow) {
      const absl::Status slept =
          co_await SleepUntil(executor_, clock_, clock_.Monotonic() + absl::Milliseconds(300), never);
      if (!slept.ok()) co_return slept;
    }
    auto given = co_await store_.Exchange(std::move(asks), deadline);
    if (fault != Fault::kRepliesLost) co_return given;
    const absl::Status slept = co_await SleepUntil(executor_, clock_, deadline, never);
    co_return slept.ok() ? absl::DeadlineExceededError("no reply") : slept;
  }

 private:
  FakeLeaseStore store_;
  Executor executor_;
  Clock& clock_;
  const SimPlan::StoreSpell* const& fault_;
};

// The second level of the cache, in the same Redis. Some of what it gives somebody has changed.
class SimCacheStore : public CacheStore {
 public:
  using Answers = std::map<std::string, std::string>;
  SimCacheStore(Executor executor, Clock& clock, Answers& answers, const SimPlan::StoreSpell* const& fault,
                SimTrace& trace, uint64_t seed)
      : executor_(executor), clock_(clock), answers_(answers), fault_(fault), trace_(trace), dice_(seed) {}
  Task<absl::StatusOr<std::string>> Get(std::string key, MonotonicTime deadline) override {
    using Fault = SimPlan::StoreSpell::Fault;
    if (fault_ != nullptr && fault_->fault == Fault::kDown) co_return absl::UnavailableError("down");
    const bool late = fault_ != nullptr && fault_->fault != Fault::kForgets;
    const MonotonicTime when = late ? deadline : clock_.Monotonic() + absl::Milliseconds(1);
    Cancellation never;
    const absl::Status slept = co_await SleepUntil(executor_, clock_, when, never);
    if (!slept.ok() || late) co_return absl::DeadlineExceededError("no reply");
    const auto found = answers_.find(key);
    if (found == answers_.end()) co_return absl::NotFoundError("not there");
    std::string answer = found->second;
    if (dice_.Chance(0.1)) {
      answer[dice_.Below(answer.size())] ^= 1;
    } else {
      ++trace_.shared_hits;
    }
    co_return answer;
  }
  void Put(std::string key, std::string value, absl::Duration) override {
    if (fault_ == nullptr) answers_[key] = std::move(value);
  }

 private:
  Executor executor_;
  Clock& clock_;
  Answers& answers_;
  const SimPlan::StoreSpell* const& fault_;
  SimTrace& trace_;
  Dice dice_;
};

class SimSink : public AnswerSink {
 public:
  SimSink(Executor executor, Clock& clock, const SimRequest& request, SimSeen& seen, Cancellation& cancellation)
      : executor_(executor), clock_(clock), request_(request), seen_(seen), cancellation_(cancellation) {}
  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    if (request_.write_delay > absl::ZeroDuration()) {
      absl::Status slept =
          co_await SleepUntil(executor_, clock_, clock_.Monotonic() + request_.write_delay, cancellation_);
      if (!slept.ok()) co_return slept;
    }
    if (cancellation_.cancelled()) co_return cancellation_.reason();
    seen_.out_of_order |= seen_.finishes > 0 || event.has_route() != seen_.routes.empty();
    if (event.has_route()) seen_.routes.push_back(event.route());
    if (event.has_delta()) seen_.text += event.delta().content();
    if (event.has_finish()) ++seen_.finishes, seen_.finish = event.finish().reason();
    co_return absl::OkStatus();
  }

 private:
  Executor executor_;
  Clock& clock_;
  const SimRequest& request_;
  SimSeen& seen_;
  Cancellation& cancellation_;
};

}  // namespace headgate::router
