// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Hardening of a process that holds prompts in memory.
//
// Thread-safety: any thread; call once at the top of main.
#pragma once

namespace headgate {

// No core dumps, and no other process of the same user may read this one's memory.
void ForbidCoreDumps();

}  // namespace headgate
