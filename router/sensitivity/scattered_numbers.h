// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Scattered numbers: identifiers whose characters are set apart in ways that no number is written in, all of which are
// known by their check digit: any signs between the groups (`GB82 #WEST*1234`), one number of a list for each place
// (`1. 6`, `2. 2`, or `"part1": "6222"`), words between single digits, digits padded with zeros (`01 01 00`).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string>
#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

// Each identifier in place of what it is scattered over.
Edits ReadScatteredNumbers(std::string_view text);

}  // namespace headgate::router
