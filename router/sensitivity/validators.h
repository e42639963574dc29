// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Validators: pure checks on a candidate value, without context. Each is linear in the candidate's length.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace headgate::router {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool IsLetter(char c) { return IsLower(c) || IsUpper(c); }
constexpr bool IsAlnum(char c) { return IsDigit(c) || IsLetter(c); }
constexpr char UpperAscii(char c) { return IsLower(c) ? static_cast<char>(c & ~0x20) : c; }
constexpr char LowerAscii(char c) { return IsUpper(c) ? static_cast<char>(c | 0x20) : c; }

// All of these take the bare characters, without separators.

// 18 characters of a mainland resident ID: date of birth that exists (1850..2099), check character by ISO 7064 MOD
// 11-2. The area code is not looked up: old ones are missing from every table.
bool IsCnResidentId(std::string_view id);
bool PassesLuhn(std::string_view digits);
// 14..19 digits: Luhn and an issuer range with that length (UnionPay 62 with 16..19, Mastercard with its 2-series,
// ...).
bool IsBankCard(std::string_view digits);
// 11 digits of a mainland mobile number. Amounts such as 15000000000 are not.
bool IsCnMobile(std::string_view digits);
// A North American number, with or without its 1, that is free for who calls: companies have such lines, persons none.
bool IsTollFree(std::string_view digits);
// 15 digits of the resident ID of before 1999: province 11..82 and a date that exists; there is no check character.
bool IsOldCnResidentId(std::string_view digits);
// 18 characters of a unified social credit code (GB 32100, mod 31), any case.
bool IsUsci(std::string_view code);
// `A1234563`, `WX1234567`: one or two letters, six digits, check character; any case.
bool IsHongKongId(std::string_view id);
// A letter and nine digits, check digit; any case.
bool IsTaiwanId(std::string_view id);
// Country code, check digits (mod 97) and that country's length; any case.
bool IsIban(std::string_view iban);
// Its account has digits and letters where its country's accounts have them: those that people invent may not.
bool HasIbanForm(std::string_view iban);
// Characters of an IBAN that begins like this, by its country; 0: there is no such country.
size_t IbanLength(std::string_view begin);
// A resident ID, a bank card or an IBAN: 14 characters and more, so hardly ever by chance.
bool IsLongIdentifier(std::string_view characters);
// Those and the shorter ones with a check digit: Hong Kong, Taiwan, NHS, US routing.
bool IsCheckedIdentifier(std::string_view characters);
// 9 digits of a US bank routing number: Federal Reserve prefix, weights 3-7-1.
bool IsUsRouting(std::string_view digits);
// 10 digits, mod 11.
bool IsNhsNumber(std::string_view digits);
// 9 digits with a possible area, group and serial; the numbers once printed on leaflets are not.
bool IsUsSsn(std::string_view digits);
bool IsUsItin(std::string_view digits);
// `AB123456C` with an issued prefix; any case.
bool IsNino(std::string_view code);
// A US Medicare Beneficiary Identifier, `1EG4TE5MK73`; any case. (CMS, "Understanding the MBI")
bool IsMedicareNumber(std::string_view code);
// YYYYMMDD.
bool IsDateDigits(std::string_view digits);

struct TextRange {
  size_t begin = 0, end = 0;
};
// The e-mail address around `text[at] == '@'`. Documentation values (example.com, .test, placeholders), `git@host` and
// things that only look like an address (`logo@2x.png`, `lodash@4.17.21`) are not.
std::optional<TextRange> EmailAround(std::string_view text, size_t at);

}  // namespace headgate::router
