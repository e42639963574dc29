// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// National identity numbers: published examples pass their check, any other last character fails it, and in a text they
// are found by their form or beside their word.
#include "router/sensitivity/national_ids.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/detector_types.h"
#include "router/sensitivity/detectors.h"

namespace headgate::router {
namespace {

TEST(NationalIds, HoldTheirCheck) {
  const struct {
    const char* name;
    bool (*valid)(std::string_view id);
    const char* id;
  } rows[] = {
      {"singapore_citizen", IsSingaporeId, "S1234567D"},   {"singapore_from_2000", IsSingaporeId, "T1234567J"},
      {"singapore_foreigner", IsSingaporeId, "F1234567N"}, {"singapore_foreigner_2000", IsSingaporeId, "G1234567X"},
      {"singapore_m", IsSingaporeId, "M1234567K"},         {"spain_dni", IsSpanishId, "12345678Z"},
      {"spain_nie_x", IsSpanishId, "X1234567L"},           {"spain_nie_y", IsSpanishId, "Y1234567X"},
      {"spain_nie_z", IsSpanishId, "Z1234567R"},           {"italy", IsItalianFiscalCode, "RSSMRA85T10A562S"},
      {"italy_woman", IsItalianFiscalCode, "MRTNTN91D48F205I"}, {"mexico", IsMexicanCurp, "BOXW310820HNERXN09"},
      {"mexico_woman", IsMexicanCurp, "HEGG560427MVZRRL04"},    {"brazil", IsBrazilianCpf, "39053344705"},
      {"chile", IsChileanRut, "125319092"},                {"finland", IsFinnishId, "131052308T"},
      {"france", IsFrenchNir, "295109912611193"},          {"belgium", IsBelgianNationalNumber, "85073003328"},
      {"thailand", IsThaiId, "1234545678781"},             {"australia_tfn", IsNationalNumber, "123456782"},
      {"canada_sin", IsNationalNumber, "193456787"},       {"netherlands_bsn", IsNationalNumber, "111222333"},
      {"poland", IsNationalNumber, "44051401359"},         {"turkey", IsNationalNumber, "10000000146"},
      {"germany", IsNationalNumber, "36574261809"},        {"india", IsNationalNumber, "234123412346"},
      {"south_africa", IsNationalNumber, "8001015009087"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const std::string id = row.id;
    EXPECT_TRUE(row.valid(id));
    const bool letters = id.back() >= 'A';
    size_t others = 0;
    for (char c = letters ? 'A' : '0'; c <= (letters ? 'Z' : '9'); ++c) {
      if (c != id.back()) others += row.valid(id.substr(0, id.size() - 1) + c);
    }
    // Several countries have numbers of nine and eleven digits.
    EXPECT_LE(others, row.valid == IsNationalNumber ? 3U : 0U);
    EXPECT_FALSE(row.valid(id.substr(1)));
    EXPECT_FALSE(row.valid(""));
  }
}

bool IsFound(const std::string& text) {
  static const auto detectors = [] {
    auto made = MakePatternDetectors({});
    EXPECT_TRUE(made.ok()) << made.status();
    return std::move(*made);
  }();
  const auto detections = detectors->Scan(CanonicalText::Make(text));
  EXPECT_TRUE(detections.ok()) << detections.status();
  for (const Detection& detection : *detections) {
    if (detection.type == "NATIONAL_ID") return true;
  }
  return false;
}

TEST(NationalIds, AreFoundInTexts) {
  const struct {
    const char* name;
    const char* text;
    bool found;
  } rows[] = {
      {"singapore_bare", "Is S8427319H an S or T series?", true},
      {"singapore_in_csv", "1,S7920384Z,NRIC,2026-11-02,SC,Ops,3150", true},
      {"singapore_wrong_letter", "Is S8427319A an S or T series?", false},
      {"part_number", "bracket S8427319H-22 and plate", false},
      {"italy_other_word", "non coerente con i dati anagrafici: BRNGLI83D52F205N", true},
      {"italy_day_99", "code BRNGLI83D99F205N", false},
      {"spain_nie", "she gave X2482300W at the desk", true},
      {"spain_dni", "le DNI? 54362315K, dijo", true},
      {"spain_specimen", "for example 12345678Z", false},
      {"spain_order", "order no. 54362315K", false},
      {"mexico", "curp BOXW310820HNERXN09", true},
      {"brazil", "o cliente 390.533.447-05 pediu", true},
      {"brazil_wrong", "version 390.533.447-06", false},
      {"chile", "paciente 12.531.909-2 ingresa", true},
      {"finland", "131052-308T soitti", true},
      {"france_groups", "le 2 95 10 99 126 111 93 est rattaché", true},
      {"belgium", "85.07.30-033.28 belde", true},
      {"emirates", "mine, 784-1984-1234567-4, expired", true},
      {"malaysia", "IC 770305-02-1234 registered", true},
      {"malaysia_no_place", "batch 770305-20-1234", false},
      {"thailand", "1-2345-45678-78-1 came", true},
      {"india_pan", "form 16 says AKLPM4821R against", true},
      {"india_pan_company", "form says AKLCM4821R against", false},
      {"australia_word_far", "TFN declaration came back, handwriting is awful. I read it as 482 617 392, a 7?", true},
      {"australia_wrong", "TFN declaration came back, handwriting is awful. I read it as 482 617 393", false},
      {"no_word", "I read it as 482 617 392, is the 7 a 1?", false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(IsFound(row.text), row.found);
  }
}

}  // namespace
}  // namespace headgate::router
