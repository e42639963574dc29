// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Spoken numbers: identifiers with a check digit read out in words that are no plain digits of English or Chinese
// (numerals.h): the alphabet of radio (`Golf Bravo eight two`), `double three`, `nineteen eighty-seven`, pinyin,
// German, French and Spanish digits, Roman ones.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

// REQUIRES: canonical text, without diacritics.
Edits ReadSpokenNumbers(std::string_view text);

}  // namespace headgate::router
