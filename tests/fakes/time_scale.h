// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How much longer than on an idle machine without sanitizers a test waits before it gives up: 1, or 8 under sanitizers;
// HEADGATE_TEST_TIME_SCALE multiplies it. For limits that nothing should reach, never for what is measured.
//
// Thread-safety: any thread.
#pragma once

#include <cstdlib>

namespace headgate {

inline int TimeScale() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kScale = 8;
#else
  constexpr int kScale = 1;
#endif
  const char* given = std::getenv("HEADGATE_TEST_TIME_SCALE");
  const int factor = given == nullptr ? 1 : std::atoi(given);
  return kScale * (factor > 0 ? factor : 1);
}

}  // namespace headgate
