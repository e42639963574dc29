// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/validators.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace headgate::router {
namespace {

constexpr size_t kEmailLocalMax = 64;
constexpr size_t kEmailDomainMax = 253;

int Number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

bool AllDigits(std::string_view text) {
  bool all = true;
  for (const char c : text) all = all & IsDigit(c);
  return all;
}

bool IsDate(int year, int month, int day) {
  constexpr std::array<int, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1850 || year > 2099 || month < 1 || month > 12 || day < 1 || day > kDays[static_cast<size_t>(month - 1)]) {
    return false;
  }
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month != 2 || day <= 28 || leap;
}

// Issuer ranges by the first four digits; lengths from public issuer documentation.
struct IssuerRange {
  int first, last;
  size_t length_min, length_max;
};
constexpr IssuerRange kIssuers[] = {
    {2200, 2204, 16, 19},  // Mir
    {2221, 2720, 16, 16},  // Mastercard, 2-series
    {3000, 3059, 14, 19},  // Diners Club
    {3400, 3499, 15, 15},  // American Express
    {3528, 3589, 16, 19},  // JCB
    {3600, 3699, 14, 19},  // Diners Club
    {3700, 3799, 15, 15},  // American Express
    {3800, 3999, 14, 19},  // Diners Club
    {4000, 4999, 16, 19},  // Visa, also older mainland debit cards
    {5100, 5599, 16, 16},  // Mastercard
    {6011, 6011, 16, 19},  // Discover
    {6200, 6299, 16, 19},  // UnionPay
    {6440, 6599, 16, 19},  // Discover
    {8100, 8171, 16, 19},  // UnionPay
    {9558, 9558, 19, 19},  // ICBC debit cards from before the 62 range
};

// The issuer of each first four digits, counted from 1; 0: none.
constexpr std::array<uint8_t, 10000> kIssuerOf = [] {
  std::array<uint8_t, 10000> issuer_of{};
  for (size_t i = 0; i < std::size(kIssuers); ++i) {
    for (int prefix = kIssuers[i].first; prefix <= kIssuers[i].last; ++prefix) {
      issuer_of[static_cast<size_t>(prefix)] = static_cast<uint8_t>(i + 1);
    }
  }
  return issuer_of;
}();

bool IsEmailLocal(char c) { return IsAlnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-'; }
bool IsEmailDomain(char c) { return IsAlnum(c) || c == '.' || c == '-'; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerAscii);
  return lower;
}

bool OneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool AllSame(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [text](char c) { return c == text[0]; });
}

bool IsDocumentationEmail(std::string_view local, std::string_view domain) {
  const size_t last_dot = domain.rfind('.');
  const std::string_view top = domain.substr(last_dot + 1);
  std::string_view name = domain.substr(0, last_dot);
  if (const size_t dot = name.rfind('.'); dot != std::string_view::npos) name = name.substr(dot + 1);
  if (name == "example" || OneOf(top, {"example", "test", "invalid", "localhost"})) return true;
  // Mailboxes of a company, not of a person.
  if (OneOf(local, {"info",       "support",         "sales",          "contact",      "help",          "service",
                    "press",      "media",           "alerts",         "alert",        "notifications", "notification",
                    "newsletter", "hello",           "careers",        "jobs",         "marketing",     "webmaster",
                    "postmaster", "billing",         "feedback",       "privacy",      "security",      "abuse",
                    "helpdesk",   "enquiries",       "news",           "do-not-reply", "donotreply",    "mailer-daemon",
                    "kefu",       "customerservice", "service-noreply", "newsroom",   "pressoffice",   "inquiries",
                    "bookings",   "mediainquiries",  "mediarelations",  "tickets",    "reservations",  "customercare",
                    "admissions"})) {
    return true;
  }
  if (OneOf(domain, {"email.com", "domain.com", "yourdomain.com", "mydomain.com", "yourcompany.com", "test.com",
                     "abc.com", "xyz.com", "xxx.com", "foo.com", "bar.com", "foo.bar", "company.example"})) {
    return true;
  }
  if (OneOf(local, {"git", "noreply", "no-reply", "yourname", "your.name", "your_name", "youremail", "your.email",
                    "your_email", "your-email", "username", "xxx"})) {
    return true;
  }
  return local.size() >= 3 && local[0] == 'x' && AllSame(local);
}

}  // namespace

