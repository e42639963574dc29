// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Must not compile: giving the cloud client what a local engine gets.
#include "router/upstream/inference_client.h"

namespace headgate::router {

std::unique_ptr<AnswerStream> Send(CloudUpstream& cloud, const Prompt& prompt) {
  return cloud.Generate(prompt, absl::InfiniteDuration());
}

}  // namespace headgate::router
