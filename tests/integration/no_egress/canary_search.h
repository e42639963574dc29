// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Canaries and how they are found again: in bytes as they are, and in what the bytes say once JSON escapes, URL
// escapes, base64 and hex are undone, also one in another (base64 inside a JSON string, say).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <random>
#include <set>
#include <string>
#include <string_view>

namespace headgate::router {

// What every canary, and nothing else, begins with; 16 letters follow. Letters only, so that no detector takes part of
// a canary for a number or a key.
inline constexpr std::string_view kCanaryPrefix = "qzcanary";
inline constexpr size_t kCanaryLetters = 16;
std::string NewCanary(std::mt19937_64& random);

// The words that begin with `prefix`, in lower case and with at most kCanaryLetters letters after it, wherever and
// however encoded, up to `depth` times, they stand in `bytes`.
std::set<std::string> FindWords(std::string_view bytes, std::string_view prefix = kCanaryPrefix, int depth = 2);

}  // namespace headgate::router
