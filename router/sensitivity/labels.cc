// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Values that are known by their label only. A label must be followed by its value; a label alone says nothing.
#include "router/sensitivity/labels.h"

#include <algorithm>
#include <string>

#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kConnectorBytesMax = 48;

bool StartsWithWord(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (LowerAscii(text[i]) != word[i]) return false;
  }
  return !IsLetter(word.back()) || text.size() == word.size() || !IsLetter(text[word.size()]);
}

// ---- Shapes of values ----

// A code of letters and digits.
struct CodeShape {
  size_t size_min, size_max, digits_min;
  bool letters;  // may hold letters
};

struct LabelRule {
  Cue label;
  const char* type;
  CodeShape shape;
  bool strong;  // the connector must say more than a space
};

constexpr LabelRule kRules[] = {
    {Cue::kPassport, "PASSPORT", {6, 12, 5, true}, false},
    {Cue::kResidentId, "NATIONAL_ID", {7, 20, 6, true}, true},
    {Cue::kPermit, "HK_MO_TW_PERMIT", {8, 18, 7, true}, false},
    {Cue::kMilitaryId, "CN_MILITARY_ID", {6, 10, 6, true}, false},
    {Cue::kDriverLicence, "DRIVER_LICENCE", {6, 18, 5, true}, false},
    {Cue::kSocialSecurity, "CN_SOCIAL_SECURITY", {8, 18, 8, true}, false},
    {Cue::kSsn, "US_SSN", {9, 9, 9, false}, false},
    {Cue::kItin, "US_ITIN", {9, 9, 9, false}, false},
    {Cue::kNino, "UK_NINO", {9, 9, 6, true}, false},
    {Cue::kNhs, "UK_NHS", {10, 10, 10, false}, false},
    {Cue::kNationalId, "NATIONAL_ID", {7, 18, 6, true}, false},
    {Cue::kNationalId, "NATIONAL_ID", {10, 10, 4, true}, false},  // India's PAN
    {Cue::kCaseNumber, "CASE_NUMBER", {5, 20, 4, true}, false},
    {Cue::kBarNumber, "BAR_NUMBER", {5, 18, 5, true}, false},
    {Cue::kEmployeeNo, "EMPLOYEE_NO", {4, 20, 4, true}, false},
    {Cue::kTaxId, "TAX_ID", {8, 14, 7, true}, false},
    {Cue::kRouting, "US_ROUTING", {9, 9, 9, false}, false},
    {Cue::kAccount, "BANK_ACCOUNT", {8, 30, 7, false}, false},
    {Cue::kAccount, "BANK_ACCOUNT", {7, 16, 6, true}, false},
    {Cue::kCard, "BANK_CARD", {12, 19, 12, false}, false},
    {Cue::kMedicalNo, "MEDICAL_RECORD_NO", {4, 16, 4, true}, false},
    {Cue::kInsuranceNo, "INSURANCE_NO", {6, 20, 5, true}, false},
    {Cue::kPlate, "CN_PLATE", {5, 8, 2, true}, true},
    {Cue::kQq, "QQ_ID", {5, 11, 5, false}, false},
};

struct Code {
  TextRange range;
  std::string characters;
  size_t digits = 0;
};

// The code at `at`: tokens of letters and digits with '-', '/', '.' or single spaces between. A token after the first
// one must hold a digit, a space ends it where a word begins.
bool ReadCode(std::string_view text, size_t at, const CodeShape& shape, Code& code) {
  code.range = {at, at};
  size_t letters = 0;
  while (at < text.size() && code.characters.size() <= shape.size_max) {
    const size_t begin = at;
    size_t digits = 0;
    while (at < text.size() && IsAlnum(text[at]) && at - begin <= shape.size_max) digits += IsDigit(text[at++]);
    if (at == begin) break;
    const size_t length = at - begin;
    if (digits == 0 && (!shape.letters || length > 5)) break;
    // `Z78-224019 is locked`: a word ends it.
    if (digits == 0 && !code.characters.empty() && (length > 2 || IsLower(text[begin]))) break;
    if (!shape.letters && digits < length) break;
    letters += length - digits;
    code.characters += text.substr(begin, length);
    code.digits += digits;
    code.range.end = at;
    const size_t separator = SeparatorLength(text, at);
    if (separator == 0 || text[at] == '\n' || text[at] == ',' || text[at] == '|') break;
    at += separator;
  }
  while (code.range.end > code.range.begin && !IsAlnum(text[code.range.end - 1])) --code.range.end;
  const size_t size = code.characters.size();
  if (size < shape.size_min || size > shape.size_max || code.digits < shape.digits_min) return false;
  if (letters > code.digits + 3) return false;
  return !IsPlaceholderNumber(code.characters);
}

