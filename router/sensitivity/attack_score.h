// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Attack score: does a text look like an attack on what stands behind the model: SQL, HTML, a shell, or the model's own
// instructions? A score, not a verdict: people ask about SQL. Hand-written phrases with weights, put together
// (noisy-or) within a window of two neighbouring sentences, so that a long innocent text around them changes nothing.
// Linear.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <array>
#include <string_view>

namespace headgate::router {

enum class AttackKind { kSqlInjection, kXss, kCommandInjection, kPromptInjection };
inline constexpr std::array<std::string_view, 4> kAttackNames = {"sql_injection", "xss", "command_injection",
                                                                 "prompt_injection"};
// At or above this a text counts as an attack.
inline constexpr double kAttackScoreMin = 0.6;

using AttackScores = std::array<double, kAttackNames.size()>;  // 0..1, by AttackKind

// REQUIRES: `text` is canonical text.
AttackScores ScoreAttacks(std::string_view text);

}  // namespace headgate::router
