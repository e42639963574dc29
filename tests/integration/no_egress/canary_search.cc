// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/canary_search.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "absl/strings/ascii.h"

namespace headgate::router {
namespace {

constexpr size_t kBase64RunMin = 20;
constexpr size_t kHexRunMin = 32;

using Values = std::array<int8_t, 256>;

constexpr Values MakeValues(std::string_view alphabet) {
  Values values{};
  values.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i) values[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return values;
}
constexpr Values MakeBase64() {
  Values values = MakeValues("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  values[static_cast<uint8_t>('-')] = 62;
  values[static_cast<uint8_t>('_')] = 63;
  return values;
}
constexpr Values MakeHex() {
  Values values = MakeValues("0123456789abcdef");
  for (char c = 'A'; c <= 'F'; ++c) values[static_cast<uint8_t>(c)] = static_cast<int8_t>(c - 'A' + 10);
  return values;
}
constexpr Values kBase64 = MakeBase64();
constexpr Values kHex = MakeHex();

int Value(const Values& values, char c) { return values[static_cast<uint8_t>(c)]; }

// `\u0041`, `\n`, `\"`, `\\`. Code points above 0x7F become one byte that no canary holds.
std::string JsonUnescaped(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '\\' || i + 1 >= bytes.size()) {
      out += bytes[i];
      continue;
    }
    const char escape = bytes[++i];
    int code = 0;
    if (escape == 'u' && i + 4 < bytes.size()) {
      for (size_t k = 1; k <= 4; ++k) code = code < 0 || Value(kHex, bytes[i + k]) < 0
                                                 ? -1
                                                 : code * 16 + Value(kHex, bytes[i + k]);
    }
    if (escape == 'u' && code > 0) {
      out += code < 0x80 ? static_cast<char>(code) : '\xFF';
      i += 4;
    } else {
      out += escape == 'n' || escape == 't' || escape == 'r' ? ' ' : escape;
    }
  }
  return out;
}

std::string UrlDecoded(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    const bool escape = bytes[i] == '%' && i + 2 < bytes.size() && Value(kHex, bytes[i + 1]) >= 0 &&
                        Value(kHex, bytes[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(Value(kHex, bytes[i + 1]) * 16 + Value(kHex, bytes[i + 2]));
      i += 2;
    } else {
      out += bytes[i];
    }
  }
  return out;
}

// Every run of at least `run_min` characters of an alphabet of `bits` bits each, decoded from each of the `starts`
// first characters on: where the encoding began is unknown.
std::string RunsDecoded(std::string_view bytes, const Values& values, int bits, size_t run_min, size_t starts) {
  std::string out;
  for (size_t begin = 0; begin < bytes.size();) {
    size_t end = begin;
    while (end < bytes.size() && Value(values, bytes[end]) >= 0) ++end;
    for (size_t start = 0; end - begin >= run_min && start < starts; ++start) {
      uint32_t buffer = 0;
      int held = 0;
      for (size_t i = begin + start; i < end; ++i) {
        buffer = buffer << bits | static_cast<uint32_t>(Value(values, bytes[i]));
        held += bits;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>(buffer >> held);
      }
      out += '\n';
    }
    begin = end + 1;
  }
  return out;
}

void Collect(std::string view, std::string_view prefix, std::set<std::string>& found) {
  absl::AsciiStrToLower(&view);
  for (size_t at = view.find(prefix); at != std::string::npos; at = view.find(prefix, at + 1)) {
    size_t end = at + prefix.size();
    const size_t end_max = std::min(view.size(), end + kCanaryLetters);
    while (end < end_max && absl::ascii_isalpha(static_cast<unsigned char>(view[end]))) ++end;
    found.insert(view.substr(at, end - at));
  }
}

void CollectDecoded(const std::string& bytes, std::string_view prefix, int depth, std::set<std::string>& found) {
  Collect(bytes, prefix, found);
  if (depth == 0 || bytes.empty()) return;
  const auto go_on = [&](std::string view) {
    if (view != bytes) CollectDecoded(view, prefix, depth - 1, found);
  };
  go_on(JsonUnescaped(bytes));
  go_on(UrlDecoded(bytes));
  go_on(RunsDecoded(bytes, kBase64, 6, kBase64RunMin, 4));
  go_on(RunsDecoded(bytes, kHex, 4, kHexRunMin, 2));
}

}  // namespace

std::string NewCanary(std::mt19937_64& random) {
  std::string canary(kCanaryPrefix);
  uint64_t bits = random();
  for (size_t i = 0; i < kCanaryLetters; ++i, bits >>= 4) canary += static_cast<char>('a' + (bits & 15));
  return canary;
}

std::set<std::string> FindWords(std::string_view bytes, std::string_view prefix, int depth) {
  std::set<std::string> found;
  CollectDecoded(std::string(bytes), prefix, depth, found);
  return found;
}

}  // namespace headgate::router
