// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Identity numbers that have a form of their own. Those with a check digit that little else has count wherever they
// stand; the others need their word within kContextChars. Contra-words are not asked: a number that passes its check is
// one.
#include <algorithm>

#include "router/sensitivity/number_shape.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kCloseChars = 40;

std::optional<Value> ResidentId(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (TouchesDigit(match.text(), range) || !IsCnResidentId(match.view.substr(match.begin, match.end - match.begin))) {
    return std::nullopt;
  }
  return Value{range};
}

std::optional<Value> OldResidentId(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (TouchesDigit(match.text(), range) || !IsOldCnResidentId(match.view.substr(match.begin, 15))) return std::nullopt;
  if (!match.evidence.Near(Cue::kResidentId, range)) return std::nullopt;
  return Value{range, kScoreLabelled};
}

// A letter or digit on neither side, or a few small letters that are glued to a code without any (`no9135...ok`).
bool StandsAloneOrGlued(std::string_view text, TextRange range) {
  constexpr size_t kGlueMax = 8;
  const auto fixed = [text](size_t at) { return IsDigit(text[at]) || IsUpper(text[at]); };
  if ((range.begin > 0 && fixed(range.begin - 1)) || (range.end < text.size() && fixed(range.end))) return false;
  const std::string_view code = text.substr(range.begin, range.end - range.begin);
  if (StandsAlone(text, range)) return true;
  if (std::any_of(code.begin(), code.end(), IsLower)) return false;
  TextRange glued = range;
  while (glued.begin > 0 && range.begin - glued.begin < kGlueMax && IsLower(text[glued.begin - 1])) --glued.begin;
  while (glued.end < text.size() && glued.end - range.end < kGlueMax && IsLower(text[glued.end])) ++glued.end;
  return StandsAlone(text, glued);
}

std::optional<Value> Usci(const Match& match) {
  const TextRange range{match.begin, match.end};
  if (!StandsAloneOrGlued(match.text(), range)) return std::nullopt;
  const std::string_view code = match.text().substr(match.begin, 18);
  if (!IsUsci(code) || IsCnResidentId(code)) return std::nullopt;
  return Value{range};
}

// `WX`, `EC`, `XA` and so on, in front of a Hong Kong identity card's digits.
bool IsIssuedPair(char first, char second) {
  first = UpperAscii(first), second = UpperAscii(second);
  return first == 'X' ? IsUpper(second) : (first == 'W' && second == 'X') || (first == 'E' && second == 'C');
}

// The pattern is the first letter and the first digit; a second letter may stand before.
std::optional<Value> HongKongId(const Match& match) {
  const std::string_view text = match.text();
  if (!DigitsGoOn(text, match.begin + 1, 6)) return std::nullopt;
  Collected id = CollectAlnum(text, match.begin, 8);
  if (id.characters.size() != 8 || (id.range.end < text.size() && IsAlnum(text[id.range.end]))) return std::nullopt;
  const bool glued = match.begin > 0 && IsAlnum(text[match.begin - 1]);
  bool valid = IsHongKongId(id.characters), issued = false;
  if (glued && IsLetter(text[match.begin - 1]) && IsHongKongId(text[match.begin - 1] + id.characters)) {
    const bool two_letters = match.begin < 2 || !IsAlnum(text[match.begin - 2]);
    if (two_letters || !valid) --id.range.begin, valid = true;
    issued = IsIssuedPair(text[match.begin - 1], text[match.begin]);
  } else if (match.begin > 1 && !glued && IsLetter(text[match.begin - 2])) {  // `X A 123456(3)`
    const char before = text[match.begin - 2];
    issued = IsIssuedPair(before, text[match.begin]) && IsHongKongId(before + id.characters);
    if (issued && !valid) id.range.begin -= 2, valid = true;
  }
  if (!valid) return std::nullopt;
  // `A123456(3)` is written for nothing else, nor are the few pairs of letters that are issued.
  size_t close = id.range.end;
  if (text.substr(close, 1) != ")") close += SeparatorLength(text, close);
  const bool bracketed = text.substr(id.range.end - 2, 1) == "(" && text.substr(close, 1) == ")";
  const bool contiguous = id.range.end - match.begin == 8;
  if (bracketed && (!glued || issued)) return Value{{id.range.begin, close + 1}};
  if (match.evidence.Near(Cue::kHongKongId, id.range) ||
      ((bracketed || contiguous) && match.evidence.Near(Cue::kResidentId, id.range))) {
    return Value{id.range, kScoreLabelled};
  }
  return std::nullopt;
}

