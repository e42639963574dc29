// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How many cores this process may use: what the scheduler allows (affinity) and what its cgroup pays for (quota).
// More threads than that make every barrier of a decode step wait for a descheduled one.
//
// Thread-safety: pure functions.
#pragma once

#include <string>

namespace headgate::engine {

// At least 1.
int UsableCores();

// Cores of the CPU quota, rounded up; 0 = no quota. `proc_cgroup` is the text of /proc/self/cgroup, `root` the mount
// point of the cgroup file system. Reads version 2 (`cpu.max`, the tightest up to the root) and version 1.
int QuotaCores(const std::string& proc_cgroup, const std::string& root);

}  // namespace headgate::engine
