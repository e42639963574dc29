// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The grammar between a label and its value: `护照号码是: `, `passport_no": "`, `| Passport no. | `.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace headgate::router {

struct Connector {
  size_t value_begin = 0;
  bool strong = false;  // a sign or a verb says that the value follows, not only a space
  bool quoted = false;
};
// What stands between a label that ends at `at` and its value: at most 48 bytes of signs, quotes and words such as 号码,
// is, number.
Connector SkipConnector(std::string_view text, size_t at);

}  // namespace headgate::router
