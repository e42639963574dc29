// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The built-in vocabulary of Evidence, in canonical form (simplified characters, half-width, any case). Latin words
// must stand alone; Chinese ones are found anywhere.
//
// Thread-safety: constants.
#pragma once

#include <string_view>
#include <vector>

#include "router/sensitivity/evidence.h"

namespace headgate::router {

struct CueWord {
  Cue cue;
  std::string_view word;
};

// All words, split; the index in it is Evidence::Hit::word.
const std::vector<CueWord>& CueWords();

}  // namespace headgate::router
