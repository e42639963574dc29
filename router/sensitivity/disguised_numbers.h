// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Disguised numbers: digits with signs between them that no number has (`1101#0519#8706`), in parts with words between
// them (`first half 110105198, second half 706121007`), backwards, or with letters that look like digits (`11O1O5...`).
// What has no check digit is put together only where the words say that it is one number.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

Edits ReadDisguisedNumbers(std::string_view text);

}  // namespace headgate::router
