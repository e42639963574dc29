// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The weights that are part of the program: the files beside this one, embedded by the assembler.
//
// Thread-safety: constant data.
#pragma once

#include <string_view>

namespace headgate::router {

std::string_view TopicWeights();
std::string_view NameWeights();

}  // namespace headgate::router
