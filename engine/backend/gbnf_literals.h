// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Long lists of literals in a GBNF grammar, written as a tree of their common beginnings. Each alternative that a
// grammar leaves open costs a pass over the vocabulary whenever a token is refused: an enum of 1,000 values stopped all
// streams for 2 s, as a tree it has some ten ways on at a time.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace headgate::engine {

// The same language. Only groups of `kLiteralsMin` and more alternatives, each one literal, are rewritten:
// ("abc" | "abd") becomes ("ab" ("c" | "d")).
std::string FactorLiterals(std::string_view gbnf);
inline constexpr int kLiteralsMin = 8;

}  // namespace headgate::engine
