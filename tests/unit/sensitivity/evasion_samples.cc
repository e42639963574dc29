// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/sensitivity/evasion_samples.h"

#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "absl/strings/escaping.h"
#include "router/sensitivity/validators.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using Text = std::string;
using Form = Evasion::Form;
using Write = std::function<Text(const Text&)>;

Text Utf8(char32_t c) {
  if (c < 0x80) return Text(1, static_cast<char>(c));
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
  if (c < 0x10000) {
    return {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            static_cast<char>(0x80 | (c & 0x3F))};
  }
  return {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
          static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
}

bool IsInvisible(const Evasion& evasion) {
  return std::string_view("zero_width word_joiner soft_hyphen bidi").find(evasion.name) != std::string_view::npos;
}

// Code points of well-formed UTF-8.
std::u32string CodePoints(const Text& value) {
  std::u32string out;
  for (size_t i = 0; i < value.size();) {
    const auto lead = static_cast<uint8_t>(value[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (size_t k = 1; k < length; ++k) c = c << 6 | (static_cast<uint8_t>(value[i + k]) & 0x3F);
    out += c;
    i += length;
  }
  return out;
}

Write Digits(char32_t zero) {
  return [zero](const Text& value) {
    Text out;
    for (const char c : value) out += c >= '0' && c <= '9' ? Utf8(zero + static_cast<char32_t>(c - '0')) : Text(1, c);
    return out;
  };
}
Write Words(std::vector<Text> digits, Text between = "") {
  return [digits = std::move(digits), between = std::move(between)](const Text& value) {
    Text out;
    for (size_t i = 0; i < value.size(); ++i) {
      const char c = value[i];
      out += c >= '0' && c <= '9' ? digits[static_cast<size_t>(c - '0')] : Text(1, c);
      if (i + 1 < value.size() && IsAlnum(c) && IsAlnum(value[i + 1])) out += between;
    }
    return out;
  };
}
// `between` after every so many characters.
Write Apart(Text between, size_t every) {
  return [between = std::move(between), every](const Text& value) {
    Text out;
    size_t count = 0;
    for (const char32_t c : CodePoints(value)) {
      if (count > 0 && count % every == 0) out += between;
      out += Utf8(c);
      ++count;
    }
    return out;
  };
}
Write EachByte(std::function<Text(uint8_t)> map) {
  return [map = std::move(map)](const Text& value) {
    Text out;
    for (const char c : value) out += map(static_cast<uint8_t>(c));
    return out;
  };
}
Text Hex2(uint8_t byte) {
  constexpr char kHex[] = "0123456789abcdef";
  return {kHex[byte >> 4], kHex[byte & 15]};
}
Text Json(const Text& value) {
  constexpr char kHex[] = "0123456789abcdef";
  Text out;
  const auto unit = [&](char32_t c) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[c >> shift & 15];
  };
  for (const char32_t c : CodePoints(value)) {
    if (c >= 0x10000) {
      unit(0xD800 + ((c - 0x10000) >> 10));
      unit(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      unit(c);
    }
  }
  return out;
}
Text Html(const Text& value) {
  Text out;
  for (const char32_t c : CodePoints(value)) out += "&#" + std::to_string(static_cast<uint32_t>(c)) + ";";
  return out;
}
// With four bytes as five characters, the first ones of the last group.
Text Base85(const Text& value, std::string_view alphabet) {
  Text out;
  for (size_t at = 0; at < value.size(); at += 4) {
    const size_t size = std::min<size_t>(4, value.size() - at);
    uint32_t number = 0;
    for (size_t i = 0; i < 4; ++i) number = number << 8 | (i < size ? static_cast<uint8_t>(value[at + i]) : 0);
    Text group(5, ' ');
    for (size_t i = 5; i-- > 0; number /= 85) group[i] = alphabet[number % 85];
    out += group.substr(0, size + 1);
  }
  return out;
}
Text Ascii85(const Text& value) {
  Text alphabet;
  for (char c = '!'; c <= 'u'; ++c) alphabet += c;
  return Base85(value, alphabet);
}
Text Rfc1924(const Text& value) {
  return Base85(value, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~");
}
Text Z85(const Text& value) {
  return Base85(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#");
}
Text Bits(const Text& value) {
  Text out;
  for (const char c : value) {
    for (int bit = 7; bit >= 0; --bit) out += static_cast<char>('0' + (static_cast<uint8_t>(c) >> bit & 1));
  }
  return out;
}
Text Base32(const Text& value) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  Text out;
  uint32_t bits = 0, count = 0;
  for (const char c : value) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= 5; count -= 5) out += kAlphabet[bits >> (count - 5) & 31];
  }
  if (count > 0) out += kAlphabet[bits << (5 - count) & 31];
  while (out.size() % 8 != 0) out += '=';
  return out;
}
// As xxd writes it.
Text HexDump(const Text& value) {
  Text out = "\n", column;
  for (size_t at = 0; at < value.size(); ++at) {
    if (at % 16 == 0) out += "000000" + Hex2(static_cast<uint8_t>(at)) + ":";
    out += (at % 2 == 0 ? " " : "") + Hex2(static_cast<uint8_t>(value[at]));
    column += value[at] > ' ' && value[at] < 0x7F ? value[at] : '.';
    if (at % 16 == 15 || at + 1 == value.size()) {
      const size_t missing = 15 - at % 16;
      out += Text(missing * 2 + missing / 2, ' ') + "  " + column + "\n";
      column.clear();
    }
  }
  return out;
}
Text ListOfStrings(const Text& value) {
  Text out;
  for (const char32_t c : CodePoints(value)) out += (out.empty() ? "[\"" : ", \"") + Utf8(c) + "\"";
  return out + "]";
}
Text CharacterCodes(const Text& value) {
  Text out;
  for (const char c : value) out += (out.empty() ? "" : ", ") + std::to_string(static_cast<uint8_t>(c));
  return out;
}

Text FullWidthAll(const Text& value) {
  Text out;
  for (const char c : value) out += c > ' ' && static_cast<uint8_t>(c) < 0x7F ? FullWidth(c) : Text(1, c);
  return out;
}
Text LookAlikes(const Text& value) {
  static constexpr std::string_view kLatin = "aceopxyABCEHKMOPTXs";
  static constexpr char32_t kOthers[] = {U'а', U'с', U'е', U'о', U'р', U'х', U'у', U'А', U'В', U'С',
                                         U'Е', U'Н', U'К', U'М', U'О', U'Р', U'Т', U'Х', U'ѕ'};
  Text out;
  for (const char c : value) {
    const size_t at = kLatin.find(c);
    out += at == std::string_view::npos ? Text(1, c) : Utf8(kOthers[at]);
  }
  return out;
}

int ValueOf(char c) { return c >= 'A' ? c - 'A' + 10 : c - '0'; }

// Check characters by their definitions, by trying all.
Text Iban(const Text& country, const Text& body) {
  for (int check = 2; check <= 98; ++check) {
    const Text digits = Text(check < 10 ? "0" : "") + std::to_string(check);
    int remainder = 0;
    for (const char c : body + country + digits) {
      const int value = ValueOf(c);
      remainder = (remainder * (value < 10 ? 10 : 100) + value) % 97;
    }
    if (remainder == 1) return country + digits + body;
  }
  throw std::logic_error("no check digits");
}
Text HongKongId(std::mt19937& random) {
  const Text body = Text(1, static_cast<char>('A' + random() % 26)) + RandomDigits(random, 6);
  int sum = 36 * 9;  // a blank in front
  for (size_t i = 0; i < body.size(); ++i) sum += ValueOf(body[i]) * static_cast<int>(8 - i);
  const int check = (11 - sum % 11) % 11;
  return body + "(" + (check == 10 ? Text("A") : std::to_string(check)) + ")";
}
Text TaiwanId(std::mt19937& random) {
  static constexpr std::string_view kOrder = "ABCDEFGHJKLMNPQRSTUVXYWZIO";  // 10, 11, ...
  const char letter = static_cast<char>('A' + random() % 26);
  const int code = 10 + static_cast<int>(kOrder.find(letter));
  const Text body = Text(1, static_cast<char>('1' + random() % 2)) + RandomDigits(random, 7);
  int sum = code / 10 + code % 10 * 9;
  for (size_t i = 0; i < 8; ++i) sum += (body[i] - '0') * static_cast<int>(8 - i);
  return letter + body + std::to_string((10 - sum % 10) % 10);
}
Text Nhs(std::mt19937& random) {
  while (true) {
    const Text body = "4" + RandomDigits(random, 8);
    int sum = 0;
    for (size_t i = 0; i < 9; ++i) sum += (body[i] - '0') * static_cast<int>(10 - i);
    const int check = (11 - sum % 11) % 11;
    if (check != 10) return body + std::to_string(check);
  }
}
Text Routing(std::mt19937& random) {
  const Text body = "0" + Text(1, static_cast<char>('1' + random() % 9)) + RandomDigits(random, 6);
  static constexpr int kWeights[] = {3, 7, 1};
  for (char check = '0'; check <= '9'; ++check) {
    int sum = 0;
    const Text all = body + check;
    for (size_t i = 0; i < 9; ++i) sum += (all[i] - '0') * kWeights[i % 3];
    if (sum % 10 == 0) return all;
  }
  throw std::logic_error("no check digit");
}
// Of a company: the weights are powers of three, modulo 31.
Text Usci(std::mt19937& random) {
  static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  Text code = "91" + RandomDigits(random, 6) + "MA" + RandomDigits(random, 4);
  while (code.size() < 17) code += kAlphabet[random() % kAlphabet.size()];
  size_t sum = 0, weight = 1;
  for (const char c : code) {
    sum += kAlphabet.find(c) * weight;
    weight = weight * 3 % 31;
  }
  return code + kAlphabet[(31 - sum % 31) % 31];
}
Text OldResidentId(std::mt19937& random) {
  const auto two = [](uint32_t value) { return Text(value < 10 ? "0" : "") + std::to_string(value); };
  return std::to_string(11 + random() % 55) + RandomDigits(random, 4) + two(30 + random() % 60) +
         two(1 + random() % 12) + two(1 + random() % 28) + RandomDigits(random, 3);
}
// Without a check digit; which places hold letters is known.
Text Medicare(std::mt19937& random) {
  static constexpr std::string_view kLetters = "ACDEFGHJKMNPQRTUVWXY";
  Text code(1, static_cast<char>('1' + random() % 9));
  for (const char place : std::string_view("AXNAXNAANN")) {
    const bool letter = place == 'A' || (place == 'X' && random() % 2 == 0);
    code += letter ? kLetters[random() % kLetters.size()] : static_cast<char>('0' + random() % 10);
  }
  return code;
}
Text Secret(std::mt19937& random, const Text& prefix, size_t size) {
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  Text key = prefix;
  for (size_t i = 0; i < size; ++i) key += i % 3 == 0 ? kLetters[52 + random() % 10] : kLetters[random() % 52];
  return key;
}
Text Token(std::mt19937& random) {
  const auto part = [](const Text& text) { return Text(absl::WebSafeBase64Escape(text)); };
  return part(R"({"alg":"HS256","typ":"JWT"})") + "." + part(R"({"sub":")" + RandomDigits(random, 9) + "\"}") + "." +
         Secret(random, "", 43);
}
Text NationalInsurance(std::mt19937& random) {
  static constexpr std::string_view kFirst = "ABCEHJKLMPRSTWX";
  return Text(1, kFirst[random() % kFirst.size()]) + kFirst[random() % kFirst.size()] + RandomDigits(random, 6) +
         static_cast<char>('A' + random() % 4);
}

}  // namespace

