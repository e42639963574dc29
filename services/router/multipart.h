// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Bodies of type multipart/form-data (RFC 7578): how a client uploads a file.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace headgate::services {

struct FormPart {
  std::string name;
  std::string filename;      // empty: no file
  std::string_view content;  // in the body
};

constexpr size_t kFormPartsMax = 16;

// INVALID_ARGUMENT without a byte of the content: another type, no or a bad boundary, a part without a name, too many
// parts, no end.
absl::StatusOr<std::vector<FormPart>> ParseForm(std::string_view content_type, std::string_view body);

}  // namespace headgate::services
