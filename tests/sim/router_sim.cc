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
#include "router/upstream/upstream_error.h"
#include "tests/sim/sim_router.h"

namespace headgate::router {
namespace {

using absl::Milliseconds;
using absl::Seconds;

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
      : plan_(plan), dice_(plan.seed ^ 0x5eed), rules_(std::move(rules)), reloaded_(std::move(reloaded)) {
    trace_.seen.resize(plan.requests.size());
    trace_.audit_key = std::string(32, 'k');
    away_.resize(static_cast<size_t>(plan.engines));
    stalled_.resize(static_cast<size_t>(plan.engines));
    Name();
    for (int i = 0; i < plan.routers; ++i) {
      routers_.push_back(std::make_unique<SimRouter>(
          world_, i, [this](const CloudPrompt& prompt, size_t lines) { return CloudScript(prompt, lines); }));
      routers_.back()->Start(rules_);
    }
    clock_.RunUntilIdle();
    for (int i = 0; i < plan.engines; ++i) {
      const auto places = static_cast<int>(1 + dice_.Below(8));
      trace_.open_places += places;
      engine(i).set_running_max(places);
      engine(i).set_answerer(
          [this, i](const Prompt& prompt, const CallOptions& call) { return LocalScript(prompt, call, i); });
      engine(i).set_courier([this](std::function<void()> deliver) { Deliver(std::move(deliver)); });
      engine(i).ReportLoad(Milliseconds(100));
    }
    const double share = std::min(plan.config.local.reserved_share, plan.reloaded.local.reserved_share);
    const auto reserve = static_cast<int64_t>(std::ceil(share * static_cast<double>(trace_.open_places) - 1e-9));
    // Without a reserve an engine's own queue is open too.
    trace_.open_places = share > 0 ? trace_.open_places - std::min(reserve, trace_.open_places - 1) : 1'000'000;
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
    reports_.clear();
    clock_.RunUntilIdle();
    trace_.leftovers += fleet_.live_streams();
    for (const auto& one : routers_) one->CountLeftovers();
    for (const auto& one : routers_) one->Stop();
    clock_.RunUntilIdle();
    if (plan_.shares) clock_.Advance(Seconds(1));  // the last exchanges
    routers_.clear();
    trace_.leftovers += static_cast<int>(clock_.timers());
    return trace_;
  }

 private:
  FakeEngine& engine(int number) { return fleet_.engine(absl::StrCat(SimEngineAddress(number), ":8090")); }

  void At(absl::Duration when, std::function<void()> call) {
    events_.push_back(clock_.CallAt(start_ + when, std::move(call)));
  }

  void Schedule() {
    for (const SimPlan::Spell& spell : plan_.audit_fails) {
      At(spell.begin, [this] { world_.audit_broken = true; });
      At(spell.end, [this] { world_.audit_broken = false; });
    }
    for (const SimPlan::EngineSpell& spell : plan_.engine_fails) {
      using Fault = SimPlan::EngineSpell::Fault;
      At(spell.begin, [this, spell] {
        if (spell.fault == Fault::kStalled) return void(++stalled_[static_cast<size_t>(spell.engine)]);
        if (spell.fault == Fault::kDead) engine(spell.engine).Kill();
        engine(spell.engine).StopReporting();
      });
      At(spell.end, [this, spell] {
        if (spell.fault == Fault::kStalled) return void(--stalled_[static_cast<size_t>(spell.engine)]);
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
        world_.store_fault = &spell;
        if (spell.fault != SimPlan::StoreSpell::Fault::kForgets) return;
        world_.leases.rates.clear(), world_.leases.held.clear(), world_.leases.caps.clear();
        world_.shared_answers.clear();
      });
      At(spell.end, [this] { world_.store_fault = nullptr; });
    }
    for (const SimPlan::Step& step : plan_.clock_steps) {
      At(step.at, [this, step] { clock_.JumpWall(step.by); });
    }
    ScheduleChange();
    At(plan_.reload_at, [this] {
      rules_ = reloaded_;
      Everywhere([this](Router& router) { router.Apply(reloaded_); });
    });
    At(plan_.drain_at, [this] { Everywhere([](Router& router) { router.Drain(); }); });
  }

  void ScheduleChange() {
    for (const SimPlan::EngineSpell& spell : plan_.engine_away) {
      At(spell.begin, [this, spell] {
        ++away_[static_cast<size_t>(spell.engine)];
        Name();
        if (spell.fault == SimPlan::EngineSpell::Fault::kDead) engine(spell.engine).Kill();
      });
      At(spell.end, [this, spell] {
        --away_[static_cast<size_t>(spell.engine)];
        Name();
        engine(spell.engine).Start();
        engine(spell.engine).ReportLoad(Milliseconds(100));
      });
    }
    for (const SimPlan::Crash& crash : plan_.crashes) {
      SimRouter& one = *routers_[static_cast<size_t>(crash.router)];
      At(crash.begin, [&one] { one.Crash(); });
      At(crash.end, [this, &one] {
        if (one.router() == nullptr) one.Start(rules_);
      });
    }
    for (const SimPlan::Declared& declared : plan_.profiles) {
      At(declared.at, [this, &declared] {
        v1::SetProfileRequest request;
        request.set_profile(declared.profile);
        Everywhere([&request](Router& router) { (void)router.SetProfile(request); });
      });
    }
  }

