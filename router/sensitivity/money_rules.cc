// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Cards, accounts and addresses of money that have a form of their own. Plain account numbers have none: they are read
// after their label (labels.cc).
#include <algorithm>
#include <array>

#include "router/sensitivity/number_shape.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

template <size_t kCount>
bool OneOf(std::string_view text, const std::string_view (&list)[kCount]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

constexpr size_t kCloseChars = 40;

bool WrittenAsCard(const NumberShape& shape) {
  constexpr std::string_view kShapes[] = {"4-4-4-4", "4-4-4-4-1", "4-4-4-4-2", "4-4-4-4-3", "4-6-5", "4-6-4",
                                          "6-13",    "6-12",      "6-10",      "8-8",       "4-12"};
  if (shape.group_count() <= 5 && OneOf(shape.groups(), kShapes)) return true;
  if (!shape.free_standing()) return false;
  if (shape.Uniform(3)) return true;
  return !shape.has_comma() && (shape.Uniform(1) || (shape.one_separator() && shape.group_count() > 2)) &&
         !(shape.group_count() == 2 && shape.has_dot());
}

std::optional<Value> BankCard(const Match& match) {
  const std::string_view text = match.text();
  const size_t text_begin = match.InText(match.begin, match.end).begin;
  if (text_begin > 0 && IsDigit(text[text_begin - 1])) return std::nullopt;
  constexpr size_t kLengthMin = 14, kLengthMax = 19;
  size_t end = match.begin + kLengthMin;
  while (end < match.view.size() && end - match.begin < kLengthMax && IsDigit(match.view[end])) ++end;
  for (; end >= match.begin + kLengthMin; --end) {
    const TextRange range = match.InText(match.begin, end);
    if (range.end < text.size() && IsDigit(text[range.end])) continue;
    const std::string_view digits = match.view.substr(match.begin, end - match.begin);
    // One ID in ten that begins like a card passes Luhn as well: it is named once, as what it is.
    if (!IsBankCard(digits) || IsCnResidentId(digits)) continue;
    const NumberShape shape(text, range);
    const bool list = shape.Uniform(1) && shape.one_separator() && shape.free_standing();
    const bool written = shape.separated()
                             ? WrittenAsCard(shape) || (list && match.evidence.Near(Cue::kCard, range)) ||
                                   (shape.free_standing() && !shape.has_comma() &&
                                    match.evidence.Near(Cue::kCard, range, kCloseChars))
                             : !IsFraction(text, range.begin) && !InsideMixedToken(text, range);
    if (written) return Value{range};
  }
  return std::nullopt;
}

// Two letters and two digits; the country says how long it is.
std::optional<Value> Iban(const Match& match) {
  const std::string_view text = match.text();
  if (match.begin > 0 && IsDigit(text[match.begin - 1])) return std::nullopt;
  constexpr size_t kLengthMax = 34;
  // Most candidates are a word's end and a number: their country settles it.
  const bool together = IsLetter(text[match.begin + 1]);
  const char country[] = {text[match.begin], text[match.begin + (together ? 1 : 2)]};
  const size_t length = IbanLength({country, 2});
  if (length == 0) return std::nullopt;
  std::array<char, kLengthMax> characters;
  size_t count = 0, end = match.begin;
  for (size_t at = match.begin; at < text.size() && count < length;) {
    if (!IsAlnum(text[at])) {
      size_t next = at;
      for (int i = 0; i < kSeparatorsMax && next < text.size() && !IsAlnum(text[next]); ++i) {
        next += SeparatorLength(text, next);
      }
      if (next == at || next >= text.size() || !IsAlnum(text[next])) break;
      at = next;
      continue;
    }
    if ((count == 2 || count == 3) && !IsDigit(text[at])) return std::nullopt;
    characters[count++] = text[at++];
    end = at;
  }
  if (count < length || !IsIban({characters.data(), length})) return std::nullopt;
  if (end < text.size() && IsDigit(text[end])) return std::nullopt;
  const TextRange range{match.begin, end};
  // One piece of code in a hundred that begins with such letters passes the check.
  const bool of_money = match.evidence.Near(Cue::kAccount, range) || match.evidence.Near(Cue::kSwift, range);
  if (!HasIbanForm({characters.data(), length}) && !of_money) return std::nullopt;
  return Value{range};
}

std::optional<Value> Routing(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (!IsUsRouting(match.view.substr(match.begin, 9)) || TouchesDigit(match.text(), range)) return std::nullopt;
  if (!match.evidence.Near(Cue::kRouting, range)) return std::nullopt;
  // `v1.19.0 (2020-07-09`
  const size_t bracket = match.text().find('(', range.begin);
  if (bracket < range.end && range.begin > 0 && match.text()[range.begin - 1] == '.') return std::nullopt;
  return Value{range, kScoreLabelled};
}

bool IsHexDigit(char c) { return IsDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f'); }
bool IsBase58(char c) { return IsAlnum(c) && c != '0' && c != 'O' && c != 'I' && c != 'l'; }

// Bitcoin: 1 or 3 and base58, or bc1 and lower case; Ethereum: 0x and 40 hex digits; Tron: T and base58. Beside a word
// for money of that kind a few small letters may be glued to it.
std::optional<Value> CryptoAddress(const Match& match) {
  constexpr size_t kBytesMax = 80, kGlueMax = 8;
  const std::string_view text = match.text();
  size_t end = match.begin, glue = match.begin;
  while (end < text.size() && end - match.begin < kBytesMax && IsAlnum(text[end])) ++end;
  while (glue > 0 && match.begin - glue <= kGlueMax && IsLower(text[glue - 1])) --glue;
  const bool glued = match.begin > 0 && IsAlnum(text[match.begin - 1]);
  if (glued && (match.begin - glue > kGlueMax || (glue > 0 && IsAlnum(text[glue - 1])))) return std::nullopt;
  const bool named = match.evidence.Near(Cue::kCrypto, {match.begin, end});
  const bool close = named && match.evidence.Near(Cue::kCrypto, {match.begin, end}, kCloseChars);
  if (glued && !close) return std::nullopt;
  const std::string_view body = text.substr(match.begin, end - match.begin);
  if (body.starts_with("0x")) {
    constexpr size_t kSize = 42;
    const size_t hex = static_cast<size_t>(std::find_if_not(body.begin() + 2, body.end(), IsHexDigit) - body.begin());
    const bool small_behind = hex == body.size() || IsLower(body[hex]);
    if (!named || hex != kSize || !small_behind) return std::nullopt;
    return Value{{match.begin, match.begin + kSize}, kScoreLabelled};
  }
  if (body.starts_with("bc1")) {
    const size_t size = std::min(body.find_first_not_of("023456789acdefghjklmnpqrstuvwxyz", 3), body.size());
    const bool small = std::none_of(body.begin(), body.end(), IsUpper) && (size == body.size() || named);
    if (!small || size < 42 || size > 62) return std::nullopt;
    return Value{{match.begin, match.begin + size}, kScoreLabelled};
  }
  const size_t digits = static_cast<size_t>(std::count_if(body.begin(), body.end(), IsDigit));
  const size_t upper = static_cast<size_t>(std::count_if(body.begin(), body.end(), IsUpper));
  const size_t lower = body.size() - digits - upper;
  if (!std::all_of(body.begin(), body.end(), IsBase58) || upper < 3 || lower < 3) return std::nullopt;
  const TextRange range{match.begin, end};
  const auto encoded = [&](size_t at) { return at < text.size() && (text[at] == '+' || text[at] == '/'); };
  if (encoded(match.begin - 1) || encoded(end)) return std::nullopt;  // a piece of base64
  const size_t shortest = named ? 26 : body[0] == 'T' ? 34 : 33, longest = body[0] == 'T' && !named ? 34 : 35;
  if (body.size() < shortest || body.size() > longest + (close ? kGlueMax : 0)) return std::nullopt;
  if (digits < 3 && !(close && upper * 3 >= lower)) return std::nullopt;
  return Value{range, kScoreLikely};
}

// `12-34-56 / 70872490`: a British sort code and the account, unless both could be dates.
std::optional<Value> SortCodeAndAccount(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (TouchesDigit(match.text(), range)) return std::nullopt;
  if (IsDateDigits(match.text().substr(range.end - 8, 8))) return std::nullopt;
  return Value{range, kScoreLikely};
}

}  // namespace

const std::vector<PatternRule>& MoneyRules() {
  static const std::vector<PatternRule> rules = {
      {"BANK_CARD", BankCard, true, {"[0-9]{14}"}},
      {"IBAN",
       Iban,
       false,
       {"[A-Z]{2}[0-9]", "[A-Z]{2}[ -./_|\\n][0-9]", "[A-Z][ -./_|\\n][A-Z][ -./_|\\n][0-9]",
        "[A-Z]{2}(?:、|。|・|•)[0-9]", "[A-Z]{2}·[0-9]", "[A-Z][ -./_|\\n][A-Z][0-9]"},
       true},
      {"BANK_ACCOUNT",
       SortCodeAndAccount,
       false,
       {"[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{8}", "[0-9]{2}-[0-9]{2}-[0-9]{2} / [0-9]{8}",
        "[0-9]{2}-[0-9]{2}-[0-9]{2}, [0-9]{8}", "[0-9]{2}-[0-9]{2}-[0-9]{2}/[0-9]{8}"}},
      {"US_ROUTING", Routing, true, {"[0-9]{9}"}},
      {"CRYPTO_ADDRESS",
       CryptoAddress,
       false,
       {"0x[0-9A-Fa-f]{38}", "bc1[a-z0-9]{36}", "[13T][1-9A-HJ-NP-Za-km-z]{25}"},
       false,
       false},
  };
  return rules;
}

}  // namespace headgate::router