bool IsCnResidentId(std::string_view id) {
  constexpr std::array<int, 17> kWeights = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  if (id.size() != 18 || !AllDigits(id.substr(0, 17)) || id[0] == '0') return false;
  if (!IsDate(Number(id.substr(6, 4)), Number(id.substr(10, 2)), Number(id.substr(12, 2)))) return false;
  int sum = 0;
  for (size_t i = 0; i < kWeights.size(); ++i) sum += kWeights[i] * (id[i] - '0');
  const char check = id[17] == 'x' ? 'X' : id[17];
  return check == "10X98765432"[sum % 11];
}

bool IsDateDigits(std::string_view digits) {
  return digits.size() == 8 && AllDigits(digits) &&
         IsDate(Number(digits.substr(0, 4)), Number(digits.substr(4, 2)), Number(digits.substr(6, 2)));
}

bool IsOldCnResidentId(std::string_view digits) {
  if (digits.size() != 15 || !AllDigits(digits)) return false;
  const int province = Number(digits.substr(0, 2));
  return province >= 11 && province <= 82 &&
         IsDate(1900 + Number(digits.substr(6, 2)), Number(digits.substr(8, 2)), Number(digits.substr(10, 2)));
}

bool IsUsci(std::string_view code) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  if (code.size() != 18 || !AllDigits(code.substr(2, 6))) return false;
  size_t weight = 1, sum = 0;
  for (size_t i = 0; i < 18; ++i) {
    const size_t value = kAlphabet.find(UpperAscii(code[i]));
    if (value == std::string_view::npos) return false;
    if (i == 17) return value == (31 - sum % 31) % 31;
    sum += value * weight;
    weight = weight * 3 % 31;
  }
  return false;
}

bool IsHongKongId(std::string_view id) {
  if (id.size() != 8 && id.size() != 9) return false;
  const size_t letters = id.size() - 7;
  if (!IsLetter(id[0]) || !IsLetter(id[letters - 1]) || !AllDigits(id.substr(letters, 6))) return false;
  const auto value = [](char c) { return IsDigit(c) ? c - '0' : UpperAscii(c) - 'A' + 10; };
  int sum = letters == 2 ? value(id[0]) * 9 : 36 * 9;
  for (size_t i = letters - 1, weight = 8; i < id.size() - 1; ++i, --weight)
    sum += value(id[i]) * static_cast<int>(weight);
  const char check = "0123456789A"[(11 - sum % 11) % 11];
  return UpperAscii(id.back()) == check;
}

bool IsTaiwanId(std::string_view id) {
  constexpr std::string_view kOrder = "ABCDEFGHJKLMNPQRSTUVXYWZIO";  // A = 10, B = 11, ...
  if (id.size() != 10 || !IsLetter(id[0]) || !AllDigits(id.substr(1))) return false;
  if (id[1] != '1' && id[1] != '2' && id[1] != '8' && id[1] != '9') return false;
  const int letter = static_cast<int>(kOrder.find(UpperAscii(id[0]))) + 10;
  int sum = letter / 10 + letter % 10 * 9;
  for (size_t i = 1; i < 9; ++i) sum += (id[i] - '0') * static_cast<int>(9 - i);
  return (sum + id[9] - '0') % 10 == 0;
}

