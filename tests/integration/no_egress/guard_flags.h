// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The test flags that switch guards off, in the copies of the router's sources that weaken.py makes for
// no_egress_guards_test. No other program has such copies: in the shipped ones there is nothing to switch.
//
// Thread-safety: GuardOff from any thread; SwitchOff while no world runs.
#pragma once

#include <string>

namespace headgate::router {

// From now on this one, and no other (Name of a Guard, observed.h).
void SwitchOff(const std::string& guard);
bool GuardOff(const char* guard);

}  // namespace headgate::router
