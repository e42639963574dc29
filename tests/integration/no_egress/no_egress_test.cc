// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What must stay inside does not leave. HEADGATE_NO_EGRESS_REQUESTS sets how many requests are generated.
#include <cstdlib>
#include <iostream>
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

TEST(NoEgress, NothingLeavesWhateverFails) {
  const int requests = RequestCount();
  const NoEgressReport report = RunNoEgress({.requests = requests});
  std::cout << report.Summary(requests) << std::endl;
  EXPECT_TRUE(report.leaks.empty()) << report.leaks.size() << " leaks:" << Lines(report.leaks);
  EXPECT_TRUE(report.complaints.empty()) << report.complaints.size() << " complaints:" << Lines(report.complaints);
  // Otherwise it would prove nothing.
  EXPECT_GE(report.reached_cloud * 100, requests * 30);
  EXPECT_GE(report.everyday_found * 100, requests * 25);
  EXPECT_GT(report.detector_faults, 0);
  EXPECT_GT(report.audit_faults, 0);
  EXPECT_GT(report.log_bytes, 0U);
}

struct GuardRow {
  const char* name;
  NoEgressOptions options;
  std::set<Kind> leaking;
};

TEST(NoEgress, AMissingGuardIsNoticed) {
  const GuardRow rows[] = {
      {"none_removed", {.requests = 300, .seed = 2}, {}},
      {"detectors_blind",
       {.requests = 300, .seed = 3, .blind_detectors = true},
       {Kind::kResidentId, Kind::kBankCard, Kind::kApiKey, Kind::kJwt, Kind::kPrivateKey, Kind::kKeyword}},
      {"declared_level_ignored", {.requests = 300, .seed = 4, .ignore_declared = true}, {Kind::kDeclared}},
      {"tenants_ignored",
       {.requests = 300, .seed = 5, .ignore_tenants = true},
       {Kind::kTenantFloor, Kind::kLocalTenant}},
      {"audit_lies", {.requests = 300, .seed = 6, .lying_audit = true}, {Kind::kEveryday}},
  };
  for (const GuardRow& row : rows) {
    const NoEgressReport report = RunNoEgress(row.options);
    std::set<Kind> leaking;
    for (const auto& [kind, count] : report.leaks_by_kind) leaking.insert(kind);
    for (const Kind kind : row.leaking) EXPECT_TRUE(leaking.contains(kind)) << row.name << ": " << Name(kind);
    for (const Kind kind : leaking) {
      // Undetected, a phone number is everyday text and may travel as such; without records nothing may.
      if (row.options.lying_audit) break;
      EXPECT_TRUE(row.leaking.contains(kind)) << row.name << ": " << Name(kind) << Lines(report.leaks);
    }
    EXPECT_THAT(report.complaints, IsEmpty()) << row.name;
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
