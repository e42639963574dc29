// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A CloudPrompt as the router makes one: classified as public, permitted by policy.
//
// Thread-safety: any thread.
#pragma once

#include <string>
#include <utility>

#include "router/cloud_prompt.h"
#include "router/policy.h"

namespace headgate::router {

inline v1::GenerateRequest UserSays(const std::string& text) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(text);
  return request;
}

inline CloudPrompt Permitted(v1::GenerateRequest request) {
  const Prompt prompt(std::move(request));
  Sensitivity sensitivity;
  sensitivity.state = ClassificationState::kClassified;
  sensitivity.level = v1::SENSITIVITY_LEVEL_PUBLIC;
  sensitivity.digest = prompt.digest();
  Load load;
  load.cloud_rate_conforms = true;
  FleetSnapshot fleet;
  fleet.cloud_configured = fleet.cloud_available = fleet.audit_writable = true;
  Decision decision = Policy(PolicyConfig()).Decide("request-1", TenantConfig(), sensitivity, load, fleet);
  return *CloudPrompt::Make(*std::move(decision.permit), "request-1", prompt);
}

}  // namespace headgate::router
