// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Names of persons where something says that a name stands there: a label, a title, a role, a family name at the
// beginning of a clause. Names that everybody bears (张三, 小明, John Doe) and well-known ones are none.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>
#include <vector>

#include "router/sensitivity/evidence.h"

namespace headgate::router {

// Below it, only one of a person's names is known.
inline constexpr double kFullNameMin = 0.4;

struct PersonName {
  TextRange range;
  double score;  // how sure it is that this is the name of a private person
};

// Names in text()[begin, end), in order, at most 64.
std::vector<PersonName> FindNames(const Evidence& evidence, TextRange window);

}  // namespace headgate::router