// Where a plate of its own form ends, in capitals (`7KLM482`, `GHR-5521`, `KX21 VTB`); 0 when there is none.
size_t LatinPlateEnd(std::string_view text, size_t at) {
  static constexpr std::string_view kForms[] = {"1AAA111", "AAA111", "AAA1111", "111AAA", "AA11AAA", "AA1111",
                                                "AA11111", "A11AAA", "A111AAA", "AAA11AA", "1111AAA", "AA111AA"};
  std::string form;
  const auto known = [&form] { return std::find(std::begin(kForms), std::end(kForms), form) != std::end(kForms); };
  for (size_t signs = 0; at < text.size() && form.size() <= 8; ++at) {
    if (IsDigit(text[at]) || IsUpper(text[at])) {
      form += IsDigit(text[at]) ? '1' : 'A';
    } else if ((text[at] != ' ' && text[at] != '-') || ++signs > 1 || at + 1 == text.size() ||
               !(IsDigit(text[at + 1]) || IsUpper(text[at + 1]))) {
      break;
    }
    // What is behind a blank is another word: `7KLM482 CA`, but `KX21 VTB`.
    if (at + 1 < text.size() && text[at + 1] == ' ' && known()) return at + 1;
  }
  return known() ? at : 0;
}

// `2024-01-15` and `20240115` are dates.
bool IsDateLike(std::string_view text, const Code& code) {
  const std::string_view written = text.substr(code.range.begin, code.range.end - code.range.begin);
  return code.characters.size() == 8 && (IsDateDigits(code.characters) || written.find('/') != std::string_view::npos);
}

// ---- Codes of a few digits: their label must be right beside them ----

void ReadShortCode(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  size_t end = connector.value_begin;
  while (end < text.size() && IsDigit(text[end]) && end - connector.value_begin < 10) ++end;
  size_t length = end - connector.value_begin;
  // Codes are read out in two halves: `704 118`.
  if (label.cue == Cue::kOneTimeCode && (length == 3 || length == 4) && end + length < text.size() &&
      (text[end] == ' ' || text[end] == '-') &&
      std::all_of(&text[end + 1], &text[end + 1] + length, IsDigit) &&
      (end + 1 + length == text.size() || !IsDigit(text[end + 1 + length]))) {
    end += 1 + length;
    length *= 2;
  }
  const TextRange range{connector.value_begin, end};
  if (length == 0 || TouchesLetter(text, range)) return;
  const std::string_view digits = text.substr(range.begin, length);
  if (end < text.size() && (text[end] == '.' || text[end] == ',') && end + 1 < text.size() && IsDigit(text[end + 1]))
    return;
  if (label.cue == Cue::kCvv) {
    if (length == 3 || length == 4) report("CVV", range, kScoreLabelled);
  } else if (length >= 4 && length <= 8 && (connector.strong || length >= 6)) {
    if (length == 4 && (digits.substr(0, 2) == "20" || digits.substr(0, 2) == "19")) return;  // a year
    if (digits == "123456" || digits == "000000") return;
    report("ONE_TIME_CODE", range, kScoreLabelled);
  }
}

// The code before its word, as messages write it: `848 217 is your Zalvo login code`, `384756是您的登录验证码`.
void ReadCodeBefore(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  constexpr size_t kWordsBytesMax = 40;
  const size_t from = label.begin - std::min<size_t>(label.begin, kWordsBytesMax);
  const std::string_view before = evidence.text().substr(from, label.begin - from);
  for (const std::string_view is : {" is your ", " is the ", "是您的", "为您的", "是你的"}) {
    const size_t at = before.rfind(is);
    if (at == std::string_view::npos || before.find_first_of("\n.!?", at) != std::string_view::npos) continue;
    const size_t end = from + at;
    size_t begin = end, digits = 0;
    while (begin > 0 && (IsDigit(evidence.text()[begin - 1]) || (digits >= 3 && evidence.text()[begin - 1] == ' '))) {
      digits += IsDigit(evidence.text()[--begin]);
    }
    while (begin < end && !IsDigit(evidence.text()[begin])) ++begin;
    if (digits >= 4 && digits <= 8) report("ONE_TIME_CODE", {begin, end}, kScoreLabelled);
  }
}

