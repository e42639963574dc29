// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Each reader goes over a text once and says what to put in place of its parts; a round puts all of them together.
// Offsets are composed on the way down, so that a value several encodings deep still points into what the client sent.
#include "router/sensitivity/decoded_views.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/functional/function_ref.h"
#include "router/sensitivity/blobs.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/numerals.h"
#include "router/sensitivity/rewriter.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kGappedDigitsMin = 4;

// What a byte may be part of.
enum ByteKind : uint8_t { kBase64 = 1, kEscapeStart = 2, kNewline = 4 };

constexpr std::array<uint8_t, 256> kKinds = [] {
  std::array<uint8_t, 256> kinds{};
  for (size_t i = 0; i < 256; ++i) kinds[i] = kIsBase64Byte[i] ? kBase64 : 0;
  for (const char c : kEscapeBegins) kinds[static_cast<uint8_t>(c)] = kEscapeStart;
  kinds['\n'] = kNewline;
  return kinds;
}();

// One pass that says which readers have something to do: most texts need none.
struct Hints {
  uint8_t kinds = 0;
  size_t longest_blob = 0;
  size_t digits = 0, letters = 0;
  size_t numeral_starts = 0;  // bytes that may begin a numeral in words
};
Hints LookThrough(std::string_view text) {
  Hints hints;
  size_t blob = 0;
  for (const char c : text) {
    const uint8_t kind = kKinds[static_cast<uint8_t>(c)];
    hints.kinds |= kind;
    blob = kind == kBase64 ? blob + 1 : 0;
    hints.longest_blob = std::max(hints.longest_blob, blob);
    hints.digits += IsDigit(c);
    hints.letters += IsLetter(c);
    hints.numeral_starts += static_cast<uint8_t>(c) >= 0xE2 || LowerAscii(c) == 'e';
  }
  return hints;
}

Edits ReadEscapes(std::string_view text) {
  Edits edits;
  for (size_t at = text.find_first_of(kEscapeBegins); at != std::string_view::npos;) {
    const Escape escape = EscapeAt(text, at);
    if (escape.length > 0) edits.Add(at, at + escape.length, escape.bytes, at);
    at = text.find_first_of(kEscapeBegins, at + (escape.length > 0 ? escape.length : escape.skip));
  }
  return edits;
}

// Runs of digits in words as digits.
Edits ReadNumerals(std::string_view text) {
  Edits edits;
  ForEachNumeralRun(text, [&](const NumeralRun& run) { edits.Add(run.begin, run.end, run.text, run.origin); });
  return edits;
}

// Characters that were set apart evenly (`s k - a b c`, `GB82 WEST 1234`), put together again. Digits alone are what
// CanonicalText::joined is for.
Edits CloseGaps(std::string_view text) {
  Edits edits;
  for (size_t at = 0; at < text.size();) {
    const GappedRun run = GappedRunAt(text, at);
    if (!run.closed.empty()) edits.Add(at, run.end, run.closed, run.origin);
    at = run.next;
  }
  return edits;
}

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Those of `blobs` that stand in no token with an escape: without it the token may be something else, such as a JWT, of
// which a blob is a part.
Edits WithoutTokensOf(const Edits& escapes, Edits blobs, std::string_view text) {
  if (escapes.empty()) return blobs;
  size_t next = 0, token = 0, token_end = 0;
  const auto stays = [&](const Edits::Edit& blob) {
    if (blob.begin >= token_end) {
      token = blob.begin;
      while (token > token_end && !IsSpace(text[token - 1])) --token;
      token_end = blob.end;
      while (token_end < text.size() && !IsSpace(text[token_end])) ++token_end;
    }
    while (next < escapes.list.size() && escapes.list[next].end <= token) ++next;
    return next == escapes.list.size() || escapes.list[next].begin >= token_end;
  };
  blobs.list.erase(std::remove_if(blobs.list.begin(), blobs.list.end(), [&](const auto& blob) { return !stays(blob); }),
                   blobs.list.end());
  return blobs;
}

