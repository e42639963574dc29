// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Trains the name tagger: averaged perceptron with Viterbi decoding (Collins 2002), then int8.
//
// Thread-safety: pure function.
#pragma once

#include <string>
#include <vector>

#include "router/sensitivity/name_tagger.h"
#include "tools/train/corpus.h"

namespace headgate::train {

// The bytes of the weights file. Documents without tags are left out.
// `words`: those that are written with a small letter; they become part of the weights.
std::string TrainNames(const std::vector<const Document*>& documents, const router::WordSet& words, int epochs,
                       uint64_t seed);

}  // namespace headgate::train