// WeChat names: a letter or underscore first, 6 to 20 characters.
void ReadWechat(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  size_t end = connector.value_begin;
  size_t digits = 0, marks = 0;
  while (end < text.size() && (IsAlnum(text[end]) || text[end] == '_' || text[end] == '-') &&
         end - connector.value_begin <= 20) {
    digits += IsDigit(text[end]), marks += text[end] == '_' || text[end] == '-';
    ++end;
  }
  const size_t length = end - connector.value_begin;
  if (length < 6 || length > 20 || IsDigit(text[connector.value_begin])) return;
  const std::string_view name = text.substr(connector.value_begin, length);
  // `kdeWxQHIzZlj7`, `vsub_vx_i8m1`: letters in the middle of something.
  const char before = label.begin > 0 ? text[label.begin - 1] : ' ';
  if (connector.value_begin - label.end < 2 && (IsAlnum(before) || before == '_' || before == '+' || before == '/'))
    return;
  const std::string_view word = text.substr(label.begin, label.end - label.begin);
  // `加我微 lan_92`, `微信号：zhoumi`: the words before it leave nothing else to be meant.
  const bool asked = word.starts_with("加") || word.ends_with("号") || word.starts_with("我");
  const bool id = name.substr(0, 5) == "wxid_" || (asked && (digits + marks > 0 || connector.strong));
  if (!id && (digits == 0 || (!connector.strong && digits + marks < 2))) return;
  if (IsPlaceholderNumber(name)) return;
  report("WECHAT_ID", {connector.value_begin, end}, kScoreLabelled);
}

// Other messengers: `telegram: @olga_77`, `钉钉号 hy_min88`. Without @, a name must hold what words do not.
void ReadMessenger(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  constexpr size_t kBytesMin = 4, kBytesMax = 40;
  constexpr std::string_view kBetween[] = {"handle", "username", "user", "account", "her", "him", "me", "at", "也是"};
  const std::string_view text = evidence.text();
  Connector connector = SkipConnector(text, label.end);
  for (const std::string_view word : kBetween) {
    if (!StartsWithWord(text.substr(connector.value_begin), word)) continue;
    const bool strong = connector.strong;
    connector = SkipConnector(text, connector.value_begin + word.size());
    connector.strong |= strong;
  }
  size_t begin = connector.value_begin;
  // `state_size_per_snap = state_size`, `discord.cpython-311.pyc`
  if ((label.begin > 0 && text[label.begin - 1] == '_') || text.substr(label.end, 1) == ".") return;
  bool marked = false;
  for (const std::string_view prefix : {std::string_view("t.me/"), std::string_view("@"), std::string_view("live:")}) {
    if (text.substr(begin, prefix.size()) == prefix) begin += prefix.size(), marked = true;
  }
  size_t end = begin, digits = 0, marks = 0;
  while (end < text.size() && end - begin <= kBytesMax) {
    const char c = text[end];
    const bool mark = c == '_' || c == '.' || c == ':' || c == '#';
    if (!IsAlnum(c) && !mark && c != '-') break;
    digits += IsDigit(c), marks += mark;
    ++end;
  }
  while (end > begin && !IsAlnum(text[end - 1]) && text[end - 1] != '_') marks -= text[--end] != '-';
  const std::string_view word = text.substr(label.begin, label.end - label.begin);
  const bool named = word.ends_with("号") || LowerAscii(word.back()) == 'd' ||
                     text.substr(label.end, begin - label.end).find("号") != std::string_view::npos;
  const size_t length = end - begin;
  if (length < kBytesMin || length > kBytesMax || !(IsLetter(text[begin]) || named || text[begin] == '_')) return;
  if (!marked && !((connector.strong || named) && digits + marks > 0)) return;
  if (!marked && digits + marks == length) return;
  if (text.substr(begin, length).find("://") != std::string_view::npos) return;
  if (evidence.Near(Cue::kHotline, {begin, end}, 40)) return;
  report("MESSENGER_ID", {begin, end}, kScoreLikely);
}

