// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Must not compile: a permit that policy did not mint.
#include "router/policy.h"

namespace headgate::router {

CloudPermit Forge(const Prompt& prompt) { return CloudPermit("id", prompt.digest()); }

}  // namespace headgate::router
