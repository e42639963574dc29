// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The proof of no_egress_test would notice each guard's absence: by configuration, by parts that do less than the real
// ones, or by a flag in a copy of the router's source (weaken.py). What is no code that could be left out, but code
// that nobody wrote, is done by the world in its place (no_egress_world.cc, Misbehave).
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/redis_server.h"
#include "tests/integration/no_egress/guard_flags.h"
#include "tests/integration/no_egress/no_egress_world.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Lines(const std::vector<std::string>& lines) {
  std::string out;
  for (size_t i = 0; i < lines.size() && i < 20; ++i) absl::StrAppend(&out, "\n  ", lines[i]);
  return out;
}

struct GuardRow {
  Guard removed;
  int requests;
  std::set<Kind> may_leak;    // at least one does
  std::string complaint = {}; // instead
};

constexpr Kind kId = Kind::kResidentId, kCardKind = Kind::kBankCard, kKey = Kind::kApiKey,
               kNext = Kind::kFollowUp;

std::set<Kind> AllKinds() {
  std::set<Kind> all;
  for (int kind = 0; kind < kKinds; ++kind) all.insert(static_cast<Kind>(kind));
  return all;
}

TEST(NoEgressGuards, AMissingGuardIsNoticed) {
  // What follows a request that passed was not known to be sensitive.
  const std::set<Kind> numbers = {kId, kCardKind, kNext};
  const std::set<Kind> split = {kId, kCardKind, kKey, kNext};
  const std::set<Kind> written = {kId, kCardKind, kKey, Kind::kKeyword, kNext};
  const std::set<Kind> free = {Kind::kEveryday, Kind::kPhone, Kind::kEmail, Kind::kLateKeyword, Kind::kLateFloor};
  const std::set<Kind> detected = {kId,   kCardKind,      kKey,          Kind::kJwt,         Kind::kLateKeyword,
                                   kNext, Kind::kKeyword, Kind::kPhone, Kind::kEmail, Kind::kPrivateKey};
  const std::set<Kind> all = AllKinds();
  const GuardRow rows[] = {
      {Guard::kNone, 300, {}},
      {Guard::kDetectors, 300, detected},
      {Guard::kFolding, 500, written},
      {Guard::kDecoding, 500, written},
      {Guard::kSeams, 4000, split},
      {Guard::kJoining, 4000, numbers},
      {Guard::kNumerals, 3000, numbers},
      {Guard::kRecursion, 3000, written},
      {Guard::kMemory, 1200, {Kind::kFollowUp, Kind::kDeclared}},
      {Guard::kMaskedScan, 2000, {Kind::kEmail}},
      {Guard::kRemains, 2000, {Kind::kPhone}},
      {Guard::kDeclaredLevel, 300, {Kind::kDeclared, kNext}},
      {Guard::kInputFilter, 1000, {Kind::kAttack}},
      {Guard::kTenantFloor, 300, {Kind::kTenantFloor}},
      {Guard::kLocalOnlyTenant, 300, {Kind::kLocalTenant}},
      {Guard::kFailClosed, 300, detected},
      {Guard::kDigest, 2000, {Kind::kEveryday}},
      {Guard::kAuditFirst, 300, all},
      {Guard::kLessTrust, 300, all},
      {Guard::kClosedFields, 1000, free},
      {Guard::kClosedHeaders, 200, {}, "a request id or a trace left the cluster"},
      {Guard::kInspectionLimit, 600, {Kind::kUnreadable, kNext}},
      {Guard::kReload, 2000, {Kind::kLateKeyword, Kind::kLateFloor}},
      {Guard::kCloudChoice, 300, free},
      {Guard::kDetectorsAtSecond, 400, detected},
      {Guard::kDetectorsAtHedges, 2500, detected},
      {Guard::kHedgeRecord, 1500, free, "a record before it is missing"},
      {Guard::kCache, 2500, {}, "sensitive"},  // from the cache, or in Redis
      {Guard::kQuietLog, 200, {}, "a canary is in the log"},
      {Guard::kQuietMetrics, 200, {}, "a canary is in the metrics"},
      {Guard::kQuietErrors, 200, {}, "a canary is in an error message"},
      {Guard::kQuietAudit, 200, {}, "a canary is in the audit log"},
      {Guard::kQuietFiles, 200, {}, "a canary is in a file"},
      {Guard::kQuietRedis, 300, {}, "sensitive is in Redis"},
  };
  static_assert(std::size(rows) == kGuards);
  // What is rare may take more than one world to show, more so on a machine with other things to do.
  constexpr int kWorlds = 5;
  uint64_t seed = 100;
  for (const GuardRow& row : rows) {
    SCOPED_TRACE(Name(row.removed));
    if (row.removed == Guard::kQuietRedis && !RedisServer::Installed()) continue;
    SwitchOff(Name(row.removed));
    NoEgressReport report;
    const bool leaks = !row.may_leak.empty();
    for (int world = 0; world == 0 || (leaks && report.leaks.empty() && world < kWorlds); ++world) {
      report.Add(RunNoEgress(
          {.requests = row.requests, .seed = ++seed + 1000 * world, .removed = row.removed, .stalls = false}));
    }
    EXPECT_EQ(report.leaks.empty(), row.may_leak.empty()) << Lines(report.leaks);
    for (const auto& [kind, count] : report.leaks_by_kind) {
      EXPECT_TRUE(row.may_leak.contains(kind)) << Name(kind) << Lines(report.leaks);
    }
    if (row.complaint.empty()) {
      EXPECT_THAT(report.complaints, IsEmpty());
    } else {
      EXPECT_THAT(report.complaints, Contains(HasSubstr(row.complaint)));
    }
  }
}

}  // namespace
}  // namespace headgate::router
