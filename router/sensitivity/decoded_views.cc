// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Each decoder reads a text once and writes a Piece: bytes with the offset each came from. Offsets are composed on the
// way down, so that a value two encodings deep still points into what the client sent.
#include "router/sensitivity/decoded_views.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "router/sensitivity/folding.h"
#include "router/sensitivity/numerals.h"
#include "router/sensitivity/secrets.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr int kDepthMax = 2;
constexpr size_t kContextBytes = 64;  // kept around a part that was decoded in place
constexpr size_t kBlobBytesMin = 14;  // base64 of an 11-digit number is 15
constexpr size_t kHexBytesMin = 16;
constexpr size_t kGappedDigitsMin = 4;
constexpr std::string_view kBetweenParts = "\n\n\n\n";  // more separators than a number may hold

// What a byte may be part of.
enum ByteKind : uint8_t { kBase64 = 1, kEscapeStart = 2 };

constexpr std::array<uint8_t, 256> kKinds = [] {
  std::array<uint8_t, 256> kinds{};
  for (size_t i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    if (IsAlnum(c) || c == '+' || c == '/' || c == '-' || c == '_') kinds[i] = kBase64;
    if (c == '\\' || c == '&' || c == '%') kinds[i] = kEscapeStart;
  }
  return kinds;
}();

bool IsBase64Byte(char c) { return kKinds[static_cast<uint8_t>(c)] == kBase64; }

// One pass that says which decoders have something to do: most texts need none.
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

