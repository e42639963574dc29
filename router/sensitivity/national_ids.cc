// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/national_ids.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

bool AllDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }
bool AllSame(std::string_view text) { return text.find_first_not_of(text.substr(0, 1)) == std::string_view::npos; }
int Digit(char c) { return c - '0'; }

int64_t Number(std::string_view digits) {
  int64_t number = 0;
  for (const char c : digits) number = number * 10 + Digit(c);
  return number;
}

int Weighted(std::string_view digits, std::initializer_list<int> weights) {
  int sum = 0;
  size_t at = 0;
  for (const int weight : weights) sum += weight * Digit(digits[at++]);
  return sum;
}

// YYMMDD of some century.
bool IsShortDate(std::string_view digits) {
  const std::string date(digits);
  return IsDateDigits("19" + date) || IsDateDigits("20" + date);
}

bool IsTfn(std::string_view d) { return Weighted(d, {1, 4, 3, 7, 5, 8, 6, 9, 10}) % 11 == 0; }
bool IsBsn(std::string_view d) { return Weighted(d, {9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 == 0; }

bool IsPesel(std::string_view d) {
  // The century is in the month: 01..12, 21..32, ...
  const int month = static_cast<int>(Number(d.substr(2, 2))) % 20, day = static_cast<int>(Number(d.substr(4, 2)));
  return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
         Weighted(d, {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1}) % 10 == 0;
}

bool IsTurkishId(std::string_view d) {
  const int odd = Weighted(d, {1, 0, 1, 0, 1, 0, 1, 0, 1}), even = Weighted(d, {0, 1, 0, 1, 0, 1, 0, 1});
  const int check = ((odd * 7 - even) % 10 + 10) % 10;
  return d[0] != '0' && check == Digit(d[9]) && (odd + even + check) % 10 == Digit(d[10]);
}

// ISO 7064 MOD 11,10.
bool IsGermanTaxId(std::string_view d) {
  int product = 10;
  for (size_t i = 0; i < 10; ++i) {
    const int sum = (Digit(d[i]) + product) % 10;
    product = (sum == 0 ? 10 : sum) * 2 % 11;
  }
  return d[0] != '0' && (11 - product) % 10 == Digit(d[10]);
}

// Verhoeff, J. (1969): multiplication in the dihedral group D5, a permutation that moves with the place.
bool PassesVerhoeff(std::string_view digits) {
  constexpr std::array<uint8_t, 10> kPermutation = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
  const auto times = [](int a, int b) {
    if (a < 5) return b < 5 ? (a + b) % 5 : 5 + (a + b - 5) % 5;
    return b < 5 ? 5 + (a - 5 - b + 5) % 5 : (a - b + 5) % 5;
  };
  int check = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    int digit = Digit(digits[digits.size() - 1 - i]);
    for (size_t n = 0; n < i % 8; ++n) digit = kPermutation[static_cast<size_t>(digit)];
    check = times(check, digit);
  }
  return check == 0;
}

}  // namespace

bool IsSingaporeId(std::string_view id) {
  if (id.size() != 9 || !AllDigits(id.substr(1, 7))) return false;
  const size_t series = std::string_view("STFGM").find(id[0]);
  if (series == std::string_view::npos) return false;
  constexpr int kOffsets[] = {0, 4, 0, 4, 3};
  const int rest = (Weighted(id.substr(1, 7), {2, 7, 6, 5, 4, 3, 2}) + kOffsets[series]) % 11;
  const std::string_view letters = series < 2 ? "JZIHGFEDCBA" : series < 4 ? "XWUTRQPNMLK" : "XWUTRQPNJLK";
  return letters[static_cast<size_t>(rest)] == id[8];
}

bool IsSpanishId(std::string_view id) {
  if (id.size() != 9) return false;
  std::string digits(id.substr(0, 8));
  if (const size_t foreign = std::string_view("XYZ").find(id[0]); foreign != std::string_view::npos) {
    digits[0] = static_cast<char>('0' + foreign);
  }
  return AllDigits(digits) && "TRWAGMYFPDXBNJZSQVHLCKE"[Number(digits) % 23] == id[8];
}

bool HasItalianFiscalForm(std::string_view code) {
  constexpr std::string_view kForm = "AAAAAA00M00A000A";
  if (code.size() != kForm.size()) return false;
  for (size_t i = 0; i < code.size(); ++i) {
    if (!(kForm[i] == '0' ? IsDigit(code[i]) : IsUpper(code[i]))) return false;
  }
  int64_t day = Number(code.substr(9, 2));
  if (day > 40) day -= 40;  // women's
  return std::string_view("ABCDEHLMPRST").find(code[8]) != std::string_view::npos && day >= 1 && day <= 31;
}

