// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Made-up values for tests, and the ways in which people hide or mangle them.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::router {

inline constexpr std::string_view kResidentId = "11010519491231002X";
inline constexpr std::string_view kCard = "6222020200112345678";  // UnionPay, 19 digits
inline constexpr std::string_view kVisa = "4111111111111111";
inline constexpr std::string_view kPhone = "13812345678";

// Appends the check character of ISO 7064 MOD 11-2, computed by the definition (not by a table of weights).
inline std::string WithIdCheck(std::string id17) {
  int sum = 0;
  for (const char c : id17) sum = (sum + (c - '0')) * 2 % 11;
  const int check = (12 - sum) % 11;
  return id17 + (check == 10 ? 'X' : static_cast<char>('0' + check));
}

// Appends the digit that makes the Luhn sum a multiple of ten, by trying all.
inline std::string WithLuhnCheck(std::string digits) {
  for (char check = '0'; check <= '9'; ++check) {
    const std::string all = digits + check;
    int sum = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      const int digit = all[all.size() - 1 - i] - '0';
      sum += i % 2 == 0 ? digit : digit * 2 / 10 + digit * 2 % 10;
    }
    if (sum % 10 == 0) return all;
  }
  return digits;
}

inline std::string RandomDigits(std::mt19937& random, size_t count) {
  std::string digits;
  for (size_t i = 0; i < count; ++i) digits += static_cast<char>('0' + random() % 10);
  return digits;
}

inline std::string RandomResidentId(std::mt19937& random) {
  const auto two = [](uint32_t value) { return std::string(value < 10 ? "0" : "") + std::to_string(value); };
  return WithIdCheck(std::to_string(1 + random() % 9) + RandomDigits(random, 5) + std::to_string(1930 + random() % 90) +
                     two(1 + random() % 12) + two(1 + random() % 28) + RandomDigits(random, 3));
}

// Every character of `value` replaced by `map(character)`, with `between` after each but the last.
template <typename Map>
std::string Rewrite(std::string_view value, Map map, std::string_view between = "") {
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    out += map(value[i]);
    if (i + 1 < value.size()) out += between;
  }
  return out;
}

inline std::string FullWidth(char c) {  // U+FF01.. for '!'..
  const uint32_t code_point = 0xFF01 + static_cast<uint32_t>(c - '!');
  return {static_cast<char>(0xE0 | code_point >> 12), static_cast<char>(0x80 | (code_point >> 6 & 0x3F)),
          static_cast<char>(0x80 | (code_point & 0x3F))};
}
inline std::string Itself(char c) { return std::string(1, c); }

}  // namespace headgate::router