// A decoder's result; origin holds offsets into the decoder's input, `end` the one past the end.
struct Piece {
  std::string text;
  std::vector<uint32_t> origin;
  size_t end = 0;
  void Append(std::string_view bytes, size_t from) {
    text += bytes;
    origin.resize(text.size(), static_cast<uint32_t>(from));
  }
  void Copy(std::string_view source, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) Append(source.substr(i, 1), i);
  }
};

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = LowerAscii(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// `count` hex digits at `at`, or -1.
int64_t HexNumber(std::string_view text, size_t at, size_t count) {
  if (count == 0 || count > 8 || at + count > text.size()) return -1;
  int64_t value = 0;
  for (size_t i = at; i < at + count; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

struct Escape {
  std::string bytes;
  size_t length = 0;  // of the escape; 0: there is none
};

Escape CodePoint(int64_t code_point, size_t length) {
  if (code_point <= 0 || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) return {};
  Escape escape{"", length};
  Folding::AppendUtf8(static_cast<char32_t>(code_point), escape.bytes);
  return escape;
}

Escape BackslashEscape(std::string_view text, size_t at) {
  if (at + 1 >= text.size()) return {};
  switch (text[at + 1]) {
    // As text, the letter would be part of the word behind it: `\nsk-...` in a tool's JSON hides a key.
    case 'n':
    case 'r':
    case 't':
    case 'b':
    case 'f':
      return {"\n", 2};
    case '/':
      return {"/", 2};
    case 'x': {
      const int64_t byte = HexNumber(text, at + 2, 2);
      return byte < 0 ? Escape{} : Escape{std::string(1, static_cast<char>(byte)), 4};
    }
    case 'U':
      return CodePoint(HexNumber(text, at + 2, 8), 10);
    case 'u': {
      if (at + 2 < text.size() && text[at + 2] == '{') {
        const size_t close = text.substr(0, std::min(text.size(), at + 11)).find('}', at);
        return close == std::string_view::npos ? Escape{}
                                               : CodePoint(HexNumber(text, at + 3, close - at - 3), close + 1 - at);
      }
      const int64_t unit = HexNumber(text, at + 2, 4);
      if (unit >= 0xD800 && unit <= 0xDBFF && text.substr(at + 6, 2) == "\\u") {
        const int64_t low = HexNumber(text, at + 8, 4);
        if (low >= 0xDC00 && low <= 0xDFFF) return CodePoint(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 12);
      }
      return CodePoint(unit, 6);
    }
    default:
      return {};
  }
}

Escape EntityEscape(std::string_view text, size_t at) {
  constexpr size_t kEntityBytesMax = 12;
  if (at + 2 < text.size() && text[at + 1] == '#') {
    const bool hex = LowerAscii(text[at + 2]) == 'x';
    const size_t first = at + (hex ? 3 : 2);
    size_t end = first;
    int64_t value = 0;
    for (; end < text.size() && end - at < kEntityBytesMax; ++end) {
      const int digit = HexValue(text[end]);
      if (digit < 0 || (!hex && digit > 9)) break;
      value = value * (hex ? 16 : 10) + digit;
    }
    if (end == first) return {};
    return CodePoint(value, end - at + (end < text.size() && text[end] == ';' ? 1 : 0));
  }
  static constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
      {"&amp;", "&"}, {"&lt;", "<"},     {"&gt;", ">"},     {"&quot;", "\""},  {"&apos;", "'"}, {"&nbsp;", " "},
      {"&shy;", ""},  {"&commat;", "@"}, {"&period;", "."}, {"&hyphen;", "-"}, {"&plus;", "+"}, {"&lowbar;", "_"}};
  for (const auto& [name, meaning] : kNamed) {
    if (text.substr(at, name.size()) == name) return {std::string(meaning), name.size()};
  }
  return {};
}

Escape EscapeAt(std::string_view text, size_t at) {
  switch (text[at]) {
    case '\\':
      return BackslashEscape(text, at);
    case '&':
      return EntityEscape(text, at);
    case '%': {
      const int64_t byte = HexNumber(text, at + 1, 2);
      return byte < 0 ? Escape{} : Escape{std::string(1, static_cast<char>(byte)), 3};
    }
    default:
      return {};
  }
}

// Writes a text with some of its parts replaced, leaving out what is far from all of them.
class Rewriter {
 public:
  explicit Rewriter(std::string_view text) : text_(text) {}
  // REQUIRES: parts in order, not overlapping.
  void Replace(size_t begin, size_t end, const Piece& by) {
    const size_t context = begin > kContextBytes ? begin - kContextBytes : 0;
    const size_t follow = std::min(text_.size(), copied_ + kContextBytes);
    if (!any_) {
      piece_.Copy(text_, context, begin);
    } else if (context <= follow) {
      piece_.Copy(text_, copied_, begin);
    } else {
      piece_.Copy(text_, copied_, follow);
      piece_.Append(kBetweenParts, follow);
      piece_.Copy(text_, context, begin);
    }
    piece_.text += by.text;
    piece_.origin.insert(piece_.origin.end(), by.origin.begin(), by.origin.end());
    copied_ = end;
    any_ = true;
  }
  Piece Finish() {
    piece_.end = std::min(text_.size(), copied_ + kContextBytes);
    if (any_) piece_.Copy(text_, copied_, piece_.end);
    return std::move(piece_);
  }

 private:
  const std::string_view text_;
  Piece piece_;
  size_t copied_ = 0;
  bool any_ = false;
};

Piece Unescape(std::string_view text) {
  Rewriter rewriter(text);
  for (size_t at = text.find_first_of("\\&%"); at != std::string_view::npos;) {
    const Escape escape = EscapeAt(text, at);
    if (escape.length > 0) {
      Piece bytes;
      bytes.Append(escape.bytes, at);
      rewriter.Replace(at, at + escape.length, bytes);
    }
    at = text.find_first_of("\\&%", at + std::max<size_t>(escape.length, 1));
  }
  return rewriter.Finish();
}

// Text rather than the noise that any word decodes to: valid UTF-8 without control characters.
bool IsReadable(std::string_view bytes) {
  if (bytes.size() < 6) return false;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F) return false;
  }
  size_t letters = 0;
  const CanonicalText text = CanonicalText::Make(bytes);
  for (const char c : text.text()) {
    // What escapes are written with counts too: a value may be escaped inside.
    const bool escape = c == '&' || c == '#' || c == ';' || c == '%' || c == '\\';
    letters += IsAlnum(c) || static_cast<uint8_t>(c) >= 0x80 || c == ' ' || escape;
  }
  return text.valid_utf8() && letters * 3 >= text.text().size();
}

// Calls `visit(begin, end)` for runs of base64 characters; lines of at least 60 are put together.
template <typename Visit>
void ForEachBlob(std::string_view text, Visit visit) {
  constexpr size_t kWrappedLineMin = 60;
  for (size_t at = 0; at < text.size();) {
    if (!IsBase64Byte(text[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    size_t line = at;
    while (true) {
      while (at < text.size() && IsBase64Byte(text[at])) ++at;
      if (at - line < kWrappedLineMin) break;
      size_t next = at;
      if (next < text.size() && text[next] == '\r') ++next;
      if (next >= text.size() || text[next] != '\n') break;
      at = line = next + 1;
    }
    if (at - begin >= kBlobBytesMin) visit(begin, at);
  }
}

std::string WithoutNewlines(std::string_view text) {
  std::string out(text);
  out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }), out.end());
  return out;
}

