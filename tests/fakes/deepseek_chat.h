// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One chat request to the emulator on its way: the next plan, step by step.
//
// Thread-safety: the emulator's executor thread only.
#pragma once

#include <string>

#include "common/clock.h"
#include "common/task.h"
#include "tests/fakes/deepseek_connection.h"
#include "tests/fakes/deepseek_state.h"

namespace headgate {

// Ends when the answer has been written, or cut as planned, or when the client has left. All arguments must outlive it.
Task<void> AnswerChat(DeepSeekConnection& connection, Clock& clock, DeepSeekState& state, const std::string& body);

}  // namespace headgate
