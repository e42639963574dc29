// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Scattered keys: a provider's key or a web token that is cut into pieces by separators, evenly or not, perhaps with
// digits in words (`s k-five n z eight`, `LTAI、2Pk、1Dh`). The prefix says where it begins; what follows must look like
// nothing but a key.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

// Each key in one piece in place of what it is scattered over.
Edits ReadScatteredKeys(std::string_view text);

}  // namespace headgate::router
