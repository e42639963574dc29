// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Evidence: the words of one text that say what stands near them (`passport`, 账号, `order number`, 小说). A validator
// asks whether such a word is near a value; labels say that a value follows. Distances are in characters, at most
// kContextChars: what is farther away changes nothing, so more text never lowers a level.
//
// Thread-safety: of one scan; the text must remain live.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "router/sensitivity/figures.h"
#include "router/sensitivity/name_tagger.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {

inline constexpr size_t kContextChars = 300;

// What a word speaks of. The words themselves are in cue_words.cc.
enum class Cue : uint8_t {
  // Numbers that need a word beside them, or are surer with one.
  kResidentId,
  kPassport,
  kHongKongId,
  kMacauId,
  kTaiwanId,
  kPermit,
  kMilitaryId,
  kDriverLicence,
  kSocialSecurity,
  kSsn,
  kItin,
  kNhs,
  kNino,
  kNationalId,
  kCaseNumber,
  kBarNumber,
  kEmployeeNo,
  kPlate,
  kTaxId,
  kRouting,
  kSwift,
  kAccount,
  kCard,
  kCvv,
  kCrypto,
  kPhone,
  kWechat,
  kQq,
  kMessenger,
  kMedicalNo,
  kInsuranceNo,
  kIpAddress,
  // Credentials
  kPassword,
  kSecret,
  kOneTimeCode,
  kCookie,
  kBearer,
  kCommand,
  kSeedPhrase,
  kAccessCode,
  kTokenParameter,
  // Persons
  kNameLabel,
  kPersonRole,
  kSelfName,
  kTitleAfter,
  kTitleBefore,
  kBirth,
  kGender,
  kSalary,
  kMarital,
  kBelief,
  kEthnic,
  kSexuality,
  kOffence,
  kDiscipline,
  kSchoolJob,
  kDiagnosis,
  kMedication,
  kIllness,   // of its own enough to tell of somebody's health
  kRelative,  // one certain person: 表哥
  kAgeWord,
  kAgeNumber,
  // Places
  kHome,
  kAddressWord,  // says that an address follows, not whose
  kHouseNumber,
  kEstateRoom,
  kStreetWord,
  kRegion,
  kUnitWord,
  kOfficeUnit,
  kCompany,
  // Documents
  kRecordHeading,
  kRecordStrong,
  kLabItem,
  kDoctorTurn,
  kPatientTurn,
  kMarkingStrong,
  kMarkingBare,
  kPrivilege,
  kUnpublished,
  kDealWord,
  kFinanceWord,
  kMoneyUnit,
  // Contra-words: only ever against values that have no check digit.
  kOtherNumber,
  kExample,
  kFiction,
  kTechnical,
  kPublicFigure,
  kHotline,
  kGeneralQuestion,
  kMeasurement,
  kMarkingTalk,    // speaks of the marking itself: clauses, footers, style guides
  kMarkingPolicy,  // ... in rules, promises and designs, where no figures are
  kCount,
};

class Evidence {
 public:
  struct Hit {
    Cue cue;
    uint16_t word;  // index of the word, for counting different ones
    uint32_t begin, end;
  };

  explicit Evidence(std::string_view text) : text_(text), figures_(text) {}
  // REQUIRES: ends do not decrease.
  void Add(const Hit& hit);

  // Names that the tagger found, if one was asked; in text order.
  void SetNames(std::vector<NameSpan> names) {
    names_ = std::move(names);
    asked_names_ = true;
  }
  bool asked_names() const { return asked_names_; }
  const std::vector<NameSpan>& names() const { return names_; }

  std::string_view text() const { return text_; }
  Figures& figures() const { return figures_; }
  const std::vector<Hit>& hits() const { return hits_; }
  bool Has(Cue cue) const { return present_[static_cast<size_t>(cue)]; }
  // A word of `cue` within `chars` characters of the range, on either side or inside.
  bool Near(Cue cue, TextRange range, size_t chars = kContextChars) const;
  // ... that ends at most `chars` characters before the range.
  bool Before(Cue cue, TextRange range, size_t chars = kContextChars) const;
  // ... that begins at most `chars` characters after it.
  bool After(Cue cue, TextRange range, size_t chars = kContextChars) const;
  // Hits that end in [begin, end): first and one past the last.
  std::pair<size_t, size_t> Between(size_t begin, size_t end) const;

 private:
  const std::string_view text_;
  std::vector<Hit> hits_;
  std::vector<NameSpan> names_;
  bool asked_names_ = false;
  mutable Figures figures_;  // reads its text when first asked
  std::bitset<static_cast<size_t>(Cue::kCount)> present_;
};

// At most `limit` characters of `text` lie in [begin, end).
bool Within(std::string_view text, size_t begin, size_t end, size_t limit);

}  // namespace headgate::router