namespace {

// ISO 13616 registry: country, and what its account is made of: digits (n), letters (a), either (c).
constexpr std::pair<std::string_view, std::string_view> kIbanForms[] = {
    {"AD", "n8c12"}, {"AE", "n19"}, {"AL", "n8c16"}, {"AT", "n16"}, {"AZ", "a4c20"}, {"BA", "n16"}, {"BE", "n12"},
    {"BG", "a4n6c8"}, {"BH", "a4c14"}, {"BR", "n23a1c1"}, {"BY", "c4n4c16"}, {"CH", "n5c12"}, {"CR", "n18"},
    {"CY", "n8c16"}, {"CZ", "n20"}, {"DE", "n18"}, {"DK", "n14"}, {"DO", "c4n20"}, {"EE", "n16"}, {"EG", "n25"},
    {"ES", "n20"}, {"FI", "n14"}, {"FO", "n14"}, {"FR", "n10c11n2"}, {"GB", "a4n14"}, {"GE", "a2n16"},
    {"GI", "a4c15"}, {"GL", "n14"}, {"GR", "n7c16"}, {"GT", "c24"}, {"HR", "n17"}, {"HU", "n24"}, {"IE", "a4n14"},
    {"IL", "n19"}, {"IQ", "a4n15"}, {"IS", "n22"}, {"IT", "a1n10c12"}, {"JO", "a4n4c18"}, {"KW", "a4c22"},
    {"KZ", "n3c13"}, {"LB", "n4c20"}, {"LC", "a4c24"}, {"LI", "n5c12"}, {"LT", "n16"}, {"LU", "n3c13"},
    {"LV", "a4c13"}, {"MC", "n10c11n2"}, {"MD", "c20"}, {"ME", "n18"}, {"MK", "n3c10n2"}, {"MR", "n23"},
    {"MT", "a4n5c18"}, {"MU", "a4n19a3"}, {"NL", "a4n10"}, {"NO", "n11"}, {"PK", "a4c16"}, {"PL", "n24"},
    {"PS", "a4c21"}, {"PT", "n21"}, {"QA", "a4c21"}, {"RO", "a4c16"}, {"RS", "n18"}, {"SA", "n2c18"},
    {"SC", "a4n20a3"}, {"SE", "n20"}, {"SI", "n15"}, {"SK", "n20"}, {"SM", "a1n10c12"}, {"ST", "n21"},
    {"SV", "a4n20"}, {"TL", "n19"}, {"TN", "n20"}, {"TR", "n6c16"}, {"UA", "n6c19"}, {"VA", "n18"}, {"VG", "a4n16"},
    {"XK", "n16"}};
constexpr size_t CountryIndex(char first, char second) {
  return static_cast<size_t>(first - 'A') * 26 + static_cast<size_t>(second - 'A');
}
// One part of a form; `at` goes on behind it.
struct IbanPart {
  char kind = 0;
  uint8_t count = 0;
};
constexpr IbanPart NextPart(std::string_view form, size_t& at) {
  IbanPart part{form[at++], 0};
  while (at < form.size() && IsDigit(form[at])) part.count = static_cast<uint8_t>(part.count * 10 + (form[at++] - '0'));
  return part;
}
struct IbanForm {
  uint8_t length = 0;  // of the whole
  std::string_view form;
};
constexpr std::array<IbanForm, 26 * 26> kIbanFormOf = [] {
  std::array<IbanForm, 26 * 26> forms{};
  for (const auto& [country, form] : kIbanForms) {
    uint8_t length = 4;
    for (size_t at = 0; at < form.size();) length = static_cast<uint8_t>(length + NextPart(form, at).count);
    forms[CountryIndex(country[0], country[1])] = {length, form};
  }
  return forms;
}();

}  // namespace

size_t IbanLength(std::string_view begin) {
  if (begin.size() < 2 || !IsLetter(begin[0]) || !IsLetter(begin[1])) return 0;
  return kIbanFormOf[CountryIndex(UpperAscii(begin[0]), UpperAscii(begin[1]))].length;
}

