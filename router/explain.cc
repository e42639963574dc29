// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Explain runs the very stages of the path (router.cc) up to the decision, but sends and counts nothing; GetState is
// the router's state as an operator wants to see it. Findings are types and offsets, never values.
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "router/contingency.h"
#include "router/router.h"
#include "router/router_exchange.h"

namespace headgate::router {
namespace {

// Adds one stage and how long it took.
class StageLog {
 public:
  StageLog(const Clock& clock, v1::ExplainResponse& response) : clock_(clock), response_(response) {}
  v1::StageFinding& Add(const std::string& stage, const absl::Status& outcome = absl::OkStatus()) {
    v1::StageFinding& finding = *response_.add_stages();
    finding.set_stage(stage);
    finding.set_outcome(outcome.ok() ? "ok"
                                     : absl::StrCat(absl::StatusCodeToString(outcome.code()), ": ", outcome.message()));
    const MonotonicTime now = clock_.Monotonic();
    finding.set_duration_us(absl::ToDoubleMicroseconds(now - last_));
    last_ = now;
    return finding;
  }

 private:
  const Clock& clock_;
  v1::ExplainResponse& response_;
  MonotonicTime last_ = clock_.Monotonic();
};

// False: the input filter blocks it.
bool Describe(const Screened& screened, const Prompt& prompt, v1::StageFinding& stage, v1::ExplainResponse& response) {
  stage.add_details(absl::StrCat(screened.fields.size(), " texts, ", prompt.text_bytes(), " bytes"));
  for (const std::string& reason : screened.not_inspectable) stage.add_details(reason);
  for (const v1::Finding& attack : AttackFindings(screened)) *response.add_findings() = attack;
  const absl::Status filtered = CheckInputFilter(screened);
  if (filtered.ok()) return true;
  stage.set_outcome(absl::StrCat(absl::StatusCodeToString(filtered.code()), ": ", filtered.message()));
  return false;
}

void Describe(const Sensitivity& sensitivity, v1::StageFinding& stage) {
  stage.add_details(absl::StrCat("state ", std::string(Name(sensitivity.state))));
  stage.add_details(absl::StrCat("sensitive ", sensitivity.sensitive() ? "yes" : "no"));
}

void Describe(const Decision& decision, v1::Route& route) {
  route.set_target(decision.target == Target::kCloud ? v1::Route::TARGET_CLOUD : v1::Route::TARGET_LOCAL);
  for (const std::string& reason : decision.reasons) route.add_reasons(reason);
}

Ticket TicketOf(std::shared_ptr<const TenantConfig> tenant, v1::SensitivityLevel declared) {
  return {.request_id = "explain",
          .api = "explain",
          .tenant = std::move(tenant),
          .declared_sensitivity = declared,
          .received = {},
          .deadline = {},
          .in_flight = InFlight(std::make_shared<int64_t>(0))};
}

// Where it would be sent. `engine`: null when none is ready.
void Describe(const Decision& decision, const CloudConfig& cloud, bool engines_out, const Endpoint* engine,
              v1::Route& route, v1::StageFinding& dispatch) {
  if (decision.target == Target::kCloud) {
    route.set_endpoint(cloud.name);
    route.set_model(cloud.model);
  } else if (engines_out) {
    dispatch.add_details("no engine is there: it would wait until its deadline and be refused");
  } else if (engine != nullptr) {
    route.set_endpoint(engine->name);
    route.set_model(engine->load.model());
  } else {
    dispatch.add_details("no engine is ready");
  }
  dispatch.add_details("nothing was sent");
}

}  // namespace

Task<absl::StatusOr<std::optional<Sensitivity>>> Router::CleanRest(const Exchange& x, const Prompt& prompt,
                                                                   const Sensitivity& sensitivity,
                                                                   Cancellation& cancellation) {
  std::optional<Sensitivity> rest;
  const auto masked = Masking::Mask(*x.ticket->tenant, prompt, sensitivity);
  if (!masked) co_return rest;
  auto inspected = co_await Inspect(x, masked->prompt, cancellation);
  if (!inspected.ok()) co_return inspected.status();
  const bool clean = !inspected->sensitivity.sensitive() && !Masking::Remains(masked->values, inspected->screened);
  if (clean) rest = std::move(inspected->sensitivity);
  co_return rest;
}

Task<absl::StatusOr<v1::ExplainResponse>> Router::Explain(const v1::ExplainRequest& request,
                                                          Cancellation& cancellation) {
  // Admin calls are audited; when that fails nothing is shown.
  if (absl::Status audited = RecordAdmin("explain"); !audited.ok()) co_return audited;
  const RequestHead head;
  Exchange x(head, rules_);
  const RouterConfig& config = x.rules->config;
  if (!request.profile().empty() && !ProfileOf(request.profile())) {
    co_return absl::InvalidArgumentError("profile: use one of none, cloud_outage, no_local");
  }
  const Prompt prompt(request.request());
  v1::ExplainResponse response;
  StageLog stages(parts_.clock, response);

  auto tenant = admission_.TenantByName(request.tenant().empty() ? "default" : request.tenant());
  if (!tenant.ok()) co_return tenant.status();
  x.ticket.emplace(TicketOf(*tenant, prompt.content().declared_sensitivity()));
  const absl::Status valid = ValidateRequest(prompt.content(), config.limits);
  stages.Add("admission", valid).add_details(absl::StrCat("tenant ", (*tenant)->name));
  if (!valid.ok()) co_return response;

  // Large ones beside the serving thread, as in Generate. The stage's time is that of screening and classification.
  auto inspected = co_await Inspect(x, prompt, cancellation);
  if (!inspected.ok()) co_return inspected.status();
  const Screened& screened = inspected->screened;
  if (!Describe(screened, prompt, stages.Add("screening"), response)) co_return response;

  Sensitivity& sensitivity = inspected->sensitivity;
  Describe(sensitivity, stages.Add("classification"));

  stages.Add("conversation").add_details(
      absl::StrCat("known ", std::string(Name(conversation_.Recall(**tenant, prompt, sensitivity)))));
  for (const v1::Finding& finding : sensitivity.findings) *response.add_findings() = finding;
  auto clean = co_await CleanRest(x, prompt, sensitivity, cancellation);
  if (!clean.ok()) co_return clean.status();
  const std::optional<Sensitivity>& rest = *clean;
  stages.Add("masking").add_details(rest ? "values may be masked" : "nothing is masked");

  stages.Add("cache").add_details(cache_.Cacheable(*x.ticket, prompt, sensitivity) ? "cacheable" : "not cacheable");

  const size_t cloud = ChooseCloud(config, (*tenant)->name, request.request().priority());
  FleetSnapshot fleet = Fleet(prompt, cloud);
  fleet.filter_keeps_local = FilterKeepsLocal(screened);
  if (!request.profile().empty()) fleet.profile = ProfileOf(request.profile());
  const bool engines_out = fleet.profile.value_or(config.policy.profile) == PolicyConfig::Profile::kNoLocal;
  Load load = meter_.Peek();
  load.quote = quotes_
                   .For((*tenant)->name,
                        AskFor((*tenant)->name, prompt, rest ? rest->sensitive() : sensitivity.sensitive(), cloud))
                   .quote;
  const auto decide = [&](const Sensitivity& judged) {
    return x.rules->policy.Decide("explain", **tenant, judged, load, fleet,
                                  accounting_.budgets().Look((*tenant)->name, 0));
  };
  Decision decision = decide(rest ? *rest : sensitivity);
  if (rest && decision.target == Target::kCloud) decision.reasons.emplace_back("masked");
  if (rest && decision.target != Target::kCloud) decision = decide(sensitivity);
  v1::StageFinding& policy = stages.Add("policy");
  policy.add_details(absl::StrCat("eligible requests per second ", load.eligible_qps));
  for (const std::string& reason : decision.reasons) policy.add_details(reason);

  v1::Route& route = *response.mutable_route();
  Describe(decision, route);
  route.set_sensitivity(sensitivity.level);
  const LocalAsk ask{sensitivity.sensitive(), 0, {}, parts_.endpoints.ModelNamed(prompt.content().model())};
  const auto engine = parts_.endpoints.Pick(ask, {});
  Describe(decision, CloudNumber(config, cloud), engines_out, engine.get(), route, stages.Add("dispatch"));
  co_return response;
}

v1::GetStateResponse Router::GetState() const {
  v1::GetStateResponse state;
  const RouterConfig& config = rules_->config;
  const Load load = meter_.Peek();
  state.set_config_version(config.version);
  state.set_policy_mode(config.policy.mode == PolicyConfig::Mode::kSwitch ? "switch"
                        : config.policy.mode == PolicyConfig::Mode::kCost ? "cost"
                                                                          : "overflow");
  state.set_cloud_qps_threshold(config.policy.cloud_qps_threshold);
  state.set_eligible_qps(load.eligible_qps);
  state.set_peak(load.peak);
  state.set_cloud_configured(parts_.cloud != nullptr);
  state.set_cloud_breaker(std::string(dispatch_.breaker().state()));
  for (const auto& cloud : dispatch_.Clouds()) {
    v1::CloudState& out = *state.add_clouds();
    out.set_name(cloud.name);
    out.set_breaker(cloud.breaker);
    out.set_opened_by(cloud.opened_by);
  }
  state.set_in_flight(static_cast<int32_t>(admission_.in_flight()));
  state.set_profile(ProfileName(Profile()));
  state.set_draining(admission_.draining());
  state.set_audit_writable(parts_.audit.writable());
  const MonotonicTime now = parts_.clock.Monotonic();
  for (const auto& endpoint : parts_.endpoints.endpoints()) {
    v1::EndpointState& out = *state.add_endpoints();
    const bool reported = endpoint->load_at > -absl::InfiniteDuration();
    out.set_name(endpoint->name);
    out.set_address(endpoint->address);
    out.set_load_age_seconds(reported ? absl::ToDoubleSeconds(now - endpoint->load_at) : -1);
    out.set_ready(reported && now - endpoint->load_at <= config.local.load_age_max && !endpoint->load.draining() &&
                  !endpoint->gone && endpoint->retry_at <= now);
    out.set_draining(endpoint->load.draining());
    out.set_waiting(endpoint->load.waiting());
    out.set_running(endpoint->load.running());
    out.set_in_flight(static_cast<int32_t>(endpoint->in_flight));
  }
  return state;
}

}  // namespace headgate::router
