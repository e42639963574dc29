// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace headgate {
namespace {

// Sixteen bytes are looked at together: every byte, wherever it stands among them.
TEST(PlainBytes, EndsAtWhateverMustBeEscaped) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
    for (size_t size : {1u, 15u, 16u, 17u, 40u}) {
      for (size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(byte);
        ASSERT_EQ(PlainBytes(text), plain ? size : at) << "byte " << byte << " at " << at << " of " << size;
      }
    }
  }
}

}  // namespace
}  // namespace headgate
