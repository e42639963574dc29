// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/canonical_text.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "common/every_byte.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/folding.h"
#include "router/sensitivity/reading_work.h"

namespace headgate::router {
namespace {

constexpr size_t kJoinedDigitsMin = 6;
constexpr size_t kResidentIdDigits = 17;  // after as many, a separated X is the check character

enum ByteClass : uint8_t { kOther, kDigit, kSeparator, kLead };  // kLead: may begin a separator of several bytes

constexpr std::array<uint8_t, 256> kByteClass = [] {
  std::array<uint8_t, 256> classes{};
  for (char c = '0'; c <= '9'; ++c) classes[static_cast<uint8_t>(c)] = kDigit;
  for (const char c : {' ', '-', '.', '/', '_', ',', '\n', '\r', '\t', '(', ')', '|', '*'}) {
    classes[static_cast<uint8_t>(c)] = kSeparator;
  }
  classes[0xC2] = classes[0xE2] = classes[0xE3] = kLead;
  return classes;
}();

uint8_t ClassOf(std::string_view text, size_t at) { return kByteClass[static_cast<uint8_t>(text[at])]; }
bool IsDigitAt(std::string_view text, size_t at) { return at < text.size() && ClassOf(text, at) == kDigit; }
bool IsAlnumAt(std::string_view text, size_t at) {
  if (at >= text.size()) return false;
  const char c = text[at];
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Printable ASCII and ordinary white space: canonical as it is.
constexpr bool IsPlainByte(uint8_t byte) {
  return !((byte >= 0x7F) | ((byte < 0x20) & (byte != '\n') & (byte != '\t') & (byte != '\r')));
}
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t i = 0; i < 256; ++i) plain[i] = IsPlainByte(static_cast<uint8_t>(i));
  return plain;
}();

// End of the separators that begin at `at`, when a number may go on after them; `at` when there are none.
size_t SkipSeparators(std::string_view text, size_t at) {
  for (int count = 0; count < kSeparatorsMax; ++count) {
    const size_t length = SeparatorLength(text, at);
    if (length == 0) break;
    at += length;
  }
  return at;
}

struct Run {
  size_t end = 0;
  size_t digits = 0;
  bool separated = false;
};

// The number that begins with the digit at `begin`, over its separators.
Run NumberAt(std::string_view text, size_t begin) {
  Run run;
  size_t at = begin;
  while (true) {
    while (IsDigitAt(text, at)) ++at, ++run.digits;
    run.end = at;
    const size_t next = SkipSeparators(text, at);
    if (next == at || next >= text.size()) return run;
    if (!IsDigitAt(text, next)) {
      if (run.digits >= kResidentIdDigits && (text[next] == 'x' || text[next] == 'X') && !IsAlnumAt(text, next + 1)) {
        run.separated = true;
        run.end = next + 1;
      }
      return run;
    }
    run.separated = true;
    at = next;
  }
}

}  // namespace

size_t SeparatorLength(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  switch (ClassOf(text, at)) {
    case kSeparator:
      return text.substr(at, 2) == "\r\n" ? 2 : 1;  // one line's end
    case kLead: {
      const std::string_view rest = text.substr(at, 3);
      if (rest.substr(0, 2) == "·") return 2;
      for (const std::string_view separator : {"、", "。", "・", "•"}) {
        if (rest == separator) return 3;
      }
      return 0;
    }
    default:
      return 0;
  }
}

CanonicalText CanonicalText::Make(std::string_view original) {
  constexpr size_t kFoldSteps = 8;
  CanonicalText text;
  if (EveryByte(original, [](uint8_t byte) { return IsPlainByte(byte); })) {
    text.text_ = original;
  } else {
    ReadingWork::Spend(kFoldSteps * original.size());
    text.FoldAll(original);
  }
  text.Join();
  return text;
}

void CanonicalText::FoldAll(std::string_view original) {
  const Folding& folding = Folding::Get();
  text_.reserve(original.size() + 16);
  origin_.reserve(original.size() + 17);
  const auto* bytes = reinterpret_cast<const uint8_t*>(original.data());
  const auto size = static_cast<int32_t>(original.size());
  int32_t copied = 0;  // what lies before is in text_; what lies between it and `at` stays as it is
  const auto copy = [&](int32_t end) {
    text_.append(original.substr(static_cast<size_t>(copied), static_cast<size_t>(end - copied)));
    origin_.resize(text_.size());
    std::iota(origin_.end() - (end - copied), origin_.end(), static_cast<uint32_t>(copied));
  };
  for (int32_t at = 0; at < size;) {
    if (kPlain[bytes[at]]) {
      ++at;
      continue;
    }
    const int32_t begin = at;
    UChar32 code_point;
    U8_NEXT(bytes, at, size, code_point);
    if (code_point >= 0 && folding.Keeps(static_cast<char32_t>(code_point))) continue;
    copy(begin);
    copied = at;
    if (code_point < 0) {
      valid_utf8_ = false;
      Folding::AppendUtf8(0xFFFD, text_);
    } else {
      folding.Append(static_cast<char32_t>(code_point), text_);
    }
    origin_.resize(text_.size(), static_cast<uint32_t>(begin));
  }
  copy(size);
  origin_.push_back(static_cast<uint32_t>(original.size()));
}

void CanonicalText::Join() {
  const std::string_view text = text_;
  size_t copied = 0;
  const auto copy = [&](size_t begin, size_t end) {
    joined_.append(text.substr(begin, end - begin));
    joined_origin_.resize(joined_.size());
    std::iota(joined_origin_.end() - static_cast<std::ptrdiff_t>(end - begin), joined_origin_.end(),
              static_cast<uint32_t>(begin));
  };
  const ByteMarks digits(text, kDigitBytes);
  if (digits.Skip(0, kJoinedDigitsMin - 1) == text.size()) return;
  for (size_t at = digits.Next(0); at < text.size(); at = digits.Next(at)) {
    const Run run = NumberAt(text, at);
    if (run.separated && run.digits >= kJoinedDigitsMin) {
      copy(copied, at);
      for (size_t i = at; i < run.end; ++i) {
        if (!IsAlnumAt(text, i)) continue;
        joined_ += text[i];
        joined_origin_.push_back(static_cast<uint32_t>(i));
      }
      copied = run.end;
    }
    at = run.end;
  }
  if (copied == 0) return;
  copy(copied, text.size());
  joined_origin_.push_back(static_cast<uint32_t>(text.size()));
}

CanonicalText::Span CanonicalText::Original(size_t begin, size_t end) const {
  if (origin_.empty()) return {static_cast<int32_t>(begin), static_cast<int32_t>(end)};
  const auto first = static_cast<int32_t>(origin_[begin]);
  if (begin == end) return {first, first};
  // One original character may have become several bytes: go on to where the next one begins.
  size_t next = end;
  while (next + 1 < origin_.size() && origin_[next] == origin_[end - 1]) ++next;
  return {first, static_cast<int32_t>(origin_[next])};
}

CanonicalText::Span CanonicalText::OriginalOfJoined(size_t begin, size_t end) const {
  if (!has_joined()) return Original(begin, end);
  if (begin == end) return Original(joined_origin_[begin], joined_origin_[begin]);
  return Original(joined_origin_[begin], joined_origin_[end - 1] + 1);
}

}  // namespace headgate::router