bool IsItalianFiscalCode(std::string_view code) {
  if (!HasItalianFiscalForm(code)) return false;
  // Of characters in odd places (from 1): A or 0, B or 1, ...
  constexpr std::array<uint8_t, 26> kOdd = {1, 0,  5,  7,  9, 13, 15, 17, 19, 21, 2,  4,  18,
                                            20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  int sum = 0;
  for (size_t i = 0; i < 15; ++i) {
    const int value = IsDigit(code[i]) ? Digit(code[i]) : code[i] - 'A';
    sum += i % 2 == 0 ? kOdd[static_cast<size_t>(value)] : value;
  }
  return 'A' + sum % 26 == code[15];
}

bool IsMexicanCurp(std::string_view code) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMN_OPQRSTUVWXYZ";  // Ñ, which is never in it, at 24
  if (code.size() != 18 || !IsShortDate(code.substr(4, 6)) || !IsDigit(code[17])) return false;
  int sum = 0;
  for (size_t i = 0; i < 17; ++i) {
    const size_t value = kAlphabet.find(code[i]);
    if (value == std::string_view::npos) return false;
    sum += static_cast<int>(value) * static_cast<int>(18 - i);
  }
  return (10 - sum % 10) % 10 == Digit(code[17]);
}

bool IsKoreanResidentNumber(std::string_view digits) {
  if (digits.size() != 13 || !AllDigits(digits) || !IsShortDate(digits.substr(0, 6))) return false;
  if (digits[6] < '1' || digits[6] > '8') return false;
  const int sum = Weighted(digits, {2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5});
  const int check = (11 - sum % 11) % 10;
  return check == Digit(digits[12]) || (digits[6] >= '5' && (check + 2) % 10 == Digit(digits[12]));  // foreigners
}

bool IsBrazilianCpf(std::string_view digits) {
  if (digits.size() != 11 || !AllDigits(digits) || AllSame(digits)) return false;
  const auto check = [](int sum) { return sum * 10 % 11 % 10; };
  return check(Weighted(digits, {10, 9, 8, 7, 6, 5, 4, 3, 2})) == Digit(digits[9]) &&
         check(Weighted(digits, {11, 10, 9, 8, 7, 6, 5, 4, 3, 2})) == Digit(digits[10]);
}

bool IsChileanRut(std::string_view id) {
  if (id.size() < 8 || id.size() > 9 || !AllDigits(id.substr(0, id.size() - 1))) return false;
  const std::string_view number = id.substr(0, id.size() - 1);
  if (Number(number) >= 50'000'000 || AllSame(number)) return false;
  int sum = 0;
  for (size_t i = 0; i < number.size(); ++i) sum += Digit(number[number.size() - 1 - i]) * static_cast<int>(2 + i % 6);
  return "0K987654321"[sum % 11] == id.back();
}

bool IsFinnishId(std::string_view id) {
  if (id.size() != 10 || !AllDigits(id.substr(0, 9))) return false;
  const std::string date{id[4], id[5], id[2], id[3], id[0], id[1]};
  const int64_t number = Number(id.substr(0, 9));
  return IsShortDate(date) && number % 1000 >= 2 && "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == id[9];
}

bool IsFrenchNir(std::string_view digits) {
  if (digits.size() != 15 || !AllDigits(digits) || (digits[0] != '1' && digits[0] != '2')) return false;
  const int64_t month = Number(digits.substr(3, 2));
  return month >= 1 && month <= 12 && 97 - Number(digits.substr(0, 13)) % 97 == Number(digits.substr(13));
}

bool IsBelgianNationalNumber(std::string_view digits) {
  if (digits.size() != 11 || !AllDigits(digits) || !IsShortDate(digits.substr(0, 6))) return false;
  const int64_t number = Number(digits.substr(0, 9)), check = Number(digits.substr(9));
  return 97 - number % 97 == check || 97 - (2'000'000'000 + number) % 97 == check;
}

bool IsEmiratesId(std::string_view digits) {
  return digits.size() == 15 && AllDigits(digits) && digits.substr(0, 3) == "784" && PassesLuhn(digits) &&
         (digits.substr(3, 2) == "19" || digits.substr(3, 2) == "20");
}

bool IsThaiId(std::string_view digits) {
  if (digits.size() != 13 || !AllDigits(digits) || AllSame(digits)) return false;
  return (11 - Weighted(digits, {13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11) % 10 == Digit(digits[12]);
}

bool IsMalaysianId(std::string_view digits) {
  if (digits.size() != 12 || !AllDigits(digits) || !IsShortDate(digits.substr(0, 6))) return false;
  const int64_t place = Number(digits.substr(6, 2));
  return (place >= 1 && place <= 16) || (place >= 21 && place <= 59) || place == 71 || place == 72 || place == 74 ||
         (place >= 82 && place <= 93) || place == 98 || place == 99;
}

bool IsNationalNumber(std::string_view digits) {
  if (!AllDigits(digits) || digits.empty() || AllSame(digits)) return false;
  switch (digits.size()) {
    case 9:
      return IsTfn(digits) || IsBsn(digits) || (digits[0] != '0' && PassesLuhn(digits));
    case 11:
      return IsPesel(digits) || IsTurkishId(digits) || IsGermanTaxId(digits) || IsBrazilianCpf(digits);
    case 12:
      return digits[0] >= '2' && PassesVerhoeff(digits);
    case 13:
      return IsThaiId(digits) || (IsShortDate(digits.substr(0, 6)) && digits[10] <= '2' && PassesLuhn(digits));
    default:
      return false;
  }
}

}  // namespace headgate::router
