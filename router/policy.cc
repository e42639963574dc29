// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/policy.h"

#include <algorithm>
#include <utility>

namespace headgate::router {
namespace {

constexpr size_t kDigestBytes = 32;

bool Sensitive(const Sensitivity& sensitivity) {
  // No threshold, however it came about, makes `confidential` ordinary: configuration refuses it, and so does this.
  return sensitivity.level >= v1::SENSITIVITY_LEVEL_CONFIDENTIAL || sensitivity.level >= sensitivity.threshold;
}

bool Classified(const Sensitivity& sensitivity) {
  return sensitivity.state == ClassificationState::kClassified && sensitivity.digest.size() == kDigestBytes;
}

// `cost`: whether the answer is cheaper in the cluster, delay beyond the objective and the budget's pace counted.
bool CheaperLocal(const PolicyConfig& config, const Quote& quote, const Budget& budget) {
  const auto late = [&](double seconds) {
    return static_cast<double>(config.delay_price) * std::max(0.0, seconds - quote.objective_seconds);
  };
  const double local = quote.local_micro_units + late(quote.local_delay_seconds);
  const double cloud = quote.cloud_micro_units * (1 + std::max(0.0, budget.shadow_price)) + quote.again_micro_units +
                       late(quote.cloud_delay_seconds);
  // Whoever is on one side stays there unless the other saves more than the margin: no flapping between equals.
  const double keep = 1 - config.switch_margin;
  if (quote.last == Quote::Side::kCloud) return !(keep * cloud <= local);  // also when a number is not one
  if (quote.last == Quote::Side::kLocal) return !(cloud < keep * local);
  return !(cloud < local);
}

// The mode's own rule; null = it may leave.
const char* ModeReasonToStay(const PolicyConfig& config, const Load& load, const FleetSnapshot& fleet,
                             const Budget& budget) {
  switch (config.mode) {
    case PolicyConfig::Mode::kOverflow:
      return load.cloud_rate_conforms || (config.bridge && fleet.local_ready == 0) ? nullptr : "over_threshold";
    case PolicyConfig::Mode::kSwitch:
      return load.peak ? "peak" : nullptr;
    case PolicyConfig::Mode::kCost:
      if (!load.quote) return "unpriced";
      return CheaperLocal(config, *load.quote, budget) ? "cheaper_local" : nullptr;
  }
  return "unclassified";  // a mode that this build does not know: local
}

// Why the request must stay local, whatever the mode; null = it may leave.
const char* ReasonToStay(const PolicyConfig& config, const TenantConfig& tenant, const Sensitivity& sensitivity,
                         const FleetSnapshot& fleet, const Budget& budget) {
  if (!Classified(sensitivity)) return "unclassified";
  if (Sensitive(sensitivity) || sensitivity.sensitive()) return "sensitive";
  if (!tenant.cloud_allowed) return "tenant_local_only";
  if (fleet.filter_keeps_local) return "input_filter";
  if (!fleet.cloud_configured) return "cloud_not_configured";
  if (fleet.profile.value_or(config.profile) == PolicyConfig::Profile::kCloudOutage) return "profile_cloud_outage";
  if (!fleet.cloud_can_answer) return "local_feature";
  if (!fleet.cloud_available) return "cloud_unavailable";
  if (!fleet.audit_writable) return "audit_unwritable";
  if (!budget.room) return "budget_exhausted";
  if (!fleet.cloud_has_room) return "cloud_at_cap";
  return nullptr;
}

}  // namespace

bool CloudCanAnswer(const Prompt& prompt) {
  return prompt.content().response_format().type() != v1::ResponseFormat::TYPE_JSON_SCHEMA;
}

Decision Policy::Decide(const std::string& request_id, const TenantConfig& tenant, const Sensitivity& sensitivity,
                        const Load& load, const FleetSnapshot& fleet, const Budget& budget) const {
  Decision decision;
  if (const char* reason = ReasonToStay(config_, tenant, sensitivity, fleet, budget)) {
    decision.reasons.emplace_back(reason);
    return decision;
  }
  const bool no_local = fleet.profile.value_or(config_.profile) == PolicyConfig::Profile::kNoLocal;
  const char* mode_reason = no_local ? nullptr : ModeReasonToStay(config_, load, fleet, budget);
  if (mode_reason != nullptr) {
    decision.reasons.emplace_back(mode_reason);
    // A threshold of zero says that nothing leaves.
    if (config_.hedge_share > 0 && config_.cloud_qps_threshold > 0) {
      decision.hedge = CloudPermit(request_id, sensitivity.digest);
    }
    return decision;
  }
  decision.target = Target::kCloud;
  decision.permit = CloudPermit(request_id, sensitivity.digest);
  if (no_local) {
    decision.reasons.emplace_back("profile_no_local");
    return decision;
  }
  const bool bridged = config_.mode == PolicyConfig::Mode::kOverflow && !load.cloud_rate_conforms;
  decision.reasons.emplace_back(bridged ? "bridge" : "everyday");
  return decision;
}

}  // namespace headgate::router
