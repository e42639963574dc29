// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Blobs: runs of base64 or hex that hold text.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "router/sensitivity/rewriter.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {

// A shorter run is not looked into: base64 of 8 bytes, the shortest identifiers, is 11.
inline constexpr size_t kBlobBytesMin = 11;

inline constexpr std::array<bool, 256> kIsBase64Byte = [] {
  std::array<bool, 256> is{};
  for (size_t i = 0; i < 256; ++i) is[i] = IsAlnum(static_cast<char>(i));
  for (const char c : {'+', '/', '-', '_'}) is[static_cast<uint8_t>(c)] = true;
  return is;
}();
constexpr bool IsBase64Byte(char c) { return kIsBase64Byte[static_cast<uint8_t>(c)]; }

// No byte of `bytes` is out of place in UTF-8.
bool IsUtf8(std::string_view bytes);

// What each blob of `text` says, in its place, so that the words around it still speak of what it holds.
Edits ReadBlobs(std::string_view text);

}  // namespace headgate::router
