// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the no-egress world is made of before anything runs: the configurations that its reloads go through, and what
// its clouds do wrong.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "router/config.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/integration/no_egress/observed.h"

namespace headgate::router {

inline constexpr int kEngines = 8;  // one that fails is left alone for a while
std::string EngineAddress(int number);

// In the order in which they come into force, over and over: much to the cloud; the same with other bounds, another
// word and another floor (kStricterVersion), and with a guard on personal data in answers; and one in which nothing
// leaves but by hedges. `folder` is where everything is
// written; `redis` a socket, or empty.
std::vector<RouterConfig> MakeConfigs(const std::vector<std::string>& cloud_urls, const std::string& folder,
                                      const std::string& redis, Guard removed);

// `stalls`: also those that say nothing more, each of which costs a time-out.
void AddCloudFaults(DeepSeekEmulator& emulator, bool stalls);

}  // namespace headgate::router
