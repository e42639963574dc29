// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/sim/router_sim.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "common/mailbox.h"
#include "router/router.h"
#include "router/upstream/upstream_error.h"
#include "tests/fakes/fake_lease_store.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using absl::Milliseconds;
using absl::Seconds;

class SimStore : public AuditStore {
 public:
  SimStore(Clock& clock, SimTrace& trace, const bool& broken, uint64_t seed)
      : clock_(clock), trace_(trace), broken_(broken), dice_(seed) {}
  ~SimStore() override {
    for (const auto& timer : timers_) timer->reset();
  }
  absl::Status Append(const std::string& line) override {
    trace_.audit.push_back({line, !broken_, clock_.Monotonic()});
    return broken_ ? absl::UnavailableError("no space left") : absl::OkStatus();
  }
  // The medium takes a while, now and then too long.
  void Sync(std::function<void(absl::Status)> done) override {
    const auto took = Milliseconds(dice_.Chance(0.01) ? 3000 : dice_.Below(12));
    auto timer = std::make_shared<std::unique_ptr<Timer>>();
    timers_.push_back(timer);
    *timer = clock_.CallAt(clock_.Monotonic() + took, [this, timer, done, lines = trace_.audit.size()] {
      if (!broken_) trace_.lines_on_medium = std::max(trace_.lines_on_medium, lines);
      done(broken_ ? absl::UnavailableError("input/output error") : absl::OkStatus());
      timer->reset();
    });
  }

 private:
  Clock& clock_;
  SimTrace& trace_;
  const bool& broken_;
  Dice dice_;
  std::vector<std::shared_ptr<std::unique_ptr<Timer>>> timers_;
};

