// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Even cuts: a sign put into a text again and again at the same distance (`%31%-31%3-0%3`, `one -one -zero`). What
// stands between may be anything: escapes, codes, words. Numbers and codes that are set apart in groups of their own
// are read elsewhere (numerals.h, disguised_numbers.h, CanonicalText::joined).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

struct EvenCuts {
  Edits all;    // takes the signs out
  Edits inner;  // without a blank between a word and the first group, or behind the last one: it may be one of the
                // signs, or not. Empty where there is none.
};

// Linear. What lies within one of `read` is read already.
EvenCuts ReadEvenCuts(std::string_view text, const Edits& read);

}  // namespace headgate::router