  void Everywhere(const std::function<void(Router&)>& call) {
    for (const auto& one : routers_) {
      if (one->router() != nullptr) call(*one->router());
    }
  }

  // What the engines' name resolves to.
  void Name() {
    std::vector<std::string> there;
    for (int i = 0; i < plan_.engines; ++i) {
      if (away_[static_cast<size_t>(i)] == 0) there.push_back(SimEngineAddress(i));
    }
    fleet_.SetName(kSimEngineName, there);
  }

  // A load report: at once, or late, perhaps behind a later one, perhaps twice.
  void Deliver(std::function<void()> deliver) {
    if (!dice_.Chance(plan_.reports_disordered)) return deliver();
    for (uint64_t times = 1 + dice_.Below(2); times > 0; --times) {
      reports_.push_back(clock_.CallAt(clock_.Monotonic() + Milliseconds(dice_.Below(400)), deliver));
    }
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
    SimRouter& target = *routers_[static_cast<size_t>(request.router)];
    absl::Status status = absl::UnavailableError("nobody is there");
    seen.crashed = true;
    if (Router* router = target.router()) {
      const auto leave = target.Enter(cancellation);
      status = co_await Ask(*router, request, head, seen, cancellation);
      seen.crashed = leave();
    }
    ++seen.ends;
    seen.status = status;
    seen.ended = clock_.Monotonic() - start_;
    ++ended_;
  }

  Task<absl::Status> Ask(Router& router, const SimRequest& request, const RequestHead& head, SimSeen& seen,
                         Cancellation& cancellation) {
    if (request.api == SimRequest::Api::kCountTokens) {
      v1::CountTokensRequest count;
      *count.mutable_messages() = request.content.messages();
      auto counted = co_await router.CountTokens(head, count, cancellation);
      co_return counted.status();
    }
    if (request.api == SimRequest::Api::kEmbed) {
      v1::EmbedRequest embed;
      embed.add_input(request.content.messages(0).content());
      auto embedded = co_await router.Embed(head, embed, cancellation);
      co_return embedded.status();
    }
    const Prompt prompt(request.content);
    SimSink sink(io_.get_executor(), clock_, request, seen, cancellation);
    const absl::Status status = co_await router.Generate(head, prompt, sink, cancellation);
    co_return status;
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

  Script LocalScript(const Prompt& prompt, const CallOptions& call, int number) {
    std::string marker;
    prompt.ForEachText([&](const std::string&, std::string_view text) {
      if (marker.empty()) marker = FindMarker(std::string(text));
    });
    int64_t all = 0;
    for (const auto& one : routers_) {
      trace_.open_at_engines_max = std::max(trace_.open_at_engines_max, one->open_in_flight());
      all += one->open_in_flight();
    }
    trace_.open_of_all_max = std::max(trace_.open_of_all_max, all);
    trace_.local_first.try_emplace(call.request_id, trace_.cloud.size());
    for (const SimRequest& request : plan_.requests) {
      if (request.id == call.request_id && request.marker != marker) trace_.engine_mixups.push_back(request.id);
    }
    trace_.moved += trace_.stalled.contains(call.request_id);
    if (stalled_[static_cast<size_t>(number)] > 0) {
      trace_.stalled.insert(call.request_id);
      return Script::StallAfter({});
    }
    const std::vector<std::string> answer = SimAnswer(marker, "local");
    if (!dice_.Chance(plan_.engine_faults)) return Paced(Script::Answer(answer));
    return Paced(Trouble(answer, {absl::UnavailableError("gone"), absl::ResourceExhaustedError("queue full")}));
  }

  Script CloudScript(const CloudPrompt& prompt, size_t lines_before) {
    trace_.cloud.push_back({prompt.content().SerializeAsString(), clock_.Monotonic(), lines_before});
    int64_t in_flight = 1;
    for (const auto& one : routers_) in_flight += one->cloud_in_flight();
    trace_.cloud_in_flight_max = std::max(trace_.cloud_in_flight_max, in_flight);
    std::vector<std::string> answer = SimAnswer(FindMarker(trace_.cloud.back().content), "cloud");
    if (trace_.cloud.back().content.find(kSimPlaceholder) != std::string::npos) {
      ++trace_.masked;
      for (const char* piece : {"<EMA", "IL_1>"}) answer.push_back(piece);
    }
    if (prompt.content().response_format().type() == v1::ResponseFormat::TYPE_JSON_OBJECT && dice_.Chance(0.3)) {
      ++trace_.blank;
      ++trace_.lost[FindMarker(trace_.cloud.back().content)];
      return Paced(Script::Answer({}));
    }
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
  FakeFleet fleet_{io_.get_executor(), clock_};
  SimWorld world_{plan_, io_, clock_, fleet_, trace_};
  int storms_ = 0;
  std::vector<int> away_, stalled_;  // by engine: spells that keep it out of the name; that keep it from answering
  std::shared_ptr<const Rules> rules_, reloaded_;
  std::vector<std::unique_ptr<SimRouter>> routers_;
  std::vector<std::unique_ptr<Timer>> events_, reports_;
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
