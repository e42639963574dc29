// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/number_shape.h"

#include <algorithm>

#include "router/sensitivity/canonical_text.h"

namespace headgate::router {
namespace {

// Begin of the separators that end at `end`; `end` when there are none.
size_t SeparatorsBefore(std::string_view text, size_t end) {
  size_t begin = end;
  for (int count = 0; count < kSeparatorsMax; ++count) {
    bool found = false;
    for (size_t length = 1; length <= 3 && length <= begin && !found; ++length) {
      if (SeparatorLength(text, begin - length) == length) begin -= length, found = true;
    }
    if (!found) break;
  }
  return begin;
}

size_t SeparatorsAfter(std::string_view text, size_t begin) {
  size_t end = begin;
  for (int count = 0; count < kSeparatorsMax; ++count) end += SeparatorLength(text, end);
  return end;
}

}  // namespace

NumberShape::NumberShape(std::string_view text, TextRange range) : text_(text), range_(range) {
  LookInside();
  LookBeside();
}

void NumberShape::LookInside() {
  for (size_t at = range_.begin; at < range_.end && group_count_ < kGroupsMax;) {
    const size_t begin = at;
    while (at < range_.end && IsAlnum(text_[at])) ++at;
    groups_[static_cast<size_t>(group_count_++)] = {begin, at};
    const size_t next = std::min(SeparatorsAfter(text_, at), range_.end);
    if (next == at) break;
    const std::string_view separator = text_.substr(at, next - at);
    has_comma_ |= separator.find(',') != std::string_view::npos;
    if (separator_.empty()) separator_ = separator;
    one_separator_ &= separator == separator_;
    at = next;
  }
}

void NumberShape::LookBeside() {
  const auto digit = [this](size_t at) { return at < text_.size() && IsDigit(text_[at]); };
  stands_alone_ = !(range_.begin > 0 && digit(range_.begin - 1)) && !digit(range_.end);
  const size_t left = SeparatorsBefore(text_, range_.begin);
  const size_t right = SeparatorsAfter(text_, range_.end);
  const std::string_view before = text_.substr(left, range_.begin - left);
  const std::string_view after = text_.substr(range_.end, right - range_.end);
  const bool listed_before = left > 0 && digit(left - 1) && !before.empty() && before == separator_;
  const bool listed_after = digit(right) && !after.empty() && after == separator_;
  free_standing_ = stands_alone_ && !listed_before && !listed_after;
}

std::string NumberShape::groups() const {
  std::string sizes;
  for (int i = 0; i < group_count_; ++i) {
    const TextRange& group = groups_[static_cast<size_t>(i)];
    const size_t size = group.end - group.begin;
    if (i > 0) sizes += '-';
    if (size >= 10) sizes += static_cast<char>('0' + size / 10);
    sizes += static_cast<char>('0' + size % 10);
  }
  return sizes;
}

bool NumberShape::Uniform(int smallest) const {
  const size_t size = groups_[0].end - groups_[0].begin;
  for (int i = 1; i < group_count_; ++i) {
    const TextRange& group = groups_[static_cast<size_t>(i)];
    const size_t length = group.end - group.begin;
    if (i + 1 < group_count_ ? length != size : length > size) return false;
  }
  return size >= static_cast<size_t>(smallest);
}

bool NumberShape::LooksLikeIpv4() const {
  if (group_count_ != 4 || !one_separator_ || separator_ != ".") return false;
  for (size_t i = 0; i < 4; ++i) {
    const std::string_view group = text_.substr(groups_[i].begin, groups_[i].end - groups_[i].begin);
    int value = 0;
    for (const char c : group) value = value * 10 + (c - '0');
    if (group.size() > 3 || value > 255) return false;
  }
  return true;
}

bool IsListedByCommas(std::string_view text, TextRange range) {
  const auto blank = [](char c) { return c == ' ' || c == '\n'; };
  size_t before = range.begin, after = range.end;
  while (before > 0 && blank(text[before - 1])) --before;
  while (after < text.size() && blank(text[after])) ++after;
  const auto number_at = [&](size_t at) { return at < text.size() && IsDigit(text[at]); };
  if (after < text.size() && text[after] == ',') {
    for (++after; after < text.size() && blank(text[after]);) ++after;
    if (number_at(after)) return true;
  }
  if (before == 0 || text[before - 1] != ',') return false;
  for (--before; before > 0 && blank(text[before - 1]);) --before;
  return before > 0 && number_at(before - 1);
}

}  // namespace headgate::router
