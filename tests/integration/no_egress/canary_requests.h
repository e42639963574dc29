// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Generated requests: each carries a canary of its own in one string field, next to (or, for some, in another field
// than) what makes it sensitive, hidden in the ways that the detectors promise to see through.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headgate/v1/inference.pb.h"
#include "tests/integration/no_egress/evasions.h"

namespace headgate::router {

// Set A, whatever is decided: all up to kFollowUp. Set B, when decided sensitive: the rest, of which the last two must
// stay under kStricterVersion.
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
  kUnreadable,  // too long to be inspected, or encoded too deep
  kAttack,      // which the input filter keeps here
  kFollowUp,  // everyday words in a conversation that was sensitive before
  kEveryday,
  kPhone,
  kEmail,
  kLateKeyword,  // in a word list of that version only
  kLateFloor,    // of a tenant that has a floor in that version only
};
inline constexpr int kKinds = 17;
const char* Name(Kind kind);
inline bool MustStay(Kind kind) { return kind <= Kind::kFollowUp; }
inline bool Late(Kind kind) { return kind == Kind::kLateKeyword || kind == Kind::kLateFloor; }

// How a request comes in. The last ones never reach the cloud, whatever they hold.
enum class Api {
  kDirect, kGrpcStream, kGrpc, kHttpStream, kHttp, kHttpBatch, kGrpcEmbed, kHttpEmbed, kGrpcCount, kExplain
};
inline constexpr int kApis = 10;
const char* Name(Api api);
inline bool LocalOnly(Api api) { return api >= Api::kGrpcEmbed; }

// Which tenant a request comes from, as its API key.
inline constexpr char kOpenKey[] = "open-key";
inline constexpr char kFloorKey[] = "floor-key";
inline constexpr char kLocalKey[] = "local-key";
inline constexpr char kLimitedKey[] = "limited-key";
inline constexpr char kMaskedKey[] = "masked-key";  // asks for masking
inline constexpr char kSecondKey[] = "second-key";  // has a cloud of its own
inline constexpr char kLateKey[] = "late-key";      // see kLateFloor

inline constexpr size_t kClouds = 3;  // everybody's; that of one tenant; that of what may wait
inline constexpr size_t kThinkingCloud = 0;  // gets what assistants thought, too
inline constexpr int64_t kInspectBytesMax = 24'000;  // more than what is read aside

inline constexpr char kLatinKeyword[] = "Zephyrine";
inline constexpr char kChineseKeyword[] = "长江七号";
inline constexpr char kLateWord[] = "Halcyonite";
inline constexpr char kStricterVersion[] = "fedcba9876543210";  // of a configuration that a reload brings

struct CanaryRequest {
  Kind kind = Kind::kEveryday;
  std::string canary;
  Api api = Api::kDirect;
  std::string field;        // where the canary is: for the report
  std::vector<const Evasion*> evasions;  // of the value, the first one innermost
  bool split = false;       // the value, over messages, names or tool calls
  bool nested = false;      // decoding once does not show the value
  bool large = false;       // read aside (router/inspection_pool.h)
  std::string value;        // of kPhone the digits, of kEmail the canary in it: never leaves where it is masked
  std::string session;      // of its own
  std::string changed;      // not empty: the canary of what stands in its place once it was decided upon
  bool sendable = true;     // the cloud gets this field when it gets the request
  bool valid = true;        // false: admission must refuse it
  std::string api_key = kOpenKey;
  size_t cloud = 0;         // the only one that it may leave for
  v1::SensitivityLevel declared = v1::SENSITIVITY_LEVEL_UNSPECIFIED;  // by header
  v1::GenerateRequest request;
};

// The same seed gives the same request. `large`: with everyday text in front.
CanaryRequest MakeCanaryRequest(uint64_t seed, bool large = false);
// What a front door with a fault puts in its place.
v1::GenerateRequest ChangedContent(const CanaryRequest& made);
// What follows `before` in its conversation: everyday words. By the session's name, or without one by what was said.
CanaryRequest MakeFollowUp(uint64_t seed, const CanaryRequest& before, bool by_session);
// A value of this kind, plain. REQUIRES: a kind with a value of a shape.
std::string MakeValue(Kind kind, std::mt19937& random);
// `address` behind more e-mail addresses than detectors list: it is found only when these are gone.
std::string AfterMany(const std::string& address);
// Everyday text in front, so that it is read aside.
void Enlarge(CanaryRequest& made);
Shape ShapeOf(Kind kind);

}  // namespace headgate::router