std::optional<Value> MacauId(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  const std::string_view text = match.text();
  if (TouchesDigit(text, range)) return std::nullopt;
  if (!match.evidence.Near(Cue::kMacauId, range) || !match.evidence.Near(Cue::kResidentId, range)) return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> TaiwanId(const Match& match) {
  const std::string_view text = match.text();
  if (!DigitsGoOn(text, match.begin + 1, 9)) return std::nullopt;
  const Collected id = CollectAlnum(text, match.begin, 10);
  if (!IsTaiwanId(id.characters) || (id.range.end < text.size() && IsDigit(text[id.range.end]))) return std::nullopt;
  const bool contiguous = id.range.end - id.range.begin == 10;
  const bool alone = StandsAlone(text, id.range);
  if (match.evidence.Near(Cue::kTaiwanId, id.range)) return Value{id.range};
  // One in ten codes of a letter and nine digits passes: without its word it must stand apart.
  if (!contiguous || !alone || match.evidence.Near(Cue::kOtherNumber, id.range, kCloseChars)) return std::nullopt;
  if (IsPlaceholderNumber(std::string_view(id.characters).substr(1))) return std::nullopt;
  return Value{id.range, kScoreLikely};
}

// Permits of Hong Kong, Macau and Taiwan residents (H/M and 8 or 10 digits, 8 digits for Taiwan) and of mainlanders
// (C or W and 8 digits, or C, a letter and 7).
std::optional<Value> Permit(const Match& match) {
  const std::string_view text = match.text();
  Collected id = CollectAlnum(text, match.begin, 11);
  if (id.characters.size() > 9 && id.characters.size() != 11) id = CollectAlnum(text, match.begin, 9);
  const size_t length = id.characters.size();
  if ((length != 9 && length != 11) || id.digits < 7 || TouchesDigit(text, id.range)) return std::nullopt;
  if (!match.evidence.Near(Cue::kPermit, id.range)) return std::nullopt;
  return Value{id.range, kScoreLabelled};
}

// Eight digits behind the word, unless another word speaks of them.
std::optional<Value> TaiwanPermit(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (TouchesDigit(match.text(), range)) return std::nullopt;
  if (!match.evidence.Before(Cue::kPermit, range, kCloseChars)) return std::nullopt;
  for (const Cue other : {Cue::kPhone, Cue::kHotline, Cue::kOtherNumber}) {
    if (match.evidence.Near(other, range, kCloseChars)) return std::nullopt;
  }
  return Value{range, kScoreLabelled};
}

std::optional<Value> CnPassport(const Match& match) {
  const std::string_view text = match.text();
  const Collected id = CollectAlnum(text, match.begin, 9);
  if (id.characters.size() != 9 || id.digits < 7 || TouchesDigit(text, id.range)) return std::nullopt;
  if (IsLetter(id.characters[1]) != (id.digits == 7)) return std::nullopt;
  if (!match.evidence.Near(Cue::kPassport, id.range)) return std::nullopt;
  if (IsPlaceholderNumber(std::string_view(id.characters).substr(2))) return std::nullopt;
  return Value{id.range, kScoreLabelled};
}

std::optional<Value> SocialSecurity(const Match& match) {
  const std::string_view digits = match.view.substr(match.begin, 9);
  const TextRange range = match.InText(match.begin, match.end);
  const std::string_view text = match.text();
  // Without its word only `3-2-4` counts: most numbers are settled here.
  const bool three = IsDigit(text[range.begin + 1]) && IsDigit(text[range.begin + 2]) && text[range.begin + 3] == '-';
  if (!three && !match.evidence.Has(Cue::kSsn)) return std::nullopt;
  if (!IsUsSsn(digits) || TouchesDigit(text, range) || InsideMixedToken(text, range)) return std::nullopt;
  if (match.evidence.Near(Cue::kSsn, range)) return Value{range, kScoreLabelled};
  if (text[range.begin + 3] != '-') return std::nullopt;
  const NumberShape shape(text, range);
  if (shape.groups() != "3-2-4" || !shape.one_separator() || !shape.free_standing()) return std::nullopt;
  if (match.evidence.Near(Cue::kOtherNumber, range, kCloseChars)) return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> TaxpayerNumber(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (!IsUsItin(match.view.substr(match.begin, 9)) || TouchesDigit(match.text(), range)) return std::nullopt;
  const NumberShape shape(match.text(), range);
  const bool written = shape.groups() == "3-2-4" && shape.one_separator() && shape.free_standing();
  if (match.evidence.Near(Cue::kItin, range)) return Value{range, kScoreLabelled};
  if (!written || !(match.evidence.Near(Cue::kSsn, range) || match.evidence.Near(Cue::kTaxId, range)))
    return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> Nhs(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (!IsNhsNumber(match.view.substr(match.begin, 10)) || TouchesDigit(match.text(), range)) return std::nullopt;
  if (!match.evidence.Near(Cue::kNhs, range)) return std::nullopt;
  return Value{range, kScoreLabelled};
}

std::optional<Value> NationalInsurance(const Match& match) {
  const std::string_view text = match.text();
  if (!DigitsGoOn(text, match.begin + 2, 6)) return std::nullopt;
  const Collected id = CollectAlnum(text, match.begin, 9);
  if (!IsNino(id.characters) || !StandsAloneOrGlued(text, id.range)) return std::nullopt;
  // `pr46032-2.c`, `(PR101940)` and a letter in the next paragraph.
  const NumberShape shape(text, id.range);
  const bool bracketed = text.find_first_of("()", id.range.begin) < id.range.end;
  if (((shape.separated() && !shape.one_separator()) || bracketed) && !match.evidence.Near(Cue::kNino, id.range)) {
    return std::nullopt;
  }
  if (match.begin > 0 && IsAlnum(text[match.begin - 1])) {
    if (!match.evidence.Near(Cue::kNino, id.range, kCloseChars)) return std::nullopt;
  } else if (match.evidence.Near(Cue::kOtherNumber, id.range, kCloseChars) &&
             !match.evidence.Near(Cue::kNino, id.range)) {
    return std::nullopt;
  }
  return Value{id.range, kScoreLikely};
}

// Written in three groups, or beside the word.
std::optional<Value> Medicare(const Match& match) {
  const std::string_view text = match.text();
  const Collected id = CollectAlnum(text, match.begin, 11);
  if (!IsMedicareNumber(id.characters) || !StandsAloneOrGlued(text, id.range)) return std::nullopt;
  const std::string_view written = text.substr(id.range.begin, id.range.end - id.range.begin);
  const bool groups = written.size() == 13 && written[4] == '-' && written[8] == '-';
  if (!groups && !match.evidence.Near(Cue::kInsuranceNo, id.range)) return std::nullopt;
  return Value{id.range, kScoreLikely};
}

// The first line that machines read of a passport: `P<GBRHARGREAVES<<ELINOR<MAY<<<`. UTO is the manuals' country.
std::optional<Value> MachineReadable(const Match& match) {
  constexpr size_t kLineBytes = 44;
  const std::string_view text = match.text();
  size_t end = match.begin;
  while (end < text.size() && end - match.begin < kLineBytes && (IsUpper(text[end]) || text[end] == '<')) ++end;
  const std::string_view line = text.substr(match.begin, end - match.begin);
  const size_t names = line.find("<<");
  if (match.begin > 0 && IsAlnum(text[match.begin - 1])) return std::nullopt;
  if (names == std::string_view::npos || names + 2 >= line.size() || !IsUpper(line[names + 2])) return std::nullopt;
  if (line.substr(2, 3) == "UTO") return std::nullopt;
  return Value{{match.begin, end}, kScoreLikely};
}

// A province's character and a letter; what follows decides.
std::optional<Value> Plate(const Match& match) {
  const std::string_view text = match.text();
  size_t at = match.end + SeparatorLength(text, match.end);
  const size_t first = at;
  std::string body;
  while (at < text.size() && body.size() < 7) {
    if (IsAlnum(text[at])) {
      body += UpperAscii(text[at++]);
    } else if (const size_t gap = SeparatorLength(text, at);
               gap > 0 && at - first == body.size() * 2 - 1 && !body.empty()) {
      at += gap;  // one character at a time
    } else {
      break;
    }
  }
  size_t end = at;
  while (end > first && !IsAlnum(text[end - 1])) --end;
  size_t digits = 0;
  for (const char c : body) {
    if (c == 'I' || c == 'O') return std::nullopt;
    digits += IsDigit(c);
  }
  // 挂 学 警 港 澳 领 take the place of the last character.
  const char32_t mark = HanAt(text, end);
  const bool marked = body.size() == 4 && (mark == U'挂' || mark == U'学' || mark == U'警' || mark == U'港' ||
                                           mark == U'澳' || mark == U'领');
  if (marked) end += 3;
  if (!marked && body.size() != 5 && body.size() != 6) return std::nullopt;
  // New energy: six, of which the first or the last is a letter.
  if (body.size() == 6 && IsDigit(body[0]) && IsDigit(body[5])) return std::nullopt;
  const TextRange range{match.begin, end};
  if (digits >= 3) return Value{range, kScoreLikely};
  if (digits >= 1 && match.evidence.Near(Cue::kPlate, range, kCloseChars)) return Value{range, kScoreLikely};
  return std::nullopt;
}

}  // namespace

const std::vector<PatternRule>& IdentityRules() {
  static const std::string province =
      "(?:京|津|沪|渝|冀|豫|云|辽|黑|湘|皖|鲁|新|苏|浙|赣|鄂|桂|甘|晋|蒙|陕|吉|闽|贵|粤|青|藏|川|宁|琼)";
  static const std::vector<PatternRule> rules = {
      {"CN_RESIDENT_ID", ResidentId, true, {"[0-9]{17}[0-9Xx]"}},
      {"CN_RESIDENT_ID", OldResidentId, true, {"[0-9]{15}"}},
      {"CN_USCI", Usci, false, {"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}"}, true},
      {"HK_ID", HongKongId, false, {"[A-Z][0-9]{2}", "[A-Z][ -./_][0-9]", "[A-Z][0-9][ -./_]"}, true},
      {"MO_ID", MacauId, true, {"[157][0-9]{7}"}},
      {"TW_ID", TaiwanId, false, {"[A-Z][1289][0-9]", "[A-Z][ -./_][1289]", "[A-Z][1289][ -./_]"}, true},
      {"HK_MO_TW_PERMIT",
       Permit,
       false,
       {"[HMCW][0-9]{3}", "C[A-Z][0-9]{2}", "[HMCW][ -./_][0-9]", "[HMCW][0-9][ -./_]", "[HMCW][0-9]{2}[ -./_]",
        "[HMCW][0-9]、", "[HMCW][0-9]{2}、"},
       true},
      {"HK_MO_TW_PERMIT", TaiwanPermit, true, {"0[0-9]{7}"}},
      {"CN_PASSPORT",
       CnPassport,
       false,
       {"[EGDSPK][0-9]{3}", "E[A-Z][0-9]{3}", "[EGDSPK][ -./_][0-9]", "[EGDSPK][0-9][ -./_]", "[EGDSPK][0-9]{2}[ -./_]",
        "[EGDSPK][0-9]、", "[EGDSPK][0-9]{2}、"},
       true},
      {"US_SSN", SocialSecurity, true, {"[0-9]{9}"}},
      {"US_ITIN", TaxpayerNumber, true, {"9[0-9]{8}"}},
      {"UK_NHS", Nhs, true, {"[0-9]{10}"}},
      {"UK_NINO",
       NationalInsurance,
       false,
       {"[A-Z]{2}[0-9]{2}", "[A-Z]{2}[ -./_][0-9]", "[A-Z]{2}[0-9][ -./_]", "[A-Z]{2}[0-9]、"},
       true},
      {"US_MBI", Medicare, false, {"[1-9][A-Za-z][0-9A-Za-z][0-9]"}, true},
      {"PASSPORT", MachineReadable, false, {"P<[A-Z]{3}[A-Z]"}, false, false},
      {"CN_PLATE", Plate, false, {province + "[A-Za-z]", province + "[ -][A-Za-z]"}, false, false},
  };
  return rules;
}

}  // namespace headgate::router
