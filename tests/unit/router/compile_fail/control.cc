// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Compiles: the gate used as it must be.
#include <utility>

#include "router/policy.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

std::unique_ptr<AnswerStream> Send(CloudUpstream& cloud, CloudPermit permit, const Prompt& prompt) {
  CloudPermit moved = std::move(permit);
  auto cloud_prompt = CloudPrompt::Make(std::move(moved), "id", prompt);
  return cloud.Generate(*cloud_prompt, absl::InfiniteDuration());
}

}  // namespace headgate::router
