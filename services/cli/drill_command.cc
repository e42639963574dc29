// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// drill: rehearses a contingency: what would happen to these requests if the cloud, or the engines, were out. Against a
// running router it asks what each would do, and sends nothing; against a configuration file the same decision is made
// here, with everything else taken as well. --declare makes it so, with an audit record.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "headgate/v1/router.grpc.pb.h"
#include "router/contingency.h"
#include "router/router.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"
#include "services/router/openai_request.h"

namespace headgate::services {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr size_t kRequestsMax = 1000;

struct DrillOptions {
  RouterConnection router;
  std::string config;
  std::string profile;
  std::string requests;  // a file: one OpenAI chat request a line
  std::string tenant;
  bool declare = false;
};

struct Probe {
  std::string name;
  v1::GenerateRequest request;
};

v1::GenerateRequest Says(const std::string& text) {
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  return request;
}

// Without a file: one of each kind that a profile treats differently.
std::vector<Probe> UsualProbes() {
  std::vector<Probe> probes = {{"everyday", Says("Why is the sky blue?")},
                               {"batch", Says("Why is the sky blue?")},
                               {"sensitive", Says("Why is the sky blue?")}};
  probes[1].request.set_priority(v1::PRIORITY_BATCH);
  probes[2].request.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
  return probes;
}

absl::StatusOr<std::vector<Probe>> ReadProbes(const std::string& path) {
  if (path.empty()) return UsualProbes();
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("--requests: cannot open ", path));
  std::vector<Probe> probes;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    if (probes.size() == kRequestsMax) return absl::InvalidArgumentError("--requests: at most 1000 requests");
    auto parsed = ParseChatRequest(line);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", std::string(parsed.status().message())));
    }
    probes.push_back({absl::StrCat("line ", number), std::move(parsed->content)});
  }
  if (probes.empty()) return absl::InvalidArgumentError("--requests: the file holds no request");
  return probes;
}

// Where one request goes, and why.
struct Outcome {
  std::string target = "none";  // cloud | local | refused
  std::string where;
  std::string reasons;
};

// Who can say it: a router, or a configuration.
class Oracle {
 public:
  virtual ~Oracle() = default;
  virtual absl::StatusOr<Outcome> Ask(const v1::GenerateRequest& request, const std::string& profile) = 0;
};

class RunningRouter : public Oracle {
 public:
  RunningRouter(const DrillOptions& options, std::unique_ptr<v1::Router::Stub> stub)
      : options_(options), stub_(std::move(stub)) {}
  absl::StatusOr<Outcome> Ask(const v1::GenerateRequest& request, const std::string& profile) override {
    v1::ExplainRequest explain;
    *explain.mutable_request() = request;
    explain.set_tenant(options_.tenant);
    explain.set_profile(profile);
    grpc::ClientContext context;
    options_.router.Prepare(context, kTimeout);
    v1::ExplainResponse response;
    const grpc::Status status = stub_->Explain(&context, explain, &response);
    if (!status.ok()) {
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    }
    Outcome outcome;
    const v1::Route& route = response.route();
    if (route.target() == v1::Route::TARGET_CLOUD) outcome.target = "cloud";
    if (route.target() == v1::Route::TARGET_LOCAL) outcome.target = route.endpoint().empty() ? "waits" : "local";
    outcome.where = route.endpoint();
    outcome.reasons = absl::StrJoin(route.reasons(), ",");
    return outcome;
  }

 private:
  const DrillOptions& options_;
  std::unique_ptr<v1::Router::Stub> stub_;
};

class FromConfig : public Oracle {
 public:
  static absl::StatusOr<std::unique_ptr<Oracle>> Make(const DrillOptions& options) {
    ASSIGN_OR_RETURN(router::RouterConfig config, router::LoadRouterConfig(options.config));
    auto made = std::make_unique<FromConfig>();
    const std::string wanted = options.tenant.empty() ? "default" : options.tenant;
    const auto tenant = std::find_if(config.tenants.begin(), config.tenants.end(),
                                     [&](const router::TenantConfig& one) { return one.name == wanted; });
    if (tenant == config.tenants.end()) {
      return absl::NotFoundError(absl::StrCat("--tenant: there is no tenant `", wanted, "`"));
    }
    made->tenant_ = *tenant;
    ASSIGN_OR_RETURN(made->rules_, router::Rules::Make(std::move(config)));
    return std::unique_ptr<Oracle>(std::move(made));
  }
  absl::StatusOr<Outcome> Ask(const v1::GenerateRequest& request, const std::string& profile) override {
    const router::RouterConfig& config = rules_->config;
    const router::Prompt prompt(request);
    const router::Sensitivity sensitivity =
        rules_->classification->Classify(request.declared_sensitivity(), tenant_, rules_->screening.Screen(prompt));
    // Everything that the profile does not speak of is well.
    router::Load load;
    load.cloud_rate_conforms = config.policy.cloud_qps_threshold > 0;
    router::FleetSnapshot fleet;
    fleet.cloud_configured = fleet.cloud_available = config.cloud.enabled;
    fleet.audit_writable = true;
    fleet.local_ready = 1;
    fleet.cloud_can_answer = router::CloudCanAnswer(prompt);
    if (!profile.empty()) fleet.profile = router::ProfileOf(profile);
    const bool engines_out =
        fleet.profile.value_or(config.policy.profile) == router::PolicyConfig::Profile::kNoLocal;
    const router::Decision decision = rules_->policy.Decide("drill", tenant_, sensitivity, load, fleet);
    const router::CloudConfig& cloud =
        router::CloudNumber(config, router::ChooseCloud(config, tenant_.name, request.priority()));
    Outcome outcome;
    const bool leaves = decision.target == router::Target::kCloud;
    outcome.target = leaves ? "cloud" : engines_out ? "waits" : "local";
    outcome.where = leaves ? cloud.name : "";
    outcome.reasons = absl::StrJoin(decision.reasons, ",");
    return outcome;
  }

