// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// ICU is asked once per code point, at start; the request path reads a two-stage table. Pages in which every code point
// stays itself are not asked for at all where Unicode guarantees it (unified ideographs, Hangul).
#include "router/sensitivity/folding.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utrans.h>

#include <string_view>

namespace headgate::router {
namespace {

constexpr char32_t kCodePoints = 0x110000;

struct LookAlike {
  char32_t from;
  char to;
};

// Letters that look like a Latin letter or a digit in either case. Cyrillic pairs are kept together so that words in
// Cyrillic still compare without case.
constexpr LookAlike kLookAlikes[] = {
    {U'а', 'a'},
    {U'А', 'A'},
    {U'в', 'b'},
    {U'В', 'B'},
    {U'е', 'e'},
    {U'Е', 'E'},
    {U'к', 'k'},
    {U'К', 'K'},
    {U'м', 'm'},
    {U'М', 'M'},
    {U'н', 'h'},
    {U'Н', 'H'},
    {U'о', 'o'},
    {U'О', 'O'},
    {U'р', 'p'},
    {U'Р', 'P'},
    {U'с', 'c'},
    {U'С', 'C'},
    {U'т', 't'},
    {U'Т', 'T'},
    {U'у', 'y'},
    {U'У', 'Y'},
    {U'х', 'x'},
    {U'Х', 'X'},
    {U'ѕ', 's'},
    {U'Ѕ', 'S'},
    {U'і', 'i'},
    {U'І', 'I'},
    {U'ј', 'j'},
    {U'Ј', 'J'},
    {U'һ', 'h'},
    {U'Һ', 'H'},
    {U'ԁ', 'd'},
    {U'Ԁ', 'D'},
    {U'ԛ', 'q'},
    {U'Ԛ', 'Q'},
    {U'ԝ', 'w'},
    {U'Ԝ', 'W'},
    {U'ѵ', 'v'},
    {U'Ѵ', 'V'},
    {U'ӏ', 'l'},
    {U'Ӏ', 'l'},
    {U'з', '3'},
    {U'З', '3'},
    // Greek
    {U'α', 'a'},
    {U'Α', 'A'},
    {U'β', 'b'},
    {U'Β', 'B'},
    {U'ε', 'e'},
    {U'Ε', 'E'},
    {U'Ζ', 'Z'},
    {U'η', 'n'},
    {U'Η', 'H'},
    {U'ι', 'i'},
    {U'Ι', 'I'},
    {U'κ', 'k'},
    {U'Κ', 'K'},
    {U'Μ', 'M'},
    {U'ν', 'v'},
    {U'Ν', 'N'},
    {U'ο', 'o'},
    {U'Ο', 'O'},
    {U'ρ', 'p'},
    {U'Ρ', 'P'},
    {U'τ', 't'},
    {U'Τ', 'T'},
    {U'υ', 'u'},
    {U'Υ', 'Y'},
    {U'χ', 'x'},
    {U'Χ', 'X'},
    // Latin and signs
    {U'ı', 'i'},
    {U'ɑ', 'a'},
    {U'ɡ', 'g'},
    {U'×', 'x'},
};

// What stands for more characters than this is a whole phrase in one sign (U+FDFA) and stays: texts grow at most
// fourfold.
constexpr size_t kExpansionMax = 4;

constexpr char32_t kHanFirst = 0x4E00, kHanEnd = 0xA000;

// Traditional characters as simplified ones, by ICU's table: all of them in one call, which is much cheaper than one
// each. Empty when ICU has no such table: then they stay.
std::u32string SimplifiedHan() {
  UErrorCode error = U_ZERO_ERROR;
  const std::u16string_view id = u"Traditional-Simplified";
  UTransliterator* transliterator =
      utrans_openU(id.data(), static_cast<int32_t>(id.size()), UTRANS_FORWARD, nullptr, 0, nullptr, &error);
  if (U_FAILURE(error)) return {};
  // With blanks between, so that no rule sees two characters at once.
  std::u16string text;
  for (char32_t c = kHanFirst; c < kHanEnd; ++c) text.append({static_cast<char16_t>(c), u' '});
  auto length = static_cast<int32_t>(text.size());
  int32_t limit = length;
  utrans_transUChars(transliterator, text.data(), &length, length, 0, &limit, &error);
  utrans_close(transliterator);
  if (U_FAILURE(error) || static_cast<size_t>(length) != text.size()) return {};
  std::u32string simplified;
  for (size_t i = 0; i < text.size(); i += 2) simplified += static_cast<char32_t>(text[i]);
  return simplified;
}

bool StaysItself(char32_t page) {
  const char32_t first = page << 8;
  return (first >= 0xAC00 && first < 0xD700) || (first >= 0x20000 && first < 0x2F800) ||
         (first >= 0x30000 && first < 0xE0000) || first >= 0xF0000;
}

// General combining marks only: the marks of Indic and similar scripts carry meaning and stay.
bool IsDiacritic(char32_t c) {
  return (c >= 0x0300 && c <= 0x036F) || (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x1DC0 && c <= 0x1DFF) ||
         (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE20 && c <= 0xFE2F);
}

bool IsInvisible(char32_t c) {
  const auto type = u_charType(static_cast<UChar32>(c));
  return type == U_FORMAT_CHAR || type == U_CONTROL_CHAR || IsDiacritic(c) ||
         u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

// Numbers in circles, parentheses, or with a full stop or comma: the bare number, so that ⑴⑶⑻ reads 138.
bool IsDecoratedNumber(char32_t c) {
  return (c >= 0x2460 && c <= 0x249B) || (c >= 0x24EA && c <= 0x24FF) || (c >= 0x2776 && c <= 0x2793) ||
         (c >= 0x1F100 && c <= 0x1F10C);
}

std::u32string Decomposed(const UNormalizer2* nfkc, char32_t c) {
  if (nfkc == nullptr || (c >= 0xAC00 && c <= 0xD7A3)) return {};  // Hangul syllables are fine as they are
  UChar buffer[32];
  UErrorCode error = U_ZERO_ERROR;
  const int32_t length = unorm2_getDecomposition(nfkc, static_cast<UChar32>(c), buffer, 32, &error);
  if (length < 0 || U_FAILURE(error)) return {};
  std::u32string out;
  for (int32_t i = 0; i < length;) {
    UChar32 next;
    U16_NEXT(buffer, i, length, next);
    out += static_cast<char32_t>(next);
  }
  return out;
}

// One step; `c` alone when nothing changes it.
std::u32string Step(const UNormalizer2* nfkc, char32_t c) {
  const auto icu = static_cast<UChar32>(c);
  if (c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0x7F)) return {c};
  if (c == 0x0B || c == 0x0C || c == 0x85 || c == 0x2028 || c == 0x2029) return U"\n";
  if (c == 0x2800) return U" ";  // braille blank
  // Tags say in characters that nobody sees what ASCII says: models read them.
  if (c >= 0xE0020 && c <= 0xE007E) return {c - 0xE0000};
  if (IsInvisible(c)) return {};
  if (const int digit = u_charDigitValue(icu); digit >= 0) return {static_cast<char32_t>('0' + digit)};
  if (IsDecoratedNumber(c)) {
    const double value = u_getNumericValue(icu);
    if (value >= 0 && value <= 99) {
      std::u32string digits;
      for (const char digit : std::to_string(static_cast<int>(value))) digits += static_cast<char32_t>(digit);
      return digits;
    }
  }
  if (c >= 0x1F150 && c <= 0x1F169) return {static_cast<char32_t>('A' + (c - 0x1F150))};
  if (c >= 0x1F170 && c <= 0x1F189) return {static_cast<char32_t>('A' + (c - 0x1F170))};
  for (const LookAlike& look_alike : kLookAlikes) {
    if (look_alike.from == c) return {static_cast<char32_t>(look_alike.to)};
  }
  if (std::u32string decomposed = Decomposed(nfkc, c); !decomposed.empty()) return decomposed;
  const auto type = u_charType(icu);
  if (type == U_SPACE_SEPARATOR) return U" ";
  if (type == U_DASH_PUNCTUATION || c == 0x2212) return U"-";
  return {static_cast<char32_t>(u_foldCase(icu, U_FOLD_CASE_DEFAULT))};
}

// Steps until nothing changes, so that folding folded text is the identity.
void Fold(const UNormalizer2* nfkc, char32_t c, int depth, std::u32string& out) {
  const std::u32string next = Step(nfkc, c);
  if (depth == 0 || (next.size() == 1 && next[0] == c)) {
    out += c;
    return;
  }
  for (const char32_t part : next) Fold(nfkc, part, depth - 1, out);
}

}  // namespace

void Folding::AppendUtf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    const char bytes[] = {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    out.append(bytes, 2);
  } else if (c < 0x10000) {
    const char bytes[] = {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
                          static_cast<char>(0x80 | (c & 0x3F))};
    out.append(bytes, 3);
  } else {
    const char bytes[] = {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
                          static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    out.append(bytes, 4);
  }
}

Folding::Folding() : page_of_(kCodePoints >> 8), pages_(256, kSame) {
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* nfkc = unorm2_getNFKCInstance(&error);
  if (U_FAILURE(error)) nfkc = nullptr;
  const std::u32string simplified = SimplifiedHan();
  // What a code point becomes: after folding, Han characters in their simplified form.
  const auto simplify = [&](char32_t c) {
    return c >= kHanFirst && c < kHanEnd && !simplified.empty() ? simplified[c - kHanFirst] : c;
  };
  for (char32_t page = 0; page < page_of_.size(); ++page) {
    if (StaysItself(page)) continue;
    const bool han = page >= kHanFirst >> 8 && page < kHanEnd >> 8;
    const size_t begin = pages_.size();
    bool changed = false;
    for (char32_t c = page << 8; c < (page + 1) << 8; ++c) {
      std::u32string folded;
      if (han) {
        folded = {c};
      } else if (!U_IS_SURROGATE(c)) {
        Fold(nfkc, c, 6, folded);
        if (folded.size() > kExpansionMax) folded = {c};
      }
      for (char32_t& part : folded) part = simplify(simplify(part));
      const bool same = U_IS_SURROGATE(c) || (folded.size() == 1 && folded[0] == c);
      changed |= !same;
      pages_.push_back(same ? kSame : folded.empty() ? kDropped : Value(folded));
    }
    if (changed) {
      page_of_[page] = static_cast<uint32_t>(begin);
    } else {
      pages_.resize(begin);
    }
  }
}

int32_t Folding::Value(const std::u32string& folded) {
  if (folded.size() == 1) return static_cast<int32_t>(folded[0]);
  std::string utf8;
  for (const char32_t part : folded) AppendUtf8(part, utf8);
  expansions_.push_back(std::move(utf8));
  return -static_cast<int32_t>(expansions_.size()) - 1;
}

const Folding& Folding::Get() {
  static const Folding folding;
  return folding;
}

}  // namespace headgate::router
