// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/router_metrics.h"

#include <vector>

namespace headgate::router {
namespace {

// Buckets: OpenTelemetry semantic conventions for GenAI.
const std::vector<double> kDurationSeconds = {.01,  .02,  .04,  .08,   .16,   .32,   .64,
                                              1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
const std::vector<double> kFirstTokenSeconds = {.001, .005, .01, .02, .04, .06, .08, .1,
                                                .25,  .5,   .75, 1,   2.5, 5,   7.5, 10};
const std::vector<double> kPerTokenSeconds = {.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5};
const std::vector<double> kTokens = {1,     4,      16,      64,      256,      1024,     4096,
                                     16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};

std::string TargetLabel(const v1::Route& route) {
  switch (route.target()) {
    case v1::Route::TARGET_CLOUD: return "cloud";
    case v1::Route::TARGET_LOCAL: return "local";
    default: return "none";
  }
}

}  // namespace

RouterMetrics::Side RouterMetrics::MakeSide(Metrics& metrics, const std::string& target) {
  const Labels labels = {{"target", target}};
  return {metrics.GetHistogram("gen_ai_server_request_duration_seconds", "Whole request", kDurationSeconds, labels),
          metrics.GetHistogram("gen_ai_server_time_to_first_token_seconds", "Until the first token", kFirstTokenSeconds,
                               labels),
          metrics.GetHistogram("gen_ai_server_time_per_output_token_seconds", "Per token after the first",
                               kPerTokenSeconds, labels),
          metrics.GetHistogram("gen_ai_client_token_usage", "Tokens per request", kTokens,
                               {{"target", target}, {"gen_ai_token_type", "input"}}),
          metrics.GetHistogram("gen_ai_client_token_usage", "Tokens per request", kTokens,
                               {{"target", target}, {"gen_ai_token_type", "output"}})};
}

RouterMetrics::RouterMetrics(Metrics& metrics)
    : metrics_(metrics), local_(MakeSide(metrics, "local")), cloud_(MakeSide(metrics, "cloud")) {}

void RouterMetrics::Attack(const Screened::Attack& attack) {
  static constexpr const char* kActions[] = {"off", "flag", "local", "block"};
  metrics_.GetCounter("headgate_router_attacks_total", "Requests that look like an attack, by what was done",
                      {{"kind", std::string(attack.kind)}, {"action", kActions[static_cast<int>(attack.action)]}})
      .Increment();
}

void RouterMetrics::Recalled(std::string_view known) {
  metrics_.GetCounter("headgate_router_conversations_total", "Requests by what is known of their conversation",
                      {{"known", std::string(known)}})
      .Increment();
}

void RouterMetrics::Masked(bool clean) {
  metrics_.GetCounter("headgate_router_masked_total", "Masked requests, by whether the rest was clean",
                      {{"result", clean ? "clean" : "residue"}})
      .Increment();
}

void RouterMetrics::Classified(const Sensitivity& sensitivity) {
  metrics_
      .GetCounter(
          "headgate_router_classified_total", "Classified requests",
          {{"state", std::string(Name(sensitivity.state))}, {"sensitive", sensitivity.sensitive() ? "true" : "false"}})
      .Increment();
}

void RouterMetrics::Decided(const Decision& decision) {
  metrics_.GetCounter("headgate_router_decisions_total", "Routing decisions by target and first reason",
                      {{"target", decision.target == Target::kCloud ? "cloud" : "local"},
                       {"reason", decision.reasons.empty() ? "none" : decision.reasons.front()}})
      .Increment();
}

void RouterMetrics::Wanted(int64_t replicas) {
  metrics_.GetGauge("headgate_router_replicas_wanted", "Local replicas worth having (scaling)")
      .Set(static_cast<double>(replicas));
}

void RouterMetrics::Ended(const std::string& api, const v1::Route& route, const absl::Status& status,
                          std::string_view stage, absl::Duration took, absl::Duration first_token,
                          const v1::Usage& usage) {
  metrics_.GetCounter("headgate_router_requests_total", "Requests by outcome",
                      {{"api", api}, {"target", TargetLabel(route)}, {"code", absl::StatusCodeToString(status.code())}})
      .Increment();
  if (!stage.empty()) {
    metrics_.GetCounter("headgate_router_refusals_total", "Requests ended early, by the stage that ended them",
                        {{"stage", std::string(stage)}, {"code", absl::StatusCodeToString(status.code())}})
        .Increment();
  }
  if (route.target() == v1::Route::TARGET_UNSPECIFIED) return;
  Side& side = route.target() == v1::Route::TARGET_CLOUD ? cloud_ : local_;
  side.duration.Observe(absl::ToDoubleSeconds(took));
  if (first_token < absl::InfiniteDuration()) {
    side.first_token.Observe(absl::ToDoubleSeconds(first_token));
    if (usage.completion_tokens() > 1) {
      side.per_token.Observe(absl::ToDoubleSeconds(took - first_token) /
                             static_cast<double>(usage.completion_tokens() - 1));
    }
  }
  if (usage.prompt_tokens() > 0) side.input_tokens.Observe(static_cast<double>(usage.prompt_tokens()));
  if (usage.completion_tokens() > 0) side.output_tokens.Observe(static_cast<double>(usage.completion_tokens()));
}

}  // namespace headgate::router
