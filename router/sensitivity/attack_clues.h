// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The phrases that attack_score.cc weighs: which kind of attack each speaks of, in which of its groups, and how much.
//
// Thread-safety: constants.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "router/sensitivity/attack_score.h"

namespace headgate::router {

// Groups of each kind.
enum Sql : uint8_t { kSqlBreakout, kSqlTautology, kSqlComment, kSqlUnion, kSqlDelay, kSqlCatalogue, kSqlStacked,
                     kSqlCondition, kSqlLeading };
enum Xss : uint8_t { kXssScript, kXssHandler, kXssCode, kXssUri, kXssTag, kXssBreakout };
enum Command : uint8_t { kShellChain, kShellFile, kShellFetch, kShellTraversal };
enum Instructions : uint8_t { kOverride, kReveal, kPersona, kUnbound, kFakeTurn, kNewTask,
                              // Parts of the ordered clues: without weight of their own.
                              kVerb, kEarlier, kRules };

struct Clue {
  const char* phrase;  // lower case; runs of spaces are one
  AttackKind kind;
  uint8_t group;
  double weight;
};

absl::Span<const Clue> AttackClues();

}  // namespace headgate::router
