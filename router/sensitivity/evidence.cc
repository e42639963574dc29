// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/evidence.h"

#include <algorithm>

#include "router/sensitivity/reading_work.h"

namespace headgate::router {
namespace {

constexpr size_t kCharBytesMax = 4;

}  // namespace

bool Within(std::string_view text, size_t begin, size_t end, size_t limit) {
  if (end - begin <= limit) return true;
  if (end - begin > limit * kCharBytesMax) return false;
  ReadingWork::Spend((end - begin) / 2);
  size_t chars = 0;
  for (size_t at = begin; at < end; ++at) chars += (static_cast<uint8_t>(text[at]) & 0xC0) != 0x80;
  return chars <= limit;
}

void Evidence::Add(const Hit& hit) {
  hits_.push_back(hit);
  present_.set(static_cast<size_t>(hit.cue));
}

std::pair<size_t, size_t> Evidence::Between(size_t begin, size_t end) const {
  const auto before = [](const Hit& hit, size_t at) { return hit.end < at; };
  const auto first = std::lower_bound(hits_.begin(), hits_.end(), begin, before);
  const auto last = std::lower_bound(first, hits_.end(), end, before);
  constexpr size_t kSearchSteps = 40;
  ReadingWork::Spend(kSearchSteps + static_cast<size_t>(last - first));
  return {static_cast<size_t>(first - hits_.begin()), static_cast<size_t>(last - hits_.begin())};
}

bool Evidence::Before(Cue cue, TextRange range, size_t chars) const {
  if (!Has(cue)) return false;
  const size_t window = chars * kCharBytesMax;
  const auto [first, last] = Between(range.begin > window ? range.begin - window : 0, range.begin + 1);
  for (size_t i = last; i > first; --i) {
    const Hit& hit = hits_[i - 1];
    if (hit.cue == cue) return Within(text_, hit.end, range.begin, chars);  // the nearest one
  }
  return false;
}

bool Evidence::After(Cue cue, TextRange range, size_t chars) const {
  if (!Has(cue)) return false;
  const size_t window = chars * kCharBytesMax;
  const auto [first, last] = Between(range.begin + 1, range.end + window + 64);
  for (size_t i = first; i < last; ++i) {
    const Hit& hit = hits_[i];
    if (hit.cue != cue) continue;
    if (hit.begin < range.end) return true;  // inside
    return Within(text_, range.end, hit.begin, chars);
  }
  return false;
}

bool Evidence::Near(Cue cue, TextRange range, size_t chars) const {
  return Has(cue) && (Before(cue, range, chars) || After(cue, range, chars));
}

}  // namespace headgate::router
