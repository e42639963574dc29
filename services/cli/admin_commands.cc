// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// explain, state, drain: the admin plane.
#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "headgate/v1/router.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"
#include "services/router/openai_request.h"

namespace headgate::services {
namespace {

constexpr char kAdminAddress[] = "127.0.0.1:8082";
constexpr absl::Duration kTimeout = absl::Seconds(10);

struct ExplainOptions {
  RouterConnection router;
  std::vector<std::string> words;
  std::string tenant;
  std::string sensitivity;
};

// Standard input that begins with `{` is an OpenAI chat request, anything else a question.
absl::StatusOr<v1::GenerateRequest> ReadRequest(const std::vector<std::string>& words) {
  const std::string text = words.empty() ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                         : absl::StrJoin(words, " ");
  if (words.empty() && absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{")) {
    auto parsed = ParseChatRequest(text);
    if (!parsed.ok()) return parsed.status();
    return parsed->content;
  }
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  return request;
}

void Print(const v1::ExplainResponse& response) {
  const v1::Route& route = response.route();
  const bool decided = route.target() != v1::Route::TARGET_UNSPECIFIED;
  std::cout << "route        " << (!decided ? "none" : route.target() == v1::Route::TARGET_CLOUD ? "cloud" : "local")
            << " " << route.endpoint() << " " << route.model() << "\n"
            << "sensitivity  " << SensitivityName(route.sensitivity()) << "\n"
            << "reasons      " << absl::StrJoin(route.reasons(), ", ") << "\n\nstages\n";
  for (const v1::StageFinding& stage : response.stages()) {
    std::cout << absl::StreamFormat("  %-15s %-18s %8.0f us  %s\n", stage.stage(), stage.outcome(), stage.duration_us(),
                                    absl::StrJoin(stage.details(), "; "));
  }
  std::cout << "\nfindings (types and byte offsets, never values)\n";
  for (const v1::Finding& finding : response.findings()) {
    std::cout << absl::StreamFormat("  %-24s %-13s score %.2f  %s [%d, %d)\n", finding.type(),
                                    std::string(SensitivityName(finding.level())), finding.score(), finding.field(),
                                    finding.begin(), finding.end());
  }
  if (response.findings().empty()) std::cout << "  none\n";
}

int Explain(const ExplainOptions& options) {
  auto channel = options.router.Connect();
  if (!channel.ok()) return Fail(channel.status());
  v1::ExplainRequest request;
  request.set_tenant(options.tenant);
  auto content = ReadRequest(options.words);
  if (!content.ok()) return Fail(content.status());
  *request.mutable_request() = *std::move(content);
  if (!options.sensitivity.empty()) {
    const auto level = ParseSensitivity(options.sensitivity);
    if (!level.ok()) return Fail(level.status());
    request.mutable_request()->set_declared_sensitivity(*level);
  }
  grpc::ClientContext context;
  options.router.Prepare(context, kTimeout);
  v1::ExplainResponse response;
  const grpc::Status status = v1::Router::NewStub(*channel)->Explain(&context, request, &response);
  if (!status.ok()) return Fail(status);
  Print(response);
  return 0;
}

int State(const RouterConnection& router) {
  auto channel = router.Connect();
  if (!channel.ok()) return Fail(channel.status());
  grpc::ClientContext context;
  router.Prepare(context, kTimeout);
  v1::GetStateResponse state;
  const grpc::Status status = v1::Router::NewStub(*channel)->GetState(&context, v1::GetStateRequest(), &state);
  if (!status.ok()) return Fail(status);
  const auto yes_no = [](bool value) { return value ? "yes" : "no"; };
  std::cout << absl::StreamFormat("configuration  %s\npolicy         %s, %g requests/s to the cloud at most%s\n",
                                  state.config_version(), state.policy_mode(), state.cloud_qps_threshold(),
                                  state.peak() ? ", at peak" : "");
  if (state.profile() != "none") std::cout << "profile        " << state.profile() << ", declared by the operator\n";
  std::cout << absl::StreamFormat("eligible       %.1f requests/s\nin flight      %d\ndraining       %s\n",
                                  state.eligible_qps(), state.in_flight(), yes_no(state.draining()));
  for (const v1::CloudState& cloud : state.clouds()) {
    std::cout << "cloud          " << cloud.name() << ", breaker " << cloud.breaker()
              << (cloud.opened_by().empty() ? "" : absl::StrCat(", opened by: ", cloud.opened_by())) << "\n";
  }
  if (state.clouds().empty()) std::cout << "cloud          not configured\n";
  std::cout << "audit          " << (state.audit_writable() ? "writable" : "NOT WRITABLE: nothing goes to the cloud")
            << "\nendpoints\n";
  for (const v1::EndpointState& endpoint : state.endpoints()) {
    std::cout << absl::StreamFormat("  %-20s %-22s ready %-3s draining %-3s load %.1f s old, waiting %d, running %d, "
                                    "in flight %d\n",
                                    endpoint.name(), endpoint.address(), yes_no(endpoint.ready()),
                                    yes_no(endpoint.draining()), endpoint.load_age_seconds(), endpoint.waiting(),
                                    endpoint.running(), endpoint.in_flight());
  }
  if (state.endpoints().empty()) std::cout << "  none\n";
  return 0;
}

int Drain(const RouterConnection& router) {
  auto channel = router.Connect();
  if (!channel.ok()) return Fail(channel.status());
  grpc::ClientContext context;
  router.Prepare(context, kTimeout);
  v1::DrainResponse response;
  const grpc::Status status = v1::Router::NewStub(*channel)->Drain(&context, v1::DrainRequest(), &response);
  if (!status.ok()) return Fail(status);
  std::cout << "draining, " << response.in_flight() << " requests in flight\n";
  return 0;
}

}  // namespace

void AddExplainCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("explain", "Say where a request would go and why, without sending it");
  const auto options = std::make_shared<ExplainOptions>();
  options->router.AddOptions(*command, kAdminAddress);
  command->add_option("text", options->words,
                      "The question; without it, standard input: text, or an OpenAI chat request");
  command->add_option("--tenant", options->tenant, "Decide as for this tenant; empty = the default tenant");
  command->add_option("--sensitivity", options->sensitivity, "Declare: public | internal | confidential | restricted");
  command->callback([options, &exit_code] { exit_code = Explain(*options); });
}

void AddStateCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("state", "Show the router's state: policy, cloud, engines, audit");
  const auto router = std::make_shared<RouterConnection>();
  router->AddOptions(*command, kAdminAddress);
  command->callback([router, &exit_code] { exit_code = State(*router); });
}

void AddDrainCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("drain", "Take no new requests, finish the accepted ones; the process stays");
  const auto router = std::make_shared<RouterConnection>();
  router->AddOptions(*command, kAdminAddress);
  command->callback([router, &exit_code] { exit_code = Drain(*router); });
}

}  // namespace headgate::services
