// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/validators.h"

#include <algorithm>
#include <array>
#include <string>

namespace headgate::router {
namespace {

constexpr size_t kEmailLocalMax = 64;
constexpr size_t kEmailDomainMax = 253;

int Number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

bool AllDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }

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

bool AllSame(std::string_view text) { return text.find_first_not_of(text.substr(0, 1)) == std::string_view::npos; }

bool IsDocumentationEmail(std::string_view local, std::string_view domain) {
  const size_t last_dot = domain.rfind('.');
  const std::string_view top = domain.substr(last_dot + 1);
  std::string_view name = domain.substr(0, last_dot);
  if (const size_t dot = name.rfind('.'); dot != std::string_view::npos) name = name.substr(dot + 1);
  if (name == "example" || OneOf(top, {"example", "test", "invalid", "localhost"})) return true;
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
  if (digits.size() < 14 || digits.size() > 19 || !AllDigits(digits)) return false;
  const int prefix = Number(digits.substr(0, 4));
  for (const IssuerRange& issuer : kIssuers) {
    if (prefix < issuer.first || prefix > issuer.last) continue;
    return digits.size() >= issuer.length_min && digits.size() <= issuer.length_max && PassesLuhn(digits);
  }
  return false;
}

bool IsCnMobile(std::string_view digits) {
  return digits.size() == 11 && AllDigits(digits) && digits[0] == '1' && digits[1] >= '3' &&
         digits.substr(3) != "00000000";
}

std::optional<TextRange> EmailAround(std::string_view text, size_t at) {
  size_t begin = at;
  while (begin > 0 && at - begin < kEmailLocalMax && IsEmailLocal(text[begin - 1])) --begin;
  while (begin < at && !IsAlnum(text[begin]) && text[begin] != '_') ++begin;
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
