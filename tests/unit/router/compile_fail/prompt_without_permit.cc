// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Must not compile: content for the cloud that passed no gate.
#include "router/cloud_prompt.h"

namespace headgate::router {

CloudPrompt Forge(const Prompt& prompt) { return CloudPrompt(prompt.content()); }

}  // namespace headgate::router
