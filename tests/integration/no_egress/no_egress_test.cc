// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What must stay inside does not leave. HEADGATE_NO_EGRESS_REQUESTS sets how many requests are generated.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/no_egress/canary_search.h"
#include "tests/integration/no_egress/no_egress_world.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

int RequestCount() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  int count = 1'500;
#else
  int count = 10'000;
#endif
  const char* given = std::getenv("HEADGATE_NO_EGRESS_REQUESTS");
  if (given != nullptr && !absl::SimpleAtoi(given, &count)) ADD_FAILURE() << "HEADGATE_NO_EGRESS_REQUESTS: a number";
  return count;
}

std::string Lines(const std::vector<std::string>& lines) {
  std::string out;
  for (size_t i = 0; i < lines.size() && i < 20; ++i) absl::StrAppend(&out, "\n  ", lines[i]);
  return out;
}

// A new world every so often: a router of its own, and a record that fits into memory.
TEST(NoEgress, NothingLeavesWhateverFails) {
  constexpr int kRound = 20'000;
  const int requests = RequestCount();
  NoEgressReport report;
  for (uint64_t seed = 1; report.requests < requests; ++seed) {
    const NoEgressReport round =
        RunNoEgress({.requests = std::min(kRound, requests - report.requests), .seed = seed});
    if (!round.leaks.empty() || !round.complaints.empty()) std::cout << "seed " << seed << "\n";
    report.Add(round);
    if (seed % 10 == 0) std::cout << report.Summary() << std::endl;
  }
  std::cout << report.Summary() << std::endl;
  EXPECT_TRUE(report.leaks.empty()) << report.leaks.size() << " leaks:" << Lines(report.leaks);
  EXPECT_TRUE(report.complaints.empty()) << report.complaints.size() << " complaints:" << Lines(report.complaints);
  // Otherwise it would prove nothing.
  EXPECT_GE(report.reached_cloud * 100, requests * 10);
  EXPECT_GE(report.everyday_found * 100, requests * 8);
  EXPECT_GT(report.cached, 0);
  EXPECT_GT(report.masked, 0);
  EXPECT_GT(report.follow_ups, 0);
  EXPECT_GT(report.reloads, 0);
  EXPECT_GT(report.detector_faults, 0);
  EXPECT_GT(report.audit_faults, 0);
  EXPECT_GT(report.log_bytes, 0U);
  for (int api = 0; api < kApis; ++api) {
    EXPECT_GT(report.answered[static_cast<Api>(api)] * 100, requests) << Name(static_cast<Api>(api));
  }
}

struct GuardRow {
  Guard removed;
  int requests;
  std::set<Kind> may_leak;    // at least one does
  std::string complaint = {}; // instead
};

constexpr Kind kId = Kind::kResidentId, kCardKind = Kind::kBankCard, kKey = Kind::kApiKey,
               kNext = Kind::kFollowUp;

TEST(NoEgress, AMissingGuardIsNoticed) {
  // What follows a request that passed was not known to be sensitive.
  const std::set<Kind> numbers = {kId, kCardKind, kNext};
  const std::set<Kind> split = {kId, kCardKind, kKey, kNext};
  const std::set<Kind> written = {kId, kCardKind, kKey, Kind::kKeyword, kNext};
  const std::set<Kind> detected = {kId, kCardKind, kKey, Kind::kJwt, Kind::kPrivateKey, Kind::kKeyword, kNext};
  std::set<Kind> all;
  for (int kind = 0; kind < kKinds; ++kind) all.insert(static_cast<Kind>(kind));
  const GuardRow rows[] = {
      {Guard::kNone, 300, {}},
      {Guard::kDetectors, 300, detected},
      {Guard::kFolding, 500, written},
      {Guard::kDecoding, 500, written},
      {Guard::kSeams, 4000, split},
      {Guard::kJoining, 1500, numbers},
      {Guard::kNumerals, 3000, numbers},
      {Guard::kRecursion, 3000, written},
      {Guard::kMemory, 1200, {Kind::kFollowUp, Kind::kDeclared}},
      {Guard::kMasking, 500, {Kind::kEmail}},
      {Guard::kDeclaredLevel, 300, {Kind::kDeclared, kNext}},
      {Guard::kTenantFloor, 300, {Kind::kTenantFloor}},
      {Guard::kLocalOnlyTenant, 300, {Kind::kLocalTenant}},
      {Guard::kFailClosed, 300, detected},
      {Guard::kAuditFirst, 300, all},
      {Guard::kLessTrust, 300, all},
      {Guard::kClosedFields, 500, {Kind::kEveryday}},
      {Guard::kQuietLog, 200, {}, "a canary is in the log"},
      {Guard::kQuietMetrics, 200, {}, "a canary is in the metrics"},
      {Guard::kQuietErrors, 200, {}, "a canary is in an error message"},
      {Guard::kQuietAudit, 200, {}, "a canary is in the audit log"},
      {Guard::kQuietFiles, 200, {}, "a canary is in a file"},
  };
  static_assert(std::size(rows) == kGuards);
  uint64_t seed = 100;
  for (const GuardRow& row : rows) {
    SCOPED_TRACE(Name(row.removed));
    const NoEgressReport report =
        RunNoEgress({.requests = row.requests, .seed = ++seed, .removed = row.removed, .stalls = false});
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

TEST(CanarySearch, FindsACanaryHoweverItIsWritten) {
  std::mt19937_64 random(7);
  const std::string canary = NewCanary(random);
  const auto text = [](const auto& escaped) { return std::string(escaped); };
  std::string upper = canary, url, unicode;
  for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
  for (const char c : canary) {
    const std::string hex = text(absl::BytesToHexString(std::string(1, c)));
    absl::StrAppend(&url, "%", hex);
    absl::StrAppend(&unicode, "\\u00", hex);
  }
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row rows[] = {
      {"raw", canary},
      {"in_a_header", "POST / HTTP/1.1\r\nX-User: " + canary + "\r\n\r\n"},
      {"upper_case", upper},
      {"json_escaped", unicode},
      {"url_escaped", url},
      {"base64", text(absl::Base64Escape(canary))},
      {"base64_shifted", text(absl::Base64Escape("x" + canary))},
      {"base64_shifted_twice", text(absl::Base64Escape("xy" + canary + "and more"))},
      {"base64_after_letters", "abc" + text(absl::Base64Escape(canary + "!"))},
      {"base64url", text(absl::WebSafeBase64Escape("\xFF\xFF" + canary))},
      {"hex", text(absl::BytesToHexString(canary))},
      {"hex_after_a_digit", "0" + text(absl::BytesToHexString(canary))},
      {"base64_in_base64", text(absl::Base64Escape(text(absl::Base64Escape(canary))))},
      {"json_in_url", text(absl::BytesToHexString(unicode))},
  };
  for (const Row& row : rows) {
    EXPECT_TRUE(FindWords("before " + row.bytes + " after").contains(canary)) << row.name;
  }
  EXPECT_THAT(FindWords("nothing here, not even base64: aGVsbG8gd29ybGQsIGhvdyBhcmUgeW91"), IsEmpty());
}

}  // namespace
}  // namespace headgate::router
