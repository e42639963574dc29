// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Network addresses: those that reach somebody, not private, local or documentation ones.
#include <algorithm>
#include <array>

#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kCloseChars = 40, kVeryCloseChars = 16;

struct Ipv4 {
  std::array<int, 4> parts{};
  TextRange range;
};

std::optional<Ipv4> ReadIpv4(std::string_view text, size_t begin) {
  Ipv4 address;
  size_t at = begin;
  for (size_t part = 0; part < 4; ++part) {
    const size_t first = at;
    int value = 0;
    while (at < text.size() && IsDigit(text[at]) && at - first < 3) value = value * 10 + (text[at++] - '0');
    if (at == first || value > 255 || (at - first > 1 && text[first] == '0')) return std::nullopt;
    address.parts[part] = value;
    if (part < 3 && (at >= text.size() || text[at++] != '.')) return std::nullopt;
  }
  address.range = {begin, at};
  return address;
}

// Not a private, local, documentation or multicast address, nor one of the resolvers that everybody names.
bool IsPublicIpv4(const Ipv4& address) {
  const auto [a, b, c, d] = address.parts;
  if (a == 0 || a == 10 || a == 127 || a >= 224 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168))
    return false;
  if ((a == 169 && b == 254) || (a == 100 && b >= 64 && b < 128) || (a == 198 && (b == 18 || b == 19))) return false;
  if ((a == 192 && b == 0) || (a == 198 && b == 51 && c == 100) || (a == 203 && b == 0 && c == 113)) return false;
  if ((a == 8 && b == 8) || (a == 1 && b == c && (b <= 1)) || (a == 114 && b == 114) || (a == 9 && b == 9))
    return false;
  if ((a == 1 && b == 2 && c == 3) || (a == 223 && b == 5 && c == 5) || (a == 255 && d == 255)) return false;
  return true;
}

std::optional<Value> IpAddress(const Match& match) {
  const std::string_view text = match.text();
  size_t begin = match.begin;
  while (begin > 0 && IsDigit(text[begin - 1]) && match.begin - begin < 3) --begin;
  const auto address = ReadIpv4(text, begin);
  if (!address || !IsPublicIpv4(*address)) return std::nullopt;
  const auto joins = [&](size_t at) {
    return at < text.size() && (IsAlnum(text[at]) || text[at] == '.' || text[at] == '-');
  };
  if (begin > 0 && joins(begin - 1)) return std::nullopt;
  const size_t end = address->range.end;
  // `Chrome/122.0.165.116` is a version; `db-1/52.1.70.9:5432` an address.
  const bool product = begin > 1 && text[begin - 1] == '/' && IsLetter(text[begin - 2]);
  if (product && text.substr(end, 1) != ":") return std::nullopt;
  if (end < text.size() && (IsAlnum(text[end]) || (text[end] == '.' && joins(end + 1)))) return std::nullopt;
  // Four small numbers are as often a version.
  const bool named = match.evidence.Near(Cue::kIpAddress, address->range, kCloseChars);
  if (match.evidence.Before(Cue::kTechnical, address->range, kVeryCloseChars) && !named) return std::nullopt;
  const bool large =
      std::count_if(address->parts.begin(), address->parts.end(), [](int part) { return part > 31; }) >= 2;
  // `RFC 2616 8.1.2.2` is a chapter, unless the word stands right before it.
  const bool small = std::all_of(address->parts.begin(), address->parts.end(), [](int part) { return part < 10; });
  if (small && !match.evidence.Before(Cue::kIpAddress, address->range, kVeryCloseChars)) return std::nullopt;
  if (!named && !large) return std::nullopt;
  return Value{address->range, kScoreLikely};
}

bool IsHex(char c) { return IsDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f'); }

std::optional<Value> Ipv6(const Match& match) {
  const std::string_view text = match.text();
  if (match.begin > 0 && (IsAlnum(text[match.begin - 1]) || text[match.begin - 1] == ':')) return std::nullopt;
  size_t end = match.begin, groups = 0, colons = 0, group = 0;
  bool gap = false;
  while (end < text.size() && end - match.begin < 40 && (IsHex(text[end]) || text[end] == ':')) {
    if (text[end] == ':') {
      ++colons;
      gap |= end > match.begin && text[end - 1] == ':';
      group = 0;
    } else if (++group > 4) {
      return std::nullopt;
    } else if (group == 1) {
      ++groups;
    }
    ++end;
  }
  if (end < text.size() && IsAlnum(text[end])) return std::nullopt;
  if (!(groups == 8 && colons == 7) && !(gap && groups >= 3 && groups < 8)) return std::nullopt;
  const std::string_view head = text.substr(match.begin, 9);
  if (LowerAscii(head[0]) == 'f' || head.substr(0, 4) == "2001"
          ? head.find(":db8") != std::string_view::npos || LowerAscii(head[0]) == 'f'
          : head[0] != '2') {
    return std::nullopt;  // local, documentation or not yet assigned
  }
  return Value{{match.begin, end}, kScoreLikely};
}

std::optional<Value> MacAddress(const Match& match) {
  const std::string_view text = match.text();
  const TextRange range{match.begin, match.end};
  const char separator = text[match.begin + 2];
  for (size_t i = 2; i < 17; i += 3) {
    if (text[match.begin + i] != separator) return std::nullopt;
  }
  const auto joins = [&](size_t at) { return IsAlnum(text[at]) || text[at] == separator; };
  if ((range.begin > 0 && joins(range.begin - 1)) || (range.end < text.size() && joins(range.end))) return std::nullopt;
  const std::string_view value = text.substr(match.begin, 17);
  // `48-45-28-01-33-27` is as often a part's number: one address in three hundred has no letter.
  if (separator == '-' && std::none_of(value.begin(), value.end(), IsLetter)) return std::nullopt;
  if (value.find_first_not_of("0:-") == std::string_view::npos ||
      value.find_first_not_of("fF:-") == std::string_view::npos || value.substr(0, 8) == "00:11:22" ||
      value.substr(0, 8) == "AA:BB:CC" || value.substr(0, 8) == "aa:bb:cc" || value.substr(0, 8) == "00-11-22") {
    return std::nullopt;
  }
  return Value{range, kScoreLikely};
}

}  // namespace

const std::vector<PatternRule>& NetworkRules() {
  static const std::string hex = "[0-9A-Fa-f]{2}";
  static const std::string mac = hex + "[:-]" + hex + "[:-]" + hex + "[:-]" + hex + "[:-]" + hex + "[:-]" + hex;
  static const std::vector<PatternRule> rules = {
      {"IP_ADDRESS",
       IpAddress,
       false,
       {"[0-9]\\.[0-9]\\.[0-9]", "[0-9]\\.[0-9]{2}\\.[0-9]", "[0-9]\\.[0-9]{3}\\.[0-9]"}},
      {"IP_ADDRESS", Ipv6, false, {"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]"}},
      {"MAC_ADDRESS", MacAddress, false, {mac}},
  };
  return rules;
}

}  // namespace headgate::router