bool IsIban(std::string_view iban) {
  if (iban.size() < 15 || IbanLength(iban) != iban.size() || !AllDigits(iban.substr(2, 2))) return false;
  const std::string_view form = kIbanFormOf[CountryIndex(UpperAscii(iban[0]), UpperAscii(iban[1]))].form;
  if (form.size() < 4 && form[0] == 'n' && !AllDigits(iban.substr(4))) return false;
  constexpr uint64_t kReduceAt = 1'000'000'000'000'000;
  uint64_t number = 0;
  for (const std::string_view part : {iban.substr(4), iban.substr(0, 4)}) {
    for (const char written : part) {
      const char c = UpperAscii(written);
      if (!IsAlnum(c)) return false;
      number = IsDigit(c) ? number * 10 + static_cast<uint64_t>(c - '0')
                          : number * 100 + static_cast<uint64_t>(c - 'A' + 10);
      if (number >= kReduceAt) number %= 97;
    }
  }
  return number % 97 == 1;
}

bool HasIbanForm(std::string_view iban) {
  if (iban.size() < 4 || IbanLength(iban) != iban.size()) return false;
  const std::string_view form = kIbanFormOf[CountryIndex(UpperAscii(iban[0]), UpperAscii(iban[1]))].form;
  size_t place = 4;
  for (size_t at = 0; at < form.size();) {
    const IbanPart part = NextPart(form, at);
    for (const size_t end = place + part.count; place < end; ++place) {
      if (part.kind != 'c' && IsDigit(iban[place]) != (part.kind == 'n')) return false;
    }
  }
  return true;
}

bool IsUsRouting(std::string_view digits) {
  if (digits.size() != 9 || !AllDigits(digits)) return false;
  const int prefix = Number(digits.substr(0, 2));
  if (!((prefix >= 1 && prefix <= 12) || (prefix >= 21 && prefix <= 32) || (prefix >= 61 && prefix <= 72) ||
        prefix == 80)) {
    return false;
  }
  int sum = 0;
  for (size_t i = 0; i < 9; ++i) sum += (digits[i] - '0') * (i % 3 == 0 ? 3 : i % 3 == 1 ? 7 : 1);
  return sum % 10 == 0;
}

bool IsNhsNumber(std::string_view digits) {
  if (digits.size() != 10 || !AllDigits(digits) || AllSame(digits)) return false;
  int sum = 0;
  for (size_t i = 0; i < 9; ++i) sum += (digits[i] - '0') * static_cast<int>(10 - i);
  const int check = 11 - sum % 11;
  return check != 10 && check % 11 == digits[9] - '0';
}

bool IsUsSsn(std::string_view digits) {
  if (digits.size() != 9 || digits[0] == '9' || !AllDigits(digits) || AllSame(digits)) return false;
  const int area = Number(digits.substr(0, 3));
  return area != 0 && area != 666 && area < 900 && digits.substr(3, 2) != "00" && digits.substr(5) != "0000" &&
         !OneOf(digits, {"078051120", "219099999", "123456789"});
}

bool IsUsItin(std::string_view digits) {
  if (digits.size() != 9 || !AllDigits(digits) || digits[0] != '9') return false;
  const int group = Number(digits.substr(3, 2));
  return (group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group <= 92) ||
         (group >= 94 && group <= 99);
}