const std::vector<Evasion>& AllEvasions() {
  static const std::vector<Evasion> evasions = {
      {"full_width", Form::kDigits, FullWidthAll},
      {"circled", Form::kDigits, Words({"⓪", "①", "②", "③", "④", "⑤", "⑥", "⑦", "⑧", "⑨"})},
      {"math_bold", Form::kDigits, Digits(0x1D7CE)},
      {"keycap", Form::kDigits, Words({"0️⃣", "1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣", "8️⃣", "9️⃣"})},
      {"arabic_indic", Form::kDigits, Digits(0x0660)},
      {"chinese", Form::kDigits, Words({"〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"})},
      {"financial", Form::kDigits, Words({"零", "壹", "贰", "叁", "肆", "伍", "陆", "柒", "捌", "玖"})},
      {"traditional", Form::kDigits, Words({"零", "壹", "貳", "參", "肆", "伍", "陸", "柒", "捌", "玖"})},
      {"spoken", Form::kDigits, Words({"洞", "幺", "两", "三", "四", "五", "六", "拐", "八", "勾"})},
      {"english", Form::kDigits,
       Words({"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}, " ")},
      {"look_alikes", Form::kDigits, LookAlikes},
      {"tags", Form::kDigits, EachByte([](uint8_t byte) {
         return byte > ' ' && byte < 0x7F ? Utf8(0xE0000 + byte) : Text(1, static_cast<char>(byte));
       })},
      {"zero_width", Form::kInside, Apart("\u200B", 1)},
      {"word_joiner", Form::kInside, Apart("\u2060", 2)},
      {"soft_hyphen", Form::kInside, Apart("\u00AD", 3)},
      {"bidi", Form::kInside, Apart("\u202E", 4)},
      {"single_spaces", Form::kInside, Apart(" ", 1)},
      {"groups_space", Form::kInside, Apart(" ", 4)},
      {"groups_hyphen", Form::kInside, Apart("-", 4)},
      {"groups_dot", Form::kInside, Apart(".", 4)},
      {"groups_slash", Form::kInside, Apart("/", 4)},
      {"groups_underscore", Form::kInside, Apart("_", 4)},
      {"groups_comma", Form::kInside, Apart("、", 4)},
      {"newlines", Form::kInside, Apart("\n", 6)},
      {"groups_hash", Form::kInside, Apart("#", 4)},
      {"groups_emoji", Form::kInside, Apart("\U0001F600", 4)},
      {"groups_middle_dot", Form::kInside, Apart("·", 4)},
      {"cells", Form::kInside, Apart("</td><td>", 1)},
      {"markdown_cells", Form::kInside, Apart(" | ", 1)},
      {"breaks", Form::kInside, Apart("<br/>\n", 6)},
      {"concatenated", Form::kInside, Apart("\" + \"", 6)},
      {"glued_chinese", Form::kFrame, [](const Text& value) { return "号" + value + "号"; }},
      {"glued_latin", Form::kFrame, [](const Text& value) { return "no" + value + "ok"; }},
      {"json_value", Form::kFrame, [](const Text& value) { return "{\"v\":\"" + value + "\"}"; }},
      {"json_key", Form::kFrame, [](const Text& value) { return "{\"" + value + "\":1}"; }},
      {"table", Form::kFrame, [](const Text& value) { return "| " + value + " |"; }},
      {"xml", Form::kFrame, [](const Text& value) { return "<id>" + value + "</id>"; }},
      {"code", Form::kFrame, [](const Text& value) { return "x = \"" + value + "\";"; }},
      {"list_of_strings", Form::kFrame, ListOfStrings},
      {"base32", Form::kEncoding, Base32},
      {"quoted_printable", Form::kEncoding, EachByte([](uint8_t byte) { return "=" + Hex2(byte); })},
      {"hex_dump", Form::kEncoding, HexDump},
      {"character_codes", Form::kEncoding, CharacterCodes},
      {"base64", Form::kEncoding, [](const Text& value) { return Text(absl::Base64Escape(value)); }},
      {"hex", Form::kEncoding, EachByte(Hex2)},
      {"url", Form::kEncoding, EachByte([](uint8_t byte) { return "%" + Hex2(byte); })},
      {"html", Form::kEncoding, Html},
      {"json_u", Form::kEncoding, Json},
      {"ascii85", Form::kEncoding, Ascii85},
      {"rfc1924", Form::kEncoding, Rfc1924},
      {"z85", Form::kEncoding, Z85},
      {"bits", Form::kEncoding, Bits},
  };
  return evasions;
}

const Evasion& EvasionNamed(std::string_view name) {
  for (const Evasion& evasion : AllEvasions()) {
    if (evasion.name == name) return evasion;
  }
  throw std::logic_error("no such evasion");
}

const std::vector<Identifier>& AllIdentifiers() {
  static const std::vector<Identifier> identifiers = {
      {"resident_id", "我的身份证号是 ", " 请核对", RandomResidentId},
      {"union_pay", "卡号 ", " 收到了吗",
       [](std::mt19937& random) { return WithLuhnCheck("622202" + RandomDigits(random, 12)); }},
      {"visa", "card ", " please",
       [](std::mt19937& random) { return WithLuhnCheck("4539" + RandomDigits(random, 11)); }},
      {"mastercard_2", "my card is ", " thanks",
       [](std::mt19937& random) { return WithLuhnCheck("2300" + RandomDigits(random, 11)); }},
      {"mobile", "手机 ", " 联系我", [](std::mt19937& random) { return "139" + RandomDigits(random, 7) + "6"; }},
      {"hk_id", "香港身份证 ", " 已提交", HongKongId},
      {"tw_id", "身分證字號 ", " 已提交", TaiwanId},
      {"mo_id", "澳门身份证 ", " 已提交",
       [](std::mt19937& random) { return "1" + RandomDigits(random, 6) + "(" + RandomDigits(random, 1) + ")"; }},
      {"permit_hk_mo", "港澳通行证 ", " 有效吗", [](std::mt19937& random) { return "C" + RandomDigits(random, 8); }},
      {"permit_return", "回乡证 ", " 有效吗", [](std::mt19937& random) { return "H" + RandomDigits(random, 8); }},
      {"permit_tw", "台胞证 ", " 有效吗", [](std::mt19937& random) { return "0" + RandomDigits(random, 7); }},
      {"nhs", "NHS number ", " on the form", Nhs},
      {"nino", "National Insurance number ", " on the form", NationalInsurance},
      {"ssn", "SSN ", " on the form", [](std::mt19937& random) { return "536228" + RandomDigits(random, 3); }},
      {"itin", "ITIN ", " on the form", [](std::mt19937& random) { return "91278" + RandomDigits(random, 3) + "7"; }},
      {"routing", "routing number ", " for the wire", Routing},
      {"iban_de", "IBAN ", " for the invoice",
       [](std::mt19937& random) { return Iban("DE", RandomDigits(random, 18)); }},
      {"iban_gb", "IBAN ", " for the invoice",
       [](std::mt19937& random) { return Iban("GB", "WEST" + RandomDigits(random, 14)); }},
      {"api_key", "key ", " is this right", [](std::mt19937& random) { return Secret(random, "sk-", 24); }, true},
      {"github", "use ", " for the push", [](std::mt19937& random) { return Secret(random, "ghp_", 36); }, true},
      {"aliyun", "use ", " for oss", [](std::mt19937& random) { return Secret(random, "LTAI", 20); }, true},
      {"jwt", "token ", " expired", Token, true},
      {"old_resident_id", "我的身份证号是 ", " 请核对", OldResidentId},
      {"usci", "统一社会信用代码 ", " 请核对", Usci},
      {"mbi", "Medicare number ", " on the form", Medicare},
  };
  return identifiers;
}

namespace {

bool IsIn(std::string_view name, std::string_view names) {
  return (Text(" ") + Text(names) + " ").find(Text(" ").append(name).append(" ")) != Text::npos;
}
bool IsOneOf(const Evasion& evasion, std::string_view names) { return IsIn(evasion.name, names); }
// Puts signs of a format between the characters themselves.
bool IsStructure(const Evasion& evasion) {
  return IsOneOf(evasion, "groups_hash groups_emoji cells markdown_cells breaks concatenated list_of_strings");
}
bool IsBase85(const Evasion& evasion) { return IsOneOf(evasion, "ascii85 rfc1924 z85"); }
bool IsOfWords(const Evasion& evasion) { return IsOneOf(evasion, "chinese financial traditional spoken english"); }

}  // namespace

bool IsPlainEvasion(const Evasion& evasion) {
  return IsOneOf(evasion,
                 "full_width circled math_bold keycap arabic_indic chinese financial traditional spoken english "
                 "look_alikes zero_width soft_hyphen bidi single_spaces groups_space groups_hyphen groups_dot "
                 "groups_slash groups_underscore groups_comma newlines glued_chinese glued_latin json_value json_key "
                 "table xml code base64 hex url html json_u");
}
bool IsChecked(const Identifier& identifier) {
  return IsIn(identifier.name,
              "resident_id union_pay visa mastercard_2 hk_id tw_id nhs routing iban_de iban_gb old_resident_id usci "
              "mbi api_key github aliyun jwt");
}

bool Fits(const Identifier& identifier, const Evasion& evasion) {
  // Brackets are not digits, nor parts of a list's items.
  const std::string_view kind = identifier.name;
  if ((kind == "hk_id" || kind == "mo_id") &&
      IsOneOf(evasion, "groups_hash groups_emoji markdown_cells concatenated")) {
    return false;
  }
  // Parts of a longer code, and codes of any kind.
  if (kind == "usci" && IsOneOf(evasion, "glued_latin")) return false;
  if (kind == "mbi" && IsBase85(evasion)) return false;
  if (std::string_view(identifier.name) == "permit_tw") {
    // Eight digits: without the label right before them they are any number.
    return evasion.form != Form::kFrame && !IsStructure(evasion) && !IsBase85(evasion) &&
           !IsOneOf(evasion, "groups_slash newlines hex_dump");
  }
  if (!identifier.code) return true;
  // Letters and digits of a key mixed with words, or cut by its own signs, are not what they were to a reader either.
  if (evasion.form == Form::kInside) return IsInvisible(evasion);
  return std::string_view("chinese financial traditional spoken english arabic_indic").find(evasion.name) ==
         std::string_view::npos;
}

bool Fits(const Evasion& first, const Evasion& second) {
  // Not undone: signs between the characters of what is encoded, codes of words, dumps of what is in pieces.
  if (IsStructure(second)) return false;
  // Nor always base85 in something else: its own signs are those that formats are made of.
  if (IsBase85(first) && IsOneOf(second, "glued_latin")) return false;
  if (IsOneOf(first, "english") && IsOneOf(second, "glued_latin")) return false;  // which makes other words
  if (IsOneOf(second, "character_codes") && (IsOneOf(first, "english") || IsStructure(first))) return false;
  if (IsOneOf(second, "hex_dump") && IsStructure(first)) return false;
  if (IsOneOf(second, "quoted_printable") && IsOneOf(first, "newlines breaks hex_dump")) return false;
  if (IsStructure(first)) {
    return second.form == Form::kEncoding || (second.form == Form::kDigits && !IsOfWords(second));
  }
  if (&first == &second) return first.form == Form::kEncoding;
  // Two ways to write one digit exclude each other; what is framed has other characters than the value's.
  if (second.form == Form::kDigits) {
    // Words need one kind of gap.
    const std::string_view gap = first.name;
    const bool english = std::string_view(second.name) == "english";
    return first.form == Form::kInside && (!english || gap == "single_spaces" || gap == "groups_space");
  }
  if (second.form != Form::kInside) return true;
  if (IsInvisible(second)) return first.form != Form::kFrame;
  // Nor are words cut into pieces, or the parts of one sign.
  const std::string_view name = first.name;
  return first.form == Form::kDigits && name != "english" && name != "keycap";
}

}  // namespace headgate::router
