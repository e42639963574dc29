// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/gapped_runs.h"

#include <algorithm>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kGappedTokenMax = 6, kGappedDigitsMin = 4;

// What a token of a gapped run is made of.
constexpr ByteSet kPart = [] {
  ByteSet part("+=@:()");
  for (size_t i = 0; i < 0x80; ++i) {
    if (IsAlnum(static_cast<char>(i))) part.Add(static_cast<uint8_t>(i));
  }
  return part;
}();

bool All(std::string_view part, bool (*is)(char)) { return std::all_of(part.begin(), part.end(), is); }

// What the run from `at` on says without its separators: tokens of `length`, the last perhaps shorter.
void Close(std::string_view text, size_t at, size_t length, size_t separator, GappedRun& run) {
  constexpr size_t kWordMin = 3;
  constexpr std::string_view kBetweenWays = "\nor\n";
  const auto take = [&](size_t from, size_t to) {
    for (size_t k = from; k < to; ++k) {
      run.closed += text[k];
      run.origin.push_back(static_cast<uint32_t>(k));
    }
  };
  const auto close = [&](size_t from) {
    for (size_t begin = from; begin < run.end; begin += length + separator) {
      take(begin, std::min(begin + length, run.end));
    }
  };
  // Letters in front may be a word (`card GQ2T GOJS`), or not.
  if (length < kWordMin || !All(text.substr(at, length), IsLetter)) return close(at);
  take(at, at + length + separator);
  close(at + length + separator);
  const size_t first_way = run.origin.size();
  run.closed += kBetweenWays;
  close(at);
  run.origin.resize(first_way);  // the second way stands behind it
  run.origin.resize(run.closed.size(), static_cast<uint32_t>(run.end));
}

// The next token from `at` on, which begins one, that such a run may begin with: most words are told by the length of
// the word behind them. The text's size: there is none.
size_t NextMayBeGapped(std::string_view text, size_t at) {
  const auto part = [&](size_t i) { return kPart.Has(text[i]); };
  size_t begin = 0, end = 0, gap_end = SIZE_MAX;  // of the token before, and where the separator behind it ends
  while (true) {
    while (at < text.size() && !part(at)) ++at;
    if (at >= text.size()) return at;
    const size_t first = at;
    while (at < text.size() && part(at)) ++at;
    const size_t size = at - first;
    if (gap_end == first && (end - begin == size || end - begin == 1)) return begin;
    begin = first, end = at;
    gap_end = size > kGappedTokenMax ? SIZE_MAX : at + SeparatorLength(text, at);
    if (gap_end == at) gap_end = SIZE_MAX;
  }
}

// The run that begins at `at`.
GappedRun GappedRunAt(std::string_view text, size_t at) {
  constexpr size_t kTokenMax = kGappedTokenMax, kTokensMin = 3, kSinglesMin = 8, kCharactersMin = 8,
                   kCharactersMax = 2048, kNumberMax = 20, kHexMin = 16;
  const auto part = [&](size_t i) { return i < text.size() && kPart.Has(text[i]); };
  GappedRun run;
  run.end = run.next = at + 1;
  if (!part(at) || (at > 0 && part(at - 1))) return run;
  // Most words are settled here: the next token has another length.
  size_t first = at;
  while (part(first) && first - at <= kTokenMax) ++first;
  run.next = first;
  const size_t first_gap = SeparatorLength(text, first);
  if (first - at > kTokenMax || first_gap == 0) return run;
  size_t second = first + first_gap;
  while (part(second) && second - first - first_gap <= kTokenMax) ++second;
  if (first - at > 1 && second - first - first_gap != first - at) return run;
  // `card 3435 3339`: a word before the run.
  const size_t behind = first + first_gap;
  const bool word = first - at > 1 && All(text.substr(at, first - at), IsLower);
  if (word && All(text.substr(behind, second - behind), IsDigit)) return run;
  size_t length = 0, tokens = 0, digits = 0, letters = 0, characters = 0, last = 0;
  std::string_view separator;
  for (size_t i = at; i < text.size() && characters < kCharactersMax;) {
    const size_t begin = i;
    // With single characters, signs of the value stand alone as well (`s k - a`).
    if (!part(i) && length == 1 && text[i] > ' ' && static_cast<uint8_t>(text[i]) < 0x7F) ++i;
    while (part(i) && i - begin <= kTokenMax) ++i;
    const size_t size = i - begin;
    if (size == 0 || size > kTokenMax || (tokens > 0 && size > length)) break;
    if (tokens == 0) length = size;
    ++tokens;
    characters += size;
    for (size_t k = begin; k < i; ++k) digits += IsDigit(text[k]), letters += IsLetter(text[k]);
    run.end = i;
    const size_t gap = SeparatorLength(text, i);
    if (gap == 0 || size < length) break;
    const std::string_view here = text.substr(i, gap);
    if (separator.empty()) separator = here;
    if (here != separator) {
      last = begin;  // another run may begin with it
      break;
    }
    i += gap;
  }
  run.next = std::max(last > at ? last : run.end, at + 1);
  const bool enough = tokens >= (length == 1 ? kSinglesMin : kTokensMin);
  const bool code = letters >= 1 || digits > kNumberMax || (digits >= kHexMin && length % 2 == 0 && text[at] == '3');
  if (!enough || characters < kCharactersMin || digits < kGappedDigitsMin || !code) return run;
  run.next = run.end;
  Close(text, at, length, separator.size(), run);
  return run;
}

}  // namespace

// No run goes over a longer token, so only stretches between two of them that hold digits enough are looked at.
void ForEachGappedRun(std::string_view text, absl::FunctionRef<void(size_t, const GappedRun&)> visit) {
  const ByteMarks digits(text, kDigitBytes), parts(text, kPart), longs = parts.Runs(kGappedTokenMax + 1);
  for (size_t digit = digits.Next(0); digit < text.size();) {
    size_t at = longs.EndBefore(digit + 1);
    while (at > 0 && at < text.size() && parts.Has(at)) ++at;
    if (at > digit) {  // of such a token
      digit = digits.Next(at);
      continue;
    }
    const size_t end = longs.Next(digit);
    const bool enough = digits.Skip(at, kGappedDigitsMin - 1) < end;
    const std::string_view stretch = text.substr(0, end + kGappedTokenMax + 1);  // and what ends it
    while (enough && (at = NextMayBeGapped(stretch, at)) < stretch.size()) {
      const GappedRun run = GappedRunAt(stretch, at);
      if (!run.closed.empty()) visit(at, run);
      at = run.next;
    }
    digit = digits.Next(end);
  }
}

}  // namespace headgate::router