Edits ReadAll(std::string_view text, const Hints& hints) {
  Edits edits;
  if ((hints.kinds & kEscapeStart) != 0) edits = ReadEscapes(text);
  if (hints.longest_blob >= kBlobBytesMin) edits.Merge(WithoutTokensOf(edits, ReadBlobs(text), text));
  if (hints.numeral_starts > 0) edits.Merge(ReadNumerals(text));
  if (hints.digits >= kGappedDigitsMin) edits.Merge(CloseGaps(text));
  return edits;
}

bool IsTokenByte(char c) {
  return IsBase64Byte(c) || kKinds[static_cast<uint8_t>(c)] == kEscapeStart ||
         std::string_view("=#;.:@()").find(c) != std::string_view::npos;
}

// A piece at the end of a line or at the beginning of one: half of a key or of something encoded, or a word.
struct Token {
  std::string text;  // what came together so far, at most kTokenBytesMax of its end
  bool digit = false, letter = false, sign = false;
  bool word = true;  // of small letters, perhaps after a capital
  bool capitals = true;
  int lines = 1;

  bool number() const { return digit && !letter && !sign; }
  bool mixed() const { return sign || (letter && (digit || !word)); }
  void Append(std::string_view more);
};
constexpr size_t kTokenBytesMax = 4096;

void Token::Append(std::string_view more) {
  for (const char c : more) {
    digit |= IsDigit(c);
    letter |= IsLetter(c);
    sign |= kKinds[static_cast<uint8_t>(c)] == kEscapeStart;
    word &= !IsDigit(c) && c != '-' && c != '_' && !(IsUpper(c) && !text.empty());
    capitals &= IsUpper(c);
    text += c;
  }
}

// A number with a check digit over two or three lines, or text in hex.
bool IsOneNumber(const std::string& digits, int lines) {
  constexpr size_t kHexMin = 16;
  constexpr int kLinesMax = 3;
  if (lines <= kLinesMax && (IsBankCard(digits) || IsCnResidentId(digits))) return true;
  if (digits.size() < kHexMin || digits.size() % 2 != 0) return false;
  for (size_t i = 0; i < digits.size(); i += 2) {
    if (digits[i] < '2' || digits[i] > '7') return false;
  }
  return true;
}

bool MayBeOne(const Token& before, const Token& after) {
  constexpr size_t kPrefixMax = 4;
  if (before.text.empty() || after.text.empty()) return false;
  if (before.mixed() && after.mixed()) return true;
  if (!before.mixed() && !after.mixed()) {
    return before.capitals && before.text.size() <= kPrefixMax && after.number();
  }
  const Token& other = before.mixed() ? after : before;
  return !other.word || other.text.size() <= kPrefixMax;
}

// A line's end inside of base64, with what stands around it in a quoted, indented or listed text: [from, to). Empty: it
// is none.
std::pair<size_t, size_t> WrapAround(std::string_view text, size_t newline) {
  constexpr size_t kLineMin = 20, kLastLineMin = 4, kAroundMax = 32;
  constexpr std::string_view kBehind = " \t\r\"',", kBefore = " \t>\"'";
  size_t from = newline, to = newline + 1;
  while (from > 0 && newline - from < kAroundMax && kBehind.find(text[from - 1]) != std::string_view::npos) --from;
  while (to < text.size() && to - newline < kAroundMax && kBefore.find(text[to]) != std::string_view::npos) ++to;
  const auto is_blob = [&](size_t begin, size_t end) {
    return end <= text.size() && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                             text.begin() + static_cast<std::ptrdiff_t>(end), IsBase64Byte);
  };
  const bool wraps = from >= kLineMin && is_blob(from - kLineMin, from) && is_blob(to, to + kLastLineMin);
  return wraps ? std::pair{from, to} : std::pair{newline, newline};
}

