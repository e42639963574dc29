// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/number_patterns.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr uint16_t kAnyDigit = 0x3FF;

uint16_t BitOf(char digit) { return static_cast<uint16_t>(1u << (digit - '0')); }

// The class `3-9` or `48`; 0 when it is none.
uint16_t DigitsOf(std::string_view of) {
  uint16_t digits = 0;
  for (size_t i = 0; i < of.size(); ++i) {
    if (!IsDigit(of[i])) return 0;
    if (i + 2 < of.size() && of[i + 1] == '-') {
      if (!IsDigit(of[i + 2])) return 0;
      for (char digit = of[i]; digit <= of[i + 2]; ++digit) digits |= BitOf(digit);
      i += 2;
    } else {
      digits |= BitOf(of[i]);
    }
  }
  return digits;
}

}  // namespace

absl::StatusOr<NumberPatterns::Form> NumberPatterns::Parse(std::string_view expression) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(absl::StrCat("pattern `", std::string(expression), "`: is none of digits"));
  };
  Form form;
  std::string_view rest = expression;
  if (rest.substr(0, 2) == "\\+") {
    form.plus = true;
    rest.remove_prefix(2);
  }
  while (!rest.empty()) {
    if (form.cross) return bad();  // of the last place only
    std::string_view of = rest.substr(0, 1);
    size_t length = 1;
    if (of == "[") {
      const size_t close = rest.find(']');
      if (close == std::string_view::npos) return bad();
      of = rest.substr(1, close - 1);
      length = close + 1;
    }
    rest.remove_prefix(length);
    if (of == "0-9Xx") {
      form.cross = true;
      of.remove_suffix(2);
    }
    const uint16_t digits = DigitsOf(of);
    if (digits == 0) return bad();
    int count = 1;
    if (rest.substr(0, 1) == "{") {
      const size_t close = rest.find('}');
      if (close == std::string_view::npos) return bad();
      const std::string_view number = rest.substr(1, close - 1);
      if (!absl::SimpleAtoi(absl::string_view(number.data(), number.size()), &count) || count < 1) return bad();
      rest.remove_prefix(close + 1);
    }
    for (int i = 0; i < count; ++i, ++form.length) {
      if (digits != kAnyDigit) form.places.push_back({form.length, digits});
    }
  }
  if (form.length == 0) return bad();
  return form;
}

absl::StatusOr<NumberPatterns> NumberPatterns::Compile(const std::vector<std::string>& expressions) {
  NumberPatterns patterns;
  for (const std::string& expression : expressions) {
    ASSIGN_OR_RETURN(Form form, Parse(expression));
    const size_t index = patterns.forms_.size();
    if (index == 64 || form.length > kLengthMax) return absl::InvalidArgumentError("too many patterns, or too long");
    const bool any = form.places.empty() || form.places.front().at > 0;
    for (size_t digit = 0; digit < 10; ++digit) {
      const bool may = any || (form.places.front().digits >> digit & 1) != 0;
      patterns.by_first_[digit] |= uint64_t{may} << index;
    }
    for (size_t length = form.length - (form.cross ? 1 : 0); length <= kLengthMax; ++length) {
      patterns.by_length_[length] |= uint64_t{1} << index;
    }
    patterns.forms_.push_back(std::move(form));
  }
  return patterns;
}

// The forms that the digits [begin, end) begin with; `end` is where they end.
void NumberPatterns::At(std::string_view view, size_t begin, size_t end,
                        absl::FunctionRef<void(size_t, size_t, size_t)> on_match) const {
  const bool plus = begin > 0 && view[begin - 1] == '+';
  const bool cross = end < view.size() && LowerAscii(view[end]) == 'x';
  const size_t digits = end - begin;
  uint64_t left = by_first_[static_cast<size_t>(view[begin] - '0')] & by_length_[std::min(digits, kLengthMax)];
  for (; left != 0; left &= left - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(left));
    const Form& form = forms_[i];
    if (digits < form.length && !(form.cross && cross && digits + 1 == form.length)) continue;
    if (form.plus && !plus) continue;
    bool matches = true;
    for (const Place& place : form.places) matches = matches && (place.digits & BitOf(view[begin + place.at])) != 0;
    if (matches) on_match(i, begin - (form.plus ? 1 : 0), begin + form.length);
  }
}

void NumberPatterns::Scan(const CanonicalText& text, bool joined,
                          absl::FunctionRef<void(size_t, size_t, size_t)> on_match) const {
  const std::string_view view = joined ? text.joined() : text.text();
  const ByteMarks digits(view, kDigitBytes);
  for (size_t at = digits.Next(0); at < view.size(); at = digits.Next(at)) {
    const size_t run = at;
    while (at < view.size() && IsDigit(view[at])) ++at;
    const auto starts_group = [&](size_t i) {
      return i == run || (joined && text.TextOffsetOfJoined(i) != text.TextOffsetOfJoined(i - 1) + 1);
    };
    // What no separator stands in was found in text().
    if (joined && text.TextOffsetOfJoined(at - 1) - text.TextOffsetOfJoined(run) == at - 1 - run) {
      const bool cross = at < view.size() && LowerAscii(view[at]) == 'x';
      if (!cross || text.TextOffsetOfJoined(at) == text.TextOffsetOfJoined(at - 1) + 1) continue;
    }
    const size_t last = joined ? at : run + 1;
    for (size_t begin = run; begin < last; ++begin) {
      if (!starts_group(begin)) continue;
      At(view, begin, at, on_match);
      const std::string_view rest = view.substr(begin, at - begin);
      // The country codes that may touch the number; behind separators a group begins.
      const bool after_plus = begin > 0 && view[begin - 1] == '+';
      if (after_plus && rest[0] == '1' && rest.size() > 1) At(view, begin + 1, at, on_match);
      if (rest.substr(0, 2) == "86" && rest.size() > 2) At(view, begin + 2, at, on_match);
      if (rest.substr(0, 4) == "0086" && rest.size() > 4) At(view, begin + 4, at, on_match);
    }
  }
}

}  // namespace headgate::router
