// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/guard_flags.h"

namespace headgate::router {
namespace {

std::string& Off() {
  static std::string guard;
  return guard;
}

}  // namespace

void SwitchOff(const std::string& guard) { Off() = guard; }
bool GuardOff(const char* guard) { return Off() == guard; }

}  // namespace headgate::router