// A telephone number in a form of its own country, after its label.
void ReadPhone(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  size_t at = connector.value_begin;
  if (at < text.size() && text[at] == '+') ++at;
  Code code;
  if (at >= text.size() || !(IsDigit(text[at]) || text[at] == '(')) return;
  if (text[at] == '(') ++at;
  if (!ReadCode(text, at, {7, 15, 7, false}, code)) return;
  const TextRange range = code.range;
  if (evidence.Near(Cue::kHotline, range, 40) || IsDateLike(text, code)) return;
  if (code.characters.starts_with("400") || code.characters.starts_with("800")) return;
  if (code.characters == kManualsMobile || IsTollFree(code.characters)) return;
  if (code.characters.find("123456") != std::string::npos && code.characters[0] != '1') return;
  if (code.characters.substr(0, 6) == "123456") return;
  if (code.characters.size() == 7 && code.characters.substr(0, 5) == "55501") return;  // for films
  if (code.characters.find("55501") != std::string::npos && code.characters.size() >= 10) return;
  report("PHONE_E164", range, kScoreLikely);
}

// Bank identifiers: eight or eleven letters and digits of a fixed form.
void ReadSwift(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  if (label.end < text.size() && text[label.end] == '_') return;  // `CMAKE_Swift_COMPILER`
  const size_t at = SkipConnector(text, label.end).value_begin;
  size_t end = at;
  while (end < text.size() && IsAlnum(text[end]) && end - at < 12) ++end;
  const std::string_view code = text.substr(at, end - at);
  if (code.size() != 8 && code.size() != 11) return;
  const bool form = std::all_of(code.begin(), code.begin() + 6, IsUpper);
  const bool rest = std::none_of(code.begin() + 6, code.end(), IsLower);
  if (form && rest) report("SWIFT_BIC", {at, end}, kScoreLikely);
}

void ReadTableCode(const Evidence& evidence, const Evidence::Hit& label, const LabelRule& rule, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  if (rule.label == Cue::kPlate) {
    if (const size_t end = LatinPlateEnd(text, connector.value_begin); end > 0) {
      report(rule.type, {connector.value_begin, end}, kScoreLabelled);
      return;
    }
  }
  if (rule.strong && !connector.strong) return;
  // `DL2047` is a flight.
  if (rule.label == Cue::kDriverLicence && connector.value_begin == label.end && IsLetter(text[label.begin])) return;
  Code code;
  if (!ReadCode(text, connector.value_begin, rule.shape, code)) return;
  // Amounts, shares and years stand after such words too.
  const std::string_view after = text.substr(code.range.end, 8);
  for (const std::string_view unit :
       {"元", "万", "%", "年", "月", "个", "次", "人", "位", "岁", " years", " people", "名", "天", "张"}) {
    if (after.substr(0, unit.size()) == unit) return;
  }
  if (code.range.begin > 0 && (text[code.range.begin - 1] == '$' || text[code.range.begin - 1] == '.')) return;
  if (IsDateLike(text, code) && rule.label != Cue::kMedicalNo) return;
  if (code.characters.size() < 8 && !connector.strong && code.digits == code.characters.size() && code.digits < 6)
    return;
  const bool resident = rule.label == Cue::kResidentId;
  if (resident && code.digits == code.characters.size() && code.characters.size() < 15 && code.characters.size() != 8)
    return;
  // A mainland ID with a mistake in it still tells whose it is, when its date is one.
  if (resident && code.characters.size() >= 17 &&
      !(code.characters.size() == 18 && IsDateDigits(std::string_view(code.characters).substr(6, 8)))) {
    return;
  }
  const std::string_view before = text.substr(label.begin >= 4 ? label.begin - 4 : 0, label.begin >= 4 ? 4 : 0);
  const bool other = before == "AWS " || before == "aws " || before == "aws_" || before == "bug ";
  if (rule.label == Cue::kAccount && other) return;
  // `订单号 1234`; but 保单号 ends with such a word and is its own label.
  const bool own_word = evidence.Before(Cue::kOtherNumber, {label.end, label.end}, 0);
  if (!own_word && evidence.Before(Cue::kOtherNumber, code.range, 6)) return;
  report(rule.type, code.range, kScoreLabelled);
}

}  // namespace