bool IsNino(std::string_view code) {
  if (code.size() != 9 || !AllDigits(code.substr(2, 6))) return false;
  const char a = UpperAscii(code[0]), b = UpperAscii(code[1]), suffix = UpperAscii(code[8]);
  constexpr std::string_view kFirst = "ABCEGHJKLMNOPRSTWXYZ", kSecond = "ABCEGHJKLMNPRSTWXYZ";
  const char prefix[] = {a, b};
  return kFirst.find(a) != std::string_view::npos && kSecond.find(b) != std::string_view::npos && suffix >= 'A' &&
         suffix <= 'D' && !OneOf({prefix, 2}, {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"});
}

bool IsMedicareNumber(std::string_view code) {
  constexpr std::string_view kForm = "CAXNAXNAANN";  // C: 1-9, N: digit, A: letter, X: either
  if (code.size() != kForm.size() || code[0] == '0') return false;
  for (size_t i = 0; i < code.size(); ++i) {
    const char c = UpperAscii(code[i]);
    const bool digit = c >= '0' && c <= '9';
    const bool letter = c >= 'A' && c <= 'Z' && std::string_view("SLOIBZ").find(c) == std::string_view::npos;
    if (!(kForm[i] == 'A' ? letter : kForm[i] == 'X' ? digit || letter : digit)) return false;
  }
  return true;
}

bool PassesLuhn(std::string_view digits) {
  int sum = 0;
  bool twice = false;
  for (size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int digit = digits[i] - '0';
    sum += twice ? digit * 2 - (digit > 4 ? 9 : 0) : digit;
  }
  return !digits.empty() && sum % 10 == 0;
}

bool IsBankCard(std::string_view digits) {
  if (digits.size() < 14 || digits.size() > 19 || !AllDigits(digits.substr(0, 4))) return false;
  const uint8_t index = kIssuerOf[static_cast<size_t>(Number(digits.substr(0, 4)))];
  if (index == 0 || !AllDigits(digits)) return false;
  const IssuerRange& issuer = kIssuers[index - 1];
  return digits.size() >= issuer.length_min && digits.size() <= issuer.length_max && PassesLuhn(digits);
}

bool IsLongIdentifier(std::string_view characters) {
  return IsCnResidentId(characters) || IsBankCard(characters) || IsIban(characters);
}

bool IsCheckedIdentifier(std::string_view characters) {
  switch (characters.size()) {
    case 8:
      return IsHongKongId(characters);
    case 9:
      return IsUsRouting(characters) || IsHongKongId(characters);
    case 10:
      return IsNhsNumber(characters) || IsTaiwanId(characters);
    case 11:
      return IsMedicareNumber(characters);
    default:
      return IsLongIdentifier(characters) || IsUsci(characters) || IsOldCnResidentId(characters);
  }
}

bool IsTollFree(std::string_view digits) {
  constexpr std::string_view kAreas[] = {"800", "833", "844", "855", "866", "877", "888"};
  if (digits.size() == 11 && digits[0] == '1') digits.remove_prefix(1);
  const auto* area = std::find(std::begin(kAreas), std::end(kAreas), digits.substr(0, 3));
  return digits.size() == 10 && area != std::end(kAreas);
}

bool IsCnMobile(std::string_view digits) {
  return digits.size() == 11 && AllDigits(digits) && digits[0] == '1' && digits[1] >= '3' &&
         digits.substr(3) != "00000000";
}

std::optional<TextRange> EmailAround(std::string_view text, size_t at) {
  size_t begin = at;
  while (begin > 0 && at - begin < kEmailLocalMax && IsEmailLocal(text[begin - 1])) --begin;
  while (begin < at && !IsAlnum(text[begin]) && text[begin] != '_') ++begin;
  if (begin == at) return std::nullopt;
  size_t end = at + 1;
  while (end < text.size() && end - at <= kEmailDomainMax && IsEmailDomain(text[end])) ++end;
  while (end > at + 1 && !IsAlnum(text[end - 1])) --end;
  const std::string local = Lower(text.substr(begin, at - begin));
  std::string domain = Lower(text.substr(at + 1, end - at - 1));
  // A dot-separated tail that cannot belong to the name ends it: `a@b.com.2024` is `a@b.com`.
  while (true) {
    const size_t dot = domain.rfind('.');
    if (local.empty() || dot == std::string::npos || dot == 0) return std::nullopt;
    const std::string_view top = std::string_view(domain).substr(dot + 1);
    if (top.size() >= 2 && std::all_of(top.begin(), top.end(), IsLetter)) break;
    domain.resize(dot);
  }
  const std::string_view top = std::string_view(domain).substr(domain.rfind('.') + 1);
  if (OneOf(top, {"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "html", "json", "txt", "pdf", "local"})) {
    return std::nullopt;
  }
  if (domain.find("..") != std::string::npos || IsDocumentationEmail(local, domain)) return std::nullopt;
  return TextRange{begin, at + 1 + domain.size()};
}

}  // namespace headgate::router