std::optional<std::string> DecodeHex(std::string_view text) {
  if (text.size() % 2 != 0 || text.size() < kHexBytesMin) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 2) {
    const int64_t byte = HexNumber(text, i, 2);
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

// Blobs in their place, so that the words around them still speak of what they hold.
Piece DecodeBlobs(std::string_view text, std::optional<std::string> (*decode)(std::string_view)) {
  Rewriter rewriter(text);
  const auto read = [&](size_t begin, size_t end) {
    const std::optional<std::string> bytes = decode(WithoutNewlines(text.substr(begin, end - begin)));
    if (!bytes || !IsReadable(*bytes)) return false;
    Piece piece;
    for (size_t i = 0; i < bytes->size(); ++i) {
      piece.Append(std::string_view(*bytes).substr(i, 1), begin + i * (end - begin) / bytes->size());
    }
    rewriter.Replace(begin, end, piece);
    return true;
  };
  ForEachBlob(text, [&](size_t begin, size_t end) {
    if (read(begin, end)) return;
    // What follows a long line may be the next word and no part of the blob.
    size_t line = text.substr(begin, end - begin).rfind('\n');
    if (line == std::string_view::npos || read(begin, begin + line)) return;
    for (size_t at = begin; at < end; at = line + 1) {
      line = std::min(end, text.find('\n', at));
      if (line - at >= kBlobBytesMin) read(at, line);
    }
  });
  return rewriter.Finish();
}

// Runs of digits in words as digits.
Piece ReadNumerals(std::string_view text) {
  Rewriter rewriter(text);
  ForEachNumeralRun(text, [&](const NumeralRun& run) {
    Piece digits;
    digits.text = run.text;
    digits.origin = run.origin;
    rewriter.Replace(run.begin, run.end, digits);
  });
  return rewriter.Finish();
}

// Characters that were set apart evenly (`s k - a b c`, `GB82 WEST 1234`), put together again. Digits alone are what
// CanonicalText::joined is for.
Piece CloseGaps(std::string_view text) {
  Rewriter rewriter(text);
  for (size_t at = 0; at < text.size();) {
    const GappedRun run = GappedRunAt(text, at);
    if (run.closed.empty()) {
      at = run.next;
      continue;
    }
    Piece closed;
    closed.text = run.closed;
    closed.origin = run.origin;
    rewriter.Replace(at, run.end, closed);
    at = run.next;
  }
  return rewriter.Finish();
}

std::vector<std::pair<std::string_view, Piece>> DecodeOnce(std::string_view text) {
  std::vector<std::pair<std::string_view, Piece>> pieces;
  const auto add = [&](std::string_view name, Piece piece) {
    if (!piece.text.empty()) pieces.emplace_back(name, std::move(piece));
  };
  const Hints hints = LookThrough(text);
  if ((hints.kinds & kEscapeStart) != 0) add("unescaped", Unescape(text));
  if (hints.longest_blob >= kBlobBytesMin) {
    add("base64", DecodeBlobs(text, DecodeBase64));
    add("hex", DecodeBlobs(text, DecodeHex));
  }
  if (hints.numeral_starts > 0) add("numerals", ReadNumerals(text));
  if (hints.digits >= kGappedDigitsMin && hints.letters >= 2) add("ungapped", CloseGaps(text));
  return pieces;
}

// `original_of(i)`: original offset of canonical byte i; one past the end included.
void Decode(std::string_view canonical, absl::FunctionRef<uint32_t(size_t)> original_of, int depth,
            DecodeBudget& budget, std::vector<DecodedView>& views) {
  for (auto& [name, piece] : DecodeOnce(canonical)) {
    // Escapes and numerals that are left after two rounds are ordinary text; a readable blob within a blob within a
    // blob is not.
    const bool blob = name == "base64" || name == "hex";
    if (depth == kDepthMax) {
      budget.exhausted |= blob;
      continue;
    }
    if (piece.text.size() > budget.bytes_left) {
      budget.exhausted = true;
      return;
    }
    budget.bytes_left -= piece.text.size();
    DecodedView view{name, std::move(piece.text), std::move(piece.origin)};
    view.origin.push_back(static_cast<uint32_t>(piece.end));
    for (uint32_t& offset : view.origin) offset = original_of(offset);
    const CanonicalText inner = CanonicalText::Make(view.text);
    const std::vector<uint32_t> origin = view.origin;
    views.push_back(std::move(view));
    Decode(
        inner.text(), [&](size_t i) { return origin[static_cast<size_t>(inner.Original(i, i).begin)]; }, depth + 1,
        budget, views);
  }
}

}  // namespace

std::vector<DecodedView> DecodeViews(const CanonicalText& text, DecodeBudget& budget) {
  std::vector<DecodedView> views;
  Decode(
      text.text(), [&](size_t i) { return static_cast<uint32_t>(text.Original(i, i).begin); }, 0, budget, views);
  return views;
}

}  // namespace headgate::router
