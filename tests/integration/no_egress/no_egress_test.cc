// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What must stay inside does not leave.
//   HEADGATE_NO_EGRESS_REQUESTS=100000 no_egress_test   so many requests
//   HEADGATE_NO_EGRESS_SEED=51 no_egress_test           in worlds from this seed on (1): a new one every 20,000
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/redis_server.h"
#include "tests/integration/no_egress/canary_search.h"
#include "tests/integration/no_egress/no_egress_world.h"

namespace headgate::router {
namespace {

using testing::IsEmpty;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRequests = 1'500;
#else
constexpr int kRequests = 10'000;
#endif

int Given(const char* name, int otherwise) {
  const char* given = std::getenv(name);
  if (given != nullptr && !absl::SimpleAtoi(given, &otherwise)) ADD_FAILURE() << name << ": a number";
  return otherwise;
}

std::string Lines(const std::vector<std::string>& lines) {
  std::string out;
  for (size_t i = 0; i < lines.size() && i < 20; ++i) absl::StrAppend(&out, "\n  ", lines[i]);
  return out;
}

// A new world every so often: a router of its own, and a record that fits into memory.
TEST(NoEgress, NothingLeavesWhateverFails) {
  constexpr int kRound = 20'000;
  const int requests = Given("HEADGATE_NO_EGRESS_REQUESTS", kRequests);
  const auto first = static_cast<uint64_t>(Given("HEADGATE_NO_EGRESS_SEED", 1));
  NoEgressReport report;
  for (uint64_t seed = first; report.requests < requests; ++seed) {
    const NoEgressReport round =
        RunNoEgress({.requests = std::min(kRound, requests - report.requests), .seed = seed});
    if (!round.leaks.empty()) std::cout << "seed " << seed << ", leaks:" << Lines(round.leaks) << std::endl;
    if (!round.complaints.empty()) std::cout << "seed " << seed << ":" << Lines(round.complaints) << std::endl;
    report.Add(round);
    if (seed % 10 == 0) std::cout << report.Summary() << std::endl;
  }
  std::cout << report.Summary() << std::endl;
  EXPECT_TRUE(report.leaks.empty()) << report.leaks.size() << " leaks:" << Lines(report.leaks);
  EXPECT_TRUE(report.complaints.empty()) << report.complaints.size() << " complaints:" << Lines(report.complaints);
  // Otherwise it would prove nothing.
  EXPECT_GE(report.reached_cloud, requests / 100 * 20);
  EXPECT_GE(report.everyday_found, requests / 100 * 16);
  EXPECT_GT(report.masked, 0);
  EXPECT_GT(report.follow_ups, 0);
  EXPECT_GT(report.reloads, 0);
  EXPECT_GT(report.detector_faults, 0);
  EXPECT_GT(report.audit_faults, 0);
  EXPECT_GT(report.log_bytes, 0U);
  for (int api = 0; api < kApis; ++api) {
    EXPECT_GT(report.answered[static_cast<Api>(api)] * 400, requests) << Name(static_cast<Api>(api));
  }
  std::vector<std::string> needed = {"at cloud 1", "at cloud 2", "retries", "fallbacks", "completions answered",
                                     "tools answered", "split answered", "ended in admission", "ended in dispatch",
                                     "ended in output_guard", "large answered", "thought of",
                                     "payloads with their canary", "left before the reload",
                                     "stayed after the reload"};
  const bool redis = RedisServer::Installed();
  if (redis) needed.emplace_back("in Redis");
  if (requests >= 10'000) {
    EXPECT_GT(report.cached, 0);
    needed.insert(needed.end(), {"hedges won", "hedges failed"});
  }
  if (requests >= 400'000) needed.insert(needed.end(), {"hedges lost", "not read"});
  if (redis && requests >= 10'000) needed.emplace_back("cache faults");
  if (redis && requests >= 400'000) needed.emplace_back("hits in Redis");
  for (const std::string& what : needed) EXPECT_GT(report.seen[what], 0) << what;
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
