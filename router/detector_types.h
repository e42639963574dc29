// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// DetectorType: what the built-in detectors can find, each with its level. Here rather than in sensitivity/ because the
// configuration names them and is read below that module; docs/detection.md describes them.
//
// Thread-safety: constants.
#pragma once

#include <string_view>

#include "headgate/v1/inference.pb.h"

namespace headgate::router {

struct DetectorType {
  const char* name;
  v1::SensitivityLevel level;
};

inline constexpr auto kLevelInternal = v1::SENSITIVITY_LEVEL_INTERNAL;
inline constexpr auto kLevelConfidential = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
inline constexpr auto kLevelRestricted = v1::SENSITIVITY_LEVEL_RESTRICTED;

inline constexpr DetectorType kDetectorTypes[] = {
    // Identity documents
    {"CN_RESIDENT_ID", kLevelRestricted},
    {"CN_PASSPORT", kLevelRestricted},
    {"PASSPORT", kLevelRestricted},
    {"HK_ID", kLevelRestricted},
    {"MO_ID", kLevelRestricted},
    {"TW_ID", kLevelRestricted},
    {"HK_MO_TW_PERMIT", kLevelRestricted},
    {"CN_MILITARY_ID", kLevelRestricted},
    {"CN_DRIVER_LICENCE", kLevelRestricted},
    {"DRIVER_LICENCE", kLevelRestricted},
    {"CN_SOCIAL_SECURITY", kLevelRestricted},
    {"US_SSN", kLevelRestricted},
    {"US_ITIN", kLevelRestricted},
    {"US_MBI", kLevelRestricted},
    {"UK_NHS", kLevelRestricted},
    {"UK_NINO", kLevelRestricted},
    {"NATIONAL_ID", kLevelRestricted},
    {"CASE_NUMBER", kLevelConfidential},
    {"BAR_NUMBER", kLevelConfidential},
    {"EMPLOYEE_NO", kLevelConfidential},
    {"CN_PLATE", kLevelConfidential},
    // Organisations: a registered code is public, so it is reported and does not decide.
    {"CN_USCI", kLevelInternal},
    {"TAX_ID", kLevelConfidential},
    // Money
    {"BANK_CARD", kLevelRestricted},
    {"BANK_ACCOUNT", kLevelRestricted},
    {"IBAN", kLevelRestricted},
    {"SWIFT_BIC", kLevelConfidential},
    {"US_ROUTING", kLevelRestricted},
    {"CVV", kLevelRestricted},
    {"CRYPTO_ADDRESS", kLevelRestricted},
    {"FINANCE_RECORD", kLevelRestricted},
    // Contacts
    {"PHONE_CN_MOBILE", kLevelConfidential},
    {"PHONE_CN_LANDLINE", kLevelConfidential},
    {"PHONE_US", kLevelConfidential},
    {"PHONE_E164", kLevelConfidential},
    {"EMAIL", kLevelConfidential},
    {"WECHAT_ID", kLevelConfidential},
    {"QQ_ID", kLevelConfidential},
    {"MESSENGER_ID", kLevelConfidential},
    {"ADDRESS", kLevelConfidential},
    {"IP_ADDRESS", kLevelConfidential},
    {"MAC_ADDRESS", kLevelConfidential},
    // Persons and health
    {"PERSON_ATTRIBUTE", kLevelConfidential},
    {"DATE_OF_BIRTH", kLevelConfidential},
    {"MEDICAL_RECORD_NO", kLevelRestricted},
    {"INSURANCE_NO", kLevelRestricted},
    {"HEALTH_RECORD", kLevelRestricted},
    // Credentials
    {"PASSWORD", kLevelRestricted},
    {"API_KEY", kLevelRestricted},
    {"GENERIC_SECRET", kLevelRestricted},
    {"PRIVATE_KEY", kLevelRestricted},
    {"JWT", kLevelRestricted},
    {"CONNECTION_STRING", kLevelRestricted},
    {"COOKIE", kLevelRestricted},
    {"ONE_TIME_CODE", kLevelRestricted},
    {"URL_WITH_TOKEN", kLevelRestricted},
    // Documents
    {"CONFIDENTIAL_MARKING", kLevelConfidential},
    {"UNPUBLISHED_RESULT", kLevelConfidential},
    // What the topic model says of a passage, besides HEALTH_RECORD, FINANCE_RECORD and PERSON_ATTRIBUTE
    {"INTERNAL_DOCUMENT", kLevelConfidential},
    {"CREDENTIAL_TEXT", kLevelRestricted},
    {"ADDRESS_TEXT", kLevelConfidential},
};

// Null when there is none of that name.
constexpr const DetectorType* FindDetectorType(std::string_view name) {
  for (const DetectorType& type : kDetectorTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

// Types whose values may be public: the only ones that an allow-list may name.
inline constexpr std::string_view kAllowable =
    "EMAIL, PHONE_CN_MOBILE, PHONE_CN_LANDLINE, PHONE_US, PHONE_E164, WECHAT_ID, QQ_ID, ADDRESS, IP_ADDRESS, "
    "MAC_ADDRESS, "
    "TAX_ID, SWIFT_BIC";
constexpr bool IsAllowable(std::string_view type) {
  for (size_t at = kAllowable.find(type); !type.empty() && at != std::string_view::npos;
       at = kAllowable.find(type, at + 1)) {
    const size_t end = at + type.size();
    if ((at == 0 || kAllowable[at - 1] == ' ') && (end == kAllowable.size() || kAllowable[end] == ',')) return true;
  }
  return false;
}

}  // namespace headgate::router