namespace {

// `passport (GBR)`: bytes of a country's or a kind's letters in brackets at `at`; 0: none.
size_t BracketedCode(std::string_view text, size_t at) {
  constexpr size_t kLettersMax = 4;
  size_t end = at + 1;
  while (end < text.size() && IsUpper(text[end]) && end - at <= kLettersMax) ++end;
  return end > at + 2 && end < text.size() && text[end] == ')' ? end + 1 - at : 0;
}

}  // namespace

Connector SkipConnector(std::string_view text, size_t at) {
  static constexpr std::string_view kWords[] = {
      "号码", "编号", "号",      "码",    "是",    "为",   "如下",   "分别",  "的",   "也",   "就",     "都",      "我",
      "还是", "地址", "信息",    "账号",  "设置", "设成",   "改成",  "改为", "重置", "number", "numbers", "no.",
      "no",   "num",  "is",      "are",   "was",  "id",     "code",  "of",   "to",   "reads",  "equals",  "value",
      "be",   "me",   "set",  "changed", "using", "now",  "ending", "reset", "here", "the",  "#"};
  static constexpr std::string_view kStrongWords = "是为is are was to be equals 设成改成改为";
  Connector connector;
  const size_t limit = std::min(text.size(), at + kConnectorBytesMax);
  size_t newlines = 0;
  // `policy no. KD-449120-7`: the sign is the word's.
  if (at >= 2 && at + 1 < text.size() && text[at] == '.' && text[at + 1] == ' ' && LowerAscii(text[at - 2]) == 'n' &&
      LowerAscii(text[at - 1]) == 'o') {
    ++at;
  }
  while (at < limit) {
    const char c = text[at];
    if (c == ':' || c == '=' || c == '>' || c == '|') {
      connector.strong = true, ++at;
    } else if (c == '"' || c == '\'' || c == '`') {
      connector.quoted = true, ++at;
    } else if (const size_t bracketed = c == '(' ? BracketedCode(text, at) : 0; bracketed > 0) {
      at += bracketed;
    } else if (c == ' ' || c == '\t' || c == '*' || c == '#' || c == '_' || c == '(' || c == ')' || c == '[' ||
               c == ']' || (c == '-' && at + 1 < limit && text[at + 1] != '-') || c == ',') {
      ++at;
    } else if (c == '\n' && newlines++ == 0) {
      ++at;
    } else if (text.substr(at, 3) == "“" || text.substr(at, 3) == "”" || text.substr(at, 3) == "「" ||
               text.substr(at, 3) == "→") {
      connector.quoted = true, at += 3;
    } else {
      const auto word = std::find_if(std::begin(kWords), std::end(kWords), [&](std::string_view w) {
        return StartsWithWord(text.substr(at, limit - at), w);
      });
      if (word == std::end(kWords)) break;
      connector.strong |= kStrongWords.find(*word) != std::string_view::npos;
      at += word->size();
    }
  }
  connector.value_begin = at;
  return connector;
}

void ReadLabels(const Evidence& evidence, Report report) {
  for (const Evidence::Hit& hit : evidence.hits()) {
    if (ReadingWork::Spent()) break;
    switch (hit.cue) {
      case Cue::kOneTimeCode:
        ReadCodeBefore(evidence, hit, report);
        ReadShortCode(evidence, hit, report);
        break;
      case Cue::kCvv:
        ReadShortCode(evidence, hit, report);
        break;
      case Cue::kWechat:
        ReadWechat(evidence, hit, report);
        break;
      case Cue::kPhone:
        ReadPhone(evidence, hit, report);
        break;
      case Cue::kMessenger:
        ReadMessenger(evidence, hit, report);
        break;
      case Cue::kSwift:
        ReadSwift(evidence, hit, report);
        break;
      default:
        for (const LabelRule& rule : kRules) {
          if (rule.label == hit.cue) ReadTableCode(evidence, hit, rule, report);
        }
    }
  }
}

}  // namespace headgate::router
