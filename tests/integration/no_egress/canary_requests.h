// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Generated requests: each carries a canary of its own in one string field, next to (or, for some, in another field
// than) what makes it sensitive, hidden in the ways that the detectors promise to see through.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <string>

#include "headgate/v1/inference.pb.h"

namespace headgate::router {

// Set A, whatever is decided: all up to kLocalTenant. Set B, when decided sensitive: the rest.
enum class Kind {
  kResidentId,
  kBankCard,
  kApiKey,
  kJwt,
  kPrivateKey,
  kDeclared,
  kTenantFloor,
  kKeyword,
  kLocalTenant,
  kEveryday,
  kPhone,
  kEmail,
};
inline constexpr int kKinds = 12;
const char* Name(Kind kind);
inline bool MustStay(Kind kind) { return kind <= Kind::kLocalTenant; }

// Which tenant a request comes from, as its API key.
inline constexpr char kOpenKey[] = "open-key";
inline constexpr char kFloorKey[] = "floor-key";
inline constexpr char kLocalKey[] = "local-key";
inline constexpr char kLimitedKey[] = "limited-key";

inline constexpr char kLatinKeyword[] = "Zephyrine";
inline constexpr char kChineseKeyword[] = "长江七号";

struct CanaryRequest {
  Kind kind = Kind::kEveryday;
  std::string canary;
  std::string field;        // where the canary is: for the report
  bool sendable = true;     // the cloud gets this field when it gets the request
  bool valid = true;        // false: admission must refuse it
  std::string api_key = kOpenKey;
  v1::SensitivityLevel declared = v1::SENSITIVITY_LEVEL_UNSPECIFIED;  // by header
  v1::GenerateRequest request;
};

// The same seed gives the same request.
CanaryRequest MakeCanaryRequest(uint64_t seed);

}  // namespace headgate::router
