// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/policy.h"

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

// Why the request stays local; null = it may leave.
const char* ReasonToStay(const PolicyConfig& config, const TenantConfig& tenant, const Sensitivity& sensitivity,
                         const Load& load, const FleetSnapshot& fleet) {
  if (!Classified(sensitivity)) return "unclassified";
  if (Sensitive(sensitivity) || sensitivity.sensitive()) return "sensitive";
  if (!tenant.cloud_allowed) return "tenant_local_only";
  if (!fleet.cloud_configured) return "cloud_not_configured";
  if (!fleet.cloud_can_answer) return "local_feature";
  if (!fleet.cloud_available) return "cloud_unavailable";
  if (!fleet.audit_writable) return "audit_unwritable";
  if (config.mode == PolicyConfig::Mode::kOverflow && !load.cloud_rate_conforms) return "over_threshold";
  if (config.mode == PolicyConfig::Mode::kSwitch && load.peak) return "peak";
  return nullptr;
}

}  // namespace

bool CloudCanAnswer(const Prompt& prompt) {
  return prompt.content().response_format().type() != v1::ResponseFormat::TYPE_JSON_SCHEMA;
}

Decision Policy::Decide(const std::string& request_id, const TenantConfig& tenant, const Sensitivity& sensitivity,
                        const Load& load, const FleetSnapshot& fleet) const {
  Decision decision;
  if (const char* reason = ReasonToStay(config_, tenant, sensitivity, load, fleet)) {
    decision.reasons.emplace_back(reason);
    return decision;
  }
  decision.target = Target::kCloud;
  decision.reasons.emplace_back("everyday");
  decision.permit = CloudPermit(request_id, sensitivity.digest);
  return decision;
}

}  // namespace headgate::router