 private:
  std::shared_ptr<const router::Rules> rules_;
  router::TenantConfig tenant_;
};

std::string Shown(const Outcome& outcome) {
  return absl::StrCat(outcome.target, outcome.where.empty() ? "" : " ", outcome.where, " (", outcome.reasons, ")");
}

void Explain(const std::string& profile) {
  if (profile == "cloud_outage") {
    std::cout << "cloud_outage: nothing goes to the cloud. Engines take what they can; the rest waits in the queue by\n"
                 "band (sensitive, interactive, batch), batch is refused first, with a retry-after.\n\n";
  } else if (profile == "no_local") {
    std::cout << "no_local: what may leave goes to the cloud, up to its cap and within budgets. What is sensitive\n"
                 "waits for an engine until its deadline and is then refused: it never leaves.\n\n";
  }
}

// What there is to carry it, as the router sees it now.
int PrintCapacity(const DrillOptions& options, v1::Router::Stub& stub) {
  grpc::ClientContext context;
  options.router.Prepare(context, kTimeout);
  v1::GetStateResponse state;
  const grpc::Status status = stub.GetState(&context, v1::GetStateRequest(), &state);
  if (!status.ok()) return Fail(status);
  int ready = 0, under_way = 0;
  for (const v1::EndpointState& endpoint : state.endpoints()) {
    ready += endpoint.ready();
    under_way += endpoint.running() + endpoint.waiting();
  }
  std::cout << absl::StreamFormat(
      "now            profile %s, %.1f requests/s may leave, %d of %d engines ready with %d requests, breaker %s\n",
      state.profile(), state.eligible_qps(), ready, state.endpoints_size(), under_way, state.cloud_breaker());
  return 0;
}

int Declare(const DrillOptions& options, v1::Router::Stub& stub) {
  v1::SetProfileRequest request;
  request.set_profile(options.profile);
  grpc::ClientContext context;
  options.router.Prepare(context, kTimeout);
  v1::SetProfileResponse response;
  const grpc::Status status = stub.SetProfile(&context, request, &response);
  if (!status.ok()) return Fail(status);
  std::cout << "declared       " << response.previous() << " -> " << response.profile() << "\n";
  return 0;
}

int Rehearse(const DrillOptions& options, Oracle& oracle, const std::vector<Probe>& probes) {
  Explain(options.profile);
  std::map<std::string, int> moves;
  bool leak = false;
  for (const Probe& probe : probes) {
    const auto now = oracle.Ask(probe.request, "");
    if (!now.ok()) return Fail(now.status());
    const auto then = oracle.Ask(probe.request, options.profile);
    if (!then.ok()) return Fail(then.status());
    ++moves[absl::StrCat(now->target, " -> ", then->target)];
    leak |= then->target == "cloud" && now->reasons == "sensitive";
    std::cout << absl::StreamFormat("%-14s %s -> %s\n", probe.name, Shown(*now), Shown(*then));
  }
  std::cout << "\n";
  for (const auto& [move, count] : moves) std::cout << absl::StreamFormat("%6d  %s\n", count, move);
  // Cannot be; if it ever is, nobody should have to notice by reading.
  if (leak) return Fail(absl::InternalError("a sensitive request would leave"));
  return 0;
}

int Drill(const DrillOptions& options) {
  if (!router::ProfileOf(options.profile)) {
    return Fail(absl::InvalidArgumentError("--profile: use one of none, cloud_outage, no_local"));
  }
  const auto probes = ReadProbes(options.requests);
  if (!probes.ok()) return Fail(probes.status());
  if (!options.config.empty()) {
    if (options.declare) return Fail(absl::InvalidArgumentError("--declare needs a running router, not --config"));
    auto oracle = FromConfig::Make(options);
    if (!oracle.ok()) return Fail(oracle.status());
    return Rehearse(options, **oracle, *probes);
  }
  auto channel = options.router.Connect();
  if (!channel.ok()) return Fail(channel.status());
  const auto stub = v1::Router::NewStub(*channel);
  if (options.declare) return Declare(options, *stub);
  RunningRouter oracle(options, v1::Router::NewStub(*channel));
  if (const int failed = Rehearse(options, oracle, *probes); failed != 0) return failed;
  return PrintCapacity(options, *stub);
}

}  // namespace

void AddDrillCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("drill", "Rehearse a contingency: what if the cloud, or the engines, were out");
  const auto options = std::make_shared<DrillOptions>();
  options->router.AddOptions(*command, "127.0.0.1:8082");
  command->add_option("--profile", options->profile, "cloud_outage | no_local | none")->required();
  command->add_option("--config", options->config, "Rehearse with this configuration file instead of a router");
  command->add_option("--requests", options->requests,
                      "OpenAI chat requests, one a line; without it, an everyday, a batch and a sensitive one");
  command->add_option("--tenant", options->tenant, "Decide as for this tenant; empty = the default tenant");
  command->add_flag("--declare", options->declare,
                    "Not a rehearsal: the router goes by the profile from now on, audited; `none` ends it");
  command->callback([options, &exit_code] { exit_code = Drill(*options); });
}

}  // namespace headgate::services