// Redis, as this router sees it: down, slow, deaf after it has acted, or restarted without its memory.
class SimLeases : public LeaseStore {
 public:
  SimLeases(FakeLeases& leases, Executor executor, Clock& clock, const SimPlan::StoreSpell* const& fault)
      : store_(leases, executor, clock, "sim"), executor_(executor), clock_(clock), fault_(fault) {}
  Task<absl::StatusOr<std::vector<double>>> Exchange(std::vector<LeaseAsk> asks, MonotonicTime deadline) override {
    using Fault = SimPlan::StoreSpell::Fault;
    const std::optional<Fault> fault = fault_ == nullptr ? std::nullopt : std::optional<Fault>(fault_->fault);
    if (fault == Fault::kDown) co_return absl::UnavailableError("down");
    Cancellation never;
    if (fault == Fault::kSlow) {
      const absl::Status slept =
          co_await SleepUntil(executor_, clock_, clock_.Monotonic() + Milliseconds(300), never);
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

class BlindDetectors : public Detectors {
 public:
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText&) const override { return std::vector<Detection>(); }
};

// The real detectors, compiled once for all runs: every plan has the same sensitivity rules.
class SharedDetectors : public Detectors {
 public:
  explicit SharedDetectors(std::shared_ptr<const Detectors> detectors) : detectors_(std::move(detectors)) {}
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override {
    return detectors_->Scan(text);
  }

 private:
  const std::shared_ptr<const Detectors> detectors_;
};

std::shared_ptr<const Detectors> RealDetectors(const SensitivityConfig& config) {
  static const std::shared_ptr<const Detectors> made = [&config] {
    auto detectors = MakePatternDetectors(config);
    return detectors.ok() ? *std::move(detectors) : std::unique_ptr<Detectors>();
  }();
  return made;
}

std::shared_ptr<const Rules> MakeRules(const RouterConfig& config, bool blind) {
  auto output_guard = OutputGuard::Make(config.output_guard);
  auto real = RealDetectors(config.sensitivity);
  if (!output_guard.ok() || real == nullptr) return nullptr;
  std::unique_ptr<Detectors> detectors = std::make_unique<SharedDetectors>(std::move(real));
  if (blind) detectors = std::make_unique<BlindDetectors>();
  auto classification = std::make_unique<Classification>(config.sensitivity, std::move(detectors));
  return std::make_shared<const Rules>(Rules{config, Screening(config.limits), std::move(classification),
                                             Policy(config.policy), *std::move(output_guard)});
}

class RouterSim {
 public:
  RouterSim(const SimPlan& plan, std::shared_ptr<const Rules> rules, std::shared_ptr<const Rules> reloaded)
      : plan_(plan), dice_(plan.seed ^ 0x5eed), reloaded_(std::move(reloaded)) {
    trace_.seen.resize(plan.requests.size());
    trace_.audit_key = std::string(32, 'k');
    registry_.emplace(io_.get_executor(), clock_, SeededRandom(plan.seed + 1), plan.config.local, fleet_.connect(),
                      fleet_.resolve(), metrics_);
    boost::asio::co_spawn(io_.get_executor(), registry_->Run(stop_), boost::asio::detached);
    clock_.RunUntilIdle();
    // Every other run waits for the medium before anything leaves.
    AuditConfig audit;
    if (plan.seed % 2 == 0) audit.durability = AuditConfig::Durability::kBeforeEgress;
    waits_for_medium_ = plan.seed % 2 == 0;
    audit_.emplace(clock_, trace_.audit_key, std::make_unique<SimStore>(clock_, trace_, audit_broken_, plan.seed + 3),
                   "sim", metrics_, audit);
    if (plan.shares) {
      SharingConfig sharing;
      sharing.redis = "sim";
      sharing.routers = kSimRouters;
      sharing_.emplace(io_.get_executor(), clock_, sharing, store_, metrics_);
    }
    router_.emplace(RouterParts{io_.get_executor(), clock_, SeededRandom(plan.seed + 2), metrics_, *registry_, &cloud_,
                                *audit_, "cache key",
                                std::vector<CloudUpstream*>(plan.config.clouds.size(), &cloud_),
                                sharing_ ? &*sharing_ : nullptr},
                    std::move(rules));
    if (sharing_) {
      boost::asio::co_spawn(io_.get_executor(), sharing_->Run(stop_), boost::asio::detached);
      clock_.RunUntilIdle();
    }
    for (int i = 0; i < plan.engines; ++i) {
      const auto places = static_cast<int>(1 + dice_.Below(8));
      trace_.open_places += places;
      engine(i).set_running_max(places);
      engine(i).set_answerer(
          [this](const Prompt& prompt, const CallOptions& call) { return LocalScript(prompt, call); });
      engine(i).ReportLoad(Milliseconds(100));
    }
    const double share = std::min(plan.config.local.reserved_share, plan.reloaded.local.reserved_share);
    const auto reserve = static_cast<int64_t>(std::ceil(share * static_cast<double>(trace_.open_places) - 1e-9));
    // Without a reserve an engine's own queue is open too.
    trace_.open_places = share > 0 ? trace_.open_places - std::min(reserve, trace_.open_places - 1) : 1'000'000;
    cloud_.set_answerer([this](const CloudPrompt& prompt) { return CloudScript(prompt); });
    Schedule();
  }

  const SimTrace& Run() {
    std::vector<std::unique_ptr<Cancellation>> clients;
    for (size_t i = 0; i < plan_.requests.size(); ++i) {
      clients.push_back(std::make_unique<Cancellation>());
      boost::asio::co_spawn(io_.get_executor(), Client(plan_.requests[i], trace_.seen[i], *clients.back()),
                            boost::asio::detached);
    }
    const auto all_ended = [this] { return ended_ == plan_.requests.size(); };
    if (!clock_.RunUntil(all_ended, absl::Minutes(10))) {
      // The checker reports them: they end in time or not at all.
      trace_.leftovers += 1000;
      for (auto& client : clients) client->Cancel(absl::AbortedError("hung"));
      if (!clock_.RunUntil(all_ended, absl::Minutes(10))) std::terminate();
    }
    events_.clear();
    for (int i = 0; i < plan_.engines; ++i) engine(i).StopReporting();
    clock_.RunUntilIdle();
    trace_.leftovers += static_cast<int>(router_->in_flight()) + cloud_.live_streams() + fleet_.live_streams();
    for (const auto& endpoint : registry_->endpoints()) trace_.leftovers += static_cast<int>(endpoint->in_flight);
    for (const TenantConfig& tenant : plan_.config.tenants) {
      const double cost = metrics_
                              .GetCounter("headgate_router_cost_micro_units_total",
                                          "Cloud cost in millionths of the currency.",
                                          {{"tenant", tenant.name}, {"currency", kSimCurrency}})
                              .Value();
      trace_.cost[tenant.name] = static_cast<int64_t>(cost);
    }
    router_.reset();  // the chain's end
    audit_.reset();
    stop_.Cancel(absl::CancelledError("end of run"));
    clock_.RunUntilIdle();
    if (sharing_) clock_.Advance(Seconds(1));  // its last exchange
    registry_.reset();  // its loop has ended; the timer of its last wait goes with it
    trace_.leftovers += static_cast<int>(clock_.timers());
    return trace_;
  }

 private:
  FakeEngine& engine(int number) { return fleet_.engine(plan_.config.local.endpoints[number].address); }

  void At(absl::Duration when, std::function<void()> call) {
    events_.push_back(clock_.CallAt(start_ + when, std::move(call)));
  }

  void Schedule() {
    for (const SimPlan::Spell& spell : plan_.audit_fails) {
      At(spell.begin, [this] { audit_broken_ = true; });
      At(spell.end, [this] { audit_broken_ = false; });
    }
    for (const SimPlan::EngineSpell& spell : plan_.engine_fails) {
      At(spell.begin, [this, spell] {
        if (spell.dead) engine(spell.engine).Kill();
        engine(spell.engine).StopReporting();
      });
      At(spell.end, [this, spell] {
        engine(spell.engine).Start();
        engine(spell.engine).ReportLoad(Milliseconds(100));
      });
    }
    for (const SimPlan::Spell& spell : plan_.cloud_storms) {
      At(spell.begin, [this] { ++storms_; });
      At(spell.end, [this] { --storms_; });
    }
    for (const SimPlan::StoreSpell& spell : plan_.store_fails) {
      At(spell.begin, [this, &spell] {
        store_fault_ = &spell;
        if (spell.fault == SimPlan::StoreSpell::Fault::kForgets) leases_.rates.clear(), leases_.held.clear();
      });
      At(spell.end, [this] { store_fault_ = nullptr; });
    }
    for (const SimPlan::Step& step : plan_.clock_steps) {
      At(step.at, [this, step] { clock_.JumpWall(step.by); });
    }
    At(plan_.reload_at, [this] { router_->Apply(reloaded_); });
    At(plan_.drain_at, [this] { router_->Drain(); });
  }

  Task<void> Client(const SimRequest& request, SimSeen& seen, Cancellation& cancellation) {
    Cancellation never;
    absl::Status waited = co_await SleepUntil(io_.get_executor(), clock_, start_ + request.arrives, never);
    RequestHead head;
    head.request_id = request.id;
    head.api = "sim";
    head.api_key = request.api_key;
    head.declared_sensitivity = request.declared_in_head;
    head.received = clock_.Monotonic();
    head.deadline = head.received + request.deadline;
    std::unique_ptr<Timer> leaving;
    if (request.leaves < absl::InfiniteDuration()) {
      leaving = clock_.CallAt(head.received + request.leaves,
                              [&cancellation] { cancellation.Cancel(absl::CancelledError("the client left")); });
    }
    absl::Status status = waited;
    if (request.api == SimRequest::Api::kCountTokens) {
      v1::CountTokensRequest count;
      *count.mutable_messages() = request.content.messages();
      auto counted = co_await router_->CountTokens(head, count, cancellation);
      status = counted.status();
    } else if (request.api == SimRequest::Api::kEmbed) {
      v1::EmbedRequest embed;
      embed.add_input(request.content.messages(0).content());
      auto embedded = co_await router_->Embed(head, embed, cancellation);
      status = embedded.status();
    } else {
      const Prompt prompt(request.content);
      SimSink sink(io_.get_executor(), clock_, request, seen, cancellation);
      status = co_await router_->Generate(head, prompt, sink, cancellation);
    }
    ++seen.ends;
    seen.status = status;
    seen.ended = clock_.Monotonic() - start_;
    ++ended_;
  }

  // Now and then not the answer but trouble, at the start or in the middle.
  Script Trouble(std::vector<std::string> pieces, const std::vector<absl::Status>& failures) {
    pieces.resize(dice_.Chance(0.6) ? 0 : dice_.Below(pieces.size()));
    if (dice_.Chance(0.2)) return Script::StallAfter(pieces);
    if (dice_.Chance(0.1)) return Script::FailAfter(pieces, absl::UnavailableError("truncated"));
    return Script::FailAfter(pieces, dice_.Of(failures));
  }
  Script Paced(Script script) {
    return std::move(script)
        .After(dice_.Between(Milliseconds(1), Milliseconds(dice_.Chance(0.1) ? 2000 : 200)))
        .Every(dice_.Between(Milliseconds(0), Milliseconds(100)));
  }

  Script LocalScript(const Prompt& prompt, const CallOptions& call) {
    std::string marker;
    prompt.ForEachText([&](const std::string&, std::string_view text) {
      if (marker.empty()) marker = FindMarker(std::string(text));
    });
    trace_.open_at_engines_max = std::max(trace_.open_at_engines_max, registry_->open_in_flight());
    trace_.local_first.try_emplace(call.request_id, trace_.cloud.size());
    for (const SimRequest& request : plan_.requests) {
      if (request.id == call.request_id && request.marker != marker) trace_.engine_mixups.push_back(request.id);
    }
    const std::vector<std::string> answer = SimAnswer(marker, "local");
    if (!dice_.Chance(plan_.engine_faults)) return Paced(Script::Answer(answer));
    return Paced(Trouble(answer, {absl::UnavailableError("gone"), absl::ResourceExhaustedError("queue full")}));
  }

  Script CloudScript(const CloudPrompt& prompt) {
    trace_.cloud.push_back({prompt.content().SerializeAsString(), clock_.Monotonic(),
                            waits_for_medium_ ? trace_.lines_on_medium : trace_.audit.size()});
    const std::vector<std::string> answer = SimAnswer(FindMarker(trace_.cloud.back().content), "cloud");
    if (storms_ == 0 && !dice_.Chance(plan_.cloud_faults)) return Paced(Script::Answer(answer));
    std::vector<absl::Status> failures = {
        absl::UnavailableError("503"), absl::UnavailableError("connection reset"),
        absl::ResourceExhaustedError("429"),
        WithConcurrencyLimit(absl::ResourceExhaustedError("429"), 1 + static_cast<int64_t>(dice_.Below(20))),
        WithRetryAfter(absl::ResourceExhaustedError("429"), dice_.Between(Milliseconds(1), Seconds(20)))};
    if (plan_.cloud_rejects) {
      failures.push_back(absl::UnauthenticatedError("401"));
      failures.push_back(WithOtherKey(absl::UnauthenticatedError("401")));
      failures.push_back(absl::FailedPreconditionError("402"));
    }
    if (storms_ > 0) return Paced(Script::Fail(dice_.Of(failures)));
    Script trouble = Paced(Trouble(answer, failures));
    const absl::StatusCode code = trouble.failure.code();
    if (code == absl::StatusCode::kOk || code == absl::StatusCode::kUnavailable) {  // stalled or cut: who knows
      trouble.paid_for = 0;
      ++trace_.lost[FindMarker(trace_.cloud.back().content)];
    }
    return trouble;
  }

  const SimPlan& plan_;
  Dice dice_;
  SimTrace trace_;
  boost::asio::io_context io_;
  ManualClock clock_{io_};
  const MonotonicTime start_ = clock_.Monotonic();
  Metrics metrics_;
  FakeFleet fleet_{io_.get_executor(), clock_};
  FakeCloud cloud_{io_.get_executor(), clock_};
  Cancellation stop_;
  bool audit_broken_ = false;
  bool waits_for_medium_ = false;
  int storms_ = 0;
  const SimPlan::StoreSpell* store_fault_ = nullptr;
  FakeLeases leases_;
  SimLeases store_{leases_, io_.get_executor(), clock_, store_fault_};
  std::optional<SharedLimits> sharing_;
  std::shared_ptr<const Rules> reloaded_;
  std::optional<EndpointRegistry> registry_;
  std::optional<Audit> audit_;
  std::optional<Router> router_;
  std::vector<std::unique_ptr<Timer>> events_;
  size_t ended_ = 0;
};

}  // namespace

SimReport RunRouterSim(const SimOptions& options) {
  SimPlan plan = MakeSimPlan(options.seed, options.requests);
  if (options.blind) {
    for (RouterConfig* config : {&plan.config, &plan.reloaded}) {
      for (TenantConfig& tenant : config->tenants) tenant.sensitivity_floor = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
    }
  }
  auto rules = MakeRules(plan.config, options.blind);
  auto reloaded = MakeRules(plan.reloaded, options.blind);
  if (rules == nullptr || reloaded == nullptr) return SimReport{{"the rules do not compile"}, "", {}};
  RouterSim sim(plan, std::move(rules), std::move(reloaded));
  return Check(plan, sim.Run());
}

}  // namespace headgate::router
