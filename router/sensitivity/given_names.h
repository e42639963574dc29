// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Given names in Latin script that are seldom anything else: with a second capitalised word behind one, it is a person.
// Thread-safety: a constant.
#pragma once

#include <string_view>

namespace headgate::router {

// `lower`: in small letters.
bool IsGivenName(std::string_view lower);

}  // namespace headgate::router
