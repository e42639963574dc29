// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// National identity numbers that carry a check of their own, beside those of validators.h. Each function takes the bare
// characters, letters as capitals, and says whether its check (and the date of birth in it, where there is one) holds.
// The formulas are those that the issuers publish; national_ids_test.cc names a published example of each.
//
// Thread-safety: pure functions.
#pragma once

#include <string_view>

namespace headgate::router {

bool IsSingaporeId(std::string_view id);      // S1234567D: NRIC and FIN, the M series of 2022 included
bool IsSpanishId(std::string_view id);        // 12345678Z (DNI), X1234567L (NIE)
bool IsItalianFiscalCode(std::string_view code);  // 16 characters of a person
bool HasItalianFiscalForm(std::string_view code);  // ... whether or not its last letter is right
bool IsMexicanCurp(std::string_view code);    // 18 characters
bool IsKoreanResidentNumber(std::string_view digits);  // 13 digits of before October 2020: later ones have no check
bool IsBrazilianCpf(std::string_view digits);  // 11 digits
bool IsChileanRut(std::string_view id);        // 8 or 9 characters, a person's (below 50 million)
bool IsFinnishId(std::string_view id);         // 131052308T: without the sign of its century
bool IsFrenchNir(std::string_view digits);     // 15 digits; of Corsica those of before 1976
bool IsBelgianNationalNumber(std::string_view digits);  // 11 digits
bool IsEmiratesId(std::string_view digits);             // 15 digits
bool IsThaiId(std::string_view digits);                 // 13 digits
bool IsMalaysianId(std::string_view digits);  // 12 digits: a date and a place of birth, no check digit
// Digits alone, which others have too: they need a word beside them. Australia (TFN), Canada, Netherlands: 9; Poland,
// Turkey, Germany, Brazil: 11; India (Aadhaar): 12; South Africa, Thailand: 13.
bool IsNationalNumber(std::string_view digits);

}  // namespace headgate::router
