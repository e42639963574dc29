// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Must not compile: one permit for two prompts.
#include "router/policy.h"

namespace headgate::router {

absl::StatusOr<CloudPrompt> Copy(const CloudPermit& permit, const Prompt& prompt) {
  return CloudPrompt::Make(permit, "id", prompt);
}

}  // namespace headgate::router