// Newlines inside of what may be one value. Most numbers alone are what CanonicalText::joined is for.
Edits Unwrap(std::string_view text) {
  Edits edits;
  Token joined;     // up to `joined_end`
  Token numbers;    // lines of digits only, one after the other
  std::vector<size_t> between;
  size_t joined_end = std::string_view::npos;
  const auto end_numbers = [&] {
    if (!between.empty() && IsOneNumber(numbers.text, numbers.lines)) {
      for (const size_t newline : between) edits.Add(newline, newline + 1, "", newline);
    }
    between.clear();
  };
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (const auto [from, to] = WrapAround(text, at); to > from) {
      end_numbers();
      edits.Add(from, to, "", from);
      continue;
    }
    size_t left = at, right = at + 1;
    while (left > 0 && at - left < kTokenBytesMax && IsTokenByte(text[left - 1])) --left;
    while (right < text.size() && right - at <= kTokenBytesMax && IsTokenByte(text[right])) ++right;
    Token before, after;
    before.Append(text.substr(left, at - left));
    after.Append(text.substr(at + 1, right - at - 1));
    if (left == joined_end + 1) {
      joined.Append(before.text);
      before = std::move(joined);
      if (before.text.size() > kTokenBytesMax) before.text.erase(0, before.text.size() - kTokenBytesMax);
    }
    if (before.number() && after.number()) {
      if (between.empty() || between.back() + 1 != left) {
        end_numbers();
        numbers = before;
      }
      numbers.Append(after.text);
      ++numbers.lines;
      between.push_back(at);
      continue;
    }
    end_numbers();
    if (!MayBeOne(before, after)) continue;
    edits.Add(at, at + 1, "", at);
    joined = std::move(before);
    joined_end = at;
  }
  end_numbers();
  return edits;
}

class Decoder {
 public:
  Decoder(DecodeBudget& budget, std::vector<DecodedView>& views) : budget_(budget), views_(views) {}
  using OriginalOf = absl::FunctionRef<uint32_t(size_t)>;  // original offset of canonical byte i, the end included

  void Decode(std::string_view canonical, OriginalOf original_of, int round, bool unwrapped) {
    const Hints hints = LookThrough(canonical);
    GoOn(canonical, ReadAll(canonical, hints), original_of, round, unwrapped);
    if (!unwrapped && (hints.kinds & kNewline) != 0) {
      GoOn(canonical, Unwrap(canonical), original_of, round, true);
    }
  }

 private:
  void GoOn(std::string_view canonical, const Edits& edits, OriginalOf original_of, int round, bool unwrapped) {
    if (edits.empty() || budget_.exhausted) return;
    constexpr int kWholeRounds = 2;
    const bool whole = !unwrapped && round < kWholeRounds;
    Rewritten rewritten = Rewrite(canonical, edits, whole ? Keep::kAll : Keep::kNear);
    if (round == kDecodeRounds || rewritten.text.size() > budget_.bytes_left) {
      budget_.exhausted = true;
      return;
    }
    budget_.bytes_left -= rewritten.text.size();
    DecodedView view{unwrapped ? "unwrapped" : "decoded", std::move(rewritten.text), std::move(rewritten.origin),
                     whole};
    for (uint32_t& offset : view.origin) offset = original_of(offset);
    const CanonicalText inner = CanonicalText::Make(view.text);
    const std::vector<uint32_t> origin = view.origin;
    views_.push_back(std::move(view));
    Decode(
        inner.text(), [&](size_t i) { return origin[static_cast<size_t>(inner.Original(i, i).begin)]; }, round + 1,
        unwrapped);
  }

  DecodeBudget& budget_;
  std::vector<DecodedView>& views_;
};

}  // namespace

std::vector<DecodedView> DecodeViews(const CanonicalText& text, DecodeBudget& budget) {
  std::vector<DecodedView> views;
  Decoder(budget, views)
      .Decode(
          text.text(), [&](size_t i) { return static_cast<uint32_t>(text.Original(i, i).begin); }, 0, false);
  return views;
}

}  // namespace headgate::router
