// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Which of several clouds a request is for, by tenant and scenario (batch or realtime), from configuration alone.
// Whether it may leave at all is policy's to say.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>

#include "router/config.h"

namespace headgate::router {

// Clouds are numbered: 0 is `cloud`, then `clouds` in order. REQUIRES: every choice names one of them
// (LoadRouterConfig).
size_t ChooseCloud(const RouterConfig& config, const std::string& tenant, v1::Priority priority);
const CloudConfig& CloudNumber(const RouterConfig& config, size_t number);

}  // namespace headgate::router
