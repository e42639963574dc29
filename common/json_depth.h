// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// JsonDepth: how deep a JSON text nests, by brackets outside strings, without parsing it: looked at first, so that no
// parser meets a tower. Of text that is not JSON it means nothing, and never fails.
//
// Thread-safety: any thread.
#pragma once

#include <algorithm>
#include <string_view>

namespace headgate {

inline int JsonDepth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace headgate
