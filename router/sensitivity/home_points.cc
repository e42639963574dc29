// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/home_points.h"

#include <algorithm>
#include <optional>
#include <string>

namespace headgate::router {
namespace {

constexpr size_t kNearChars = 48;

// A number with decimals enough for a house: four are eleven metres.
struct Coordinate {
  TextRange range;
  int whole = 0;
};
std::optional<Coordinate> CoordinateAround(std::string_view text, size_t point) {
  constexpr size_t kWholeMax = 3, kDecimalsMin = 4, kDecimalsMax = 16;
  Coordinate found{{point, point + 1}};
  while (found.range.begin > 0 && point - found.range.begin < kWholeMax && IsDigit(text[found.range.begin - 1])) {
    --found.range.begin;
  }
  for (size_t at = found.range.begin; at < point; ++at) found.whole = found.whole * 10 + (text[at] - '0');
  while (found.range.end < text.size() && found.range.end - point <= kDecimalsMax && IsDigit(text[found.range.end])) {
    ++found.range.end;
  }
  const size_t decimals = found.range.end - point - 1;
  if (found.range.begin == point || decimals < kDecimalsMin || decimals > kDecimalsMax) return std::nullopt;
  if (found.range.begin > 0 && (IsAlnum(text[found.range.begin - 1]) || text[found.range.begin - 1] == '.')) {
    return std::nullopt;
  }
  return found;
}

// The point of the next number behind `at`, over a few signs and words such as `, lon: `; npos: none is near.
size_t NextPoint(std::string_view text, size_t at) {
  constexpr size_t kBetweenMax = 20, kWholeMax = 3;
  const std::string_view near = text.substr(0, std::min(text.size(), at + kBetweenMax + kWholeMax));
  const size_t digit = near.find_first_of("0123456789", at);
  if (digit == std::string_view::npos || near.substr(at, digit - at).find('\n') != std::string_view::npos) {
    return std::string_view::npos;
  }
  const size_t point = near.find_first_not_of("0123456789", digit);
  return point < near.size() && near[point] == '.' ? point : std::string_view::npos;
}

bool SaysHome(std::string_view text, TextRange range) {
  constexpr std::string_view kWords[] = {"home", "lives", "live", "living", "我家", "家里", "他家", "她家", "家的"};
  constexpr size_t kReach = 60;
  const size_t from = range.begin > kReach ? range.begin - kReach : 0;
  std::string near(text.substr(from, range.end + kReach - from));
  std::transform(near.begin(), near.end(), near.begin(), LowerAscii);
  for (const std::string_view word : kWords) {
    for (size_t at = near.find(word); at != std::string::npos; at = near.find(word, at + 1)) {
      const size_t end = at + word.size();
      const bool whole = !IsLetter(word[0]) || ((at == 0 || !IsAlnum(near[at - 1])) &&
                                                (end == near.size() || !IsAlnum(near[end])));
      if (whole) return true;
    }
  }
  return false;
}

}  // namespace

void ReadHomePoints(const Evidence& evidence, Report report) {
  constexpr int kLatitudeMax = 90, kLongitudeMax = 180;
  const std::string_view text = evidence.text();
  for (size_t point = text.find('.'); point != std::string_view::npos; point = text.find('.', point + 1)) {
    const std::optional<Coordinate> first = CoordinateAround(text, point);
    if (!first) continue;
    const size_t next = NextPoint(text, first->range.end);
    const std::optional<Coordinate> second =
        next == std::string_view::npos ? std::nullopt : CoordinateAround(text, next);
    if (!second) continue;
    point = next;
    const TextRange range{first->range.begin, second->range.end};
    const int low = std::min(first->whole, second->whole), high = std::max(first->whole, second->whole);
    // Shares and vectors; three numbers are no point on the ground.
    const bool on_earth = low < kLatitudeMax && high > 0 && high < kLongitudeMax;
    const size_t third = NextPoint(text, range.end);
    if (!on_earth || (third != std::string_view::npos && CoordinateAround(text, third))) continue;
    const bool home = evidence.Near(Cue::kHome, range, kNearChars) || SaysHome(text, range);
    if (!home || evidence.Before(Cue::kCompany, range, kNearChars) || evidence.Near(Cue::kExample, range, kNearChars) ||
        evidence.Near(Cue::kFiction, range, kNearChars)) {
      continue;
    }
    report("ADDRESS", range, kScoreLikely);
  }
}

}  // namespace headgate::router
