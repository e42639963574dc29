// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256, HMAC-SHA-256 and random bytes by OpenSSL, as raw 32-byte strings, and hex.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace headgate {

std::string Sha256(std::string_view bytes);
std::string HmacSha256(std::string_view key, std::string_view bytes);
std::string Hex(std::string_view bytes);
// Constant time in the length of `a`.
bool EqualConstantTime(std::string_view a, std::string_view b);

// Randomness is injected: a function that fills `n` random bytes.
using RandomBytes = std::function<std::string(size_t n)>;
RandomBytes SystemRandom();               // the operating system's generator
RandomBytes SeededRandom(uint64_t seed);  // reproducible: tests and simulation only

// Uniform in [0, 1).
double RandomUnit(const RandomBytes& random);

}  // namespace headgate
