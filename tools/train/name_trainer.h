// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Trains the name tagger: averaged perceptron with Viterbi decoding (Collins 2002), then int8.
//
// Thread-safety: pure function.
#pragma once

#include <string>
#include <vector>

#include "tools/train/corpus.h"

namespace headgate::train {

// The bytes of the weights file. Documents without tags are left out.
std::string TrainNames(const std::vector<const Document*>& documents, int epochs, uint64_t seed);

}  // namespace headgate::train
