// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Uploaded forms: the first line is the content type, the rest the body. Parts lie in the body, one behind the other,
// and end where a boundary begins; a complaint is short, so that it cannot carry the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "services/router/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headgate::services;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view type = bytes.substr(0, bytes.find('\n'));
  const std::string_view body = bytes.substr(std::min(size, type.size() + 1));
  const auto parts = ParseForm(type, body);
  if (!parts.ok()) {
    if (parts.status().code() != absl::StatusCode::kInvalidArgument || parts.status().message().size() > 256) {
      std::abort();
    }
    return 0;
  }
  if (parts->size() > kFormPartsMax) std::abort();
  const char* at = body.data();
  for (const FormPart& part : *parts) {
    const char* const end = part.content.data() + part.content.size();
    if (part.name.empty() || part.content.data() < at || end > body.data() + body.size()) std::abort();
    if (std::string_view(end, 4) != "\r\n--") std::abort();
    at = end;
  }
  return 0;
}
