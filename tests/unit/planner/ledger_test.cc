// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/ledger.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "planner/random.h"
#include "planner/trace.h"

namespace headgate::planner {
namespace {

AuditOutcome Outcome(const std::string& tenant, const std::string& target, int64_t prompt, int64_t cached,
                     int64_t output, int64_t cost, bool priced = true) {
  AuditOutcome outcome;
  outcome.time = absl::FromUnixSeconds(1795000000);  // 2026-11-18 in Beijing
  outcome.duration = absl::Seconds(2);
  outcome.tenant = tenant;
  outcome.target = target;
  outcome.model = target == "cloud" ? "deepseek-flash" : "small";
  outcome.status = "OK";
  outcome.prompt_tokens = prompt;
  outcome.cached_tokens = cached;
  outcome.completion_tokens = output;
  if (target == "cloud" && priced) {
    outcome.priced = true;
    outcome.cost_micro_units = cost;
    outcome.currency = "USD";
    outcome.price_version = "v1";
  }
  return outcome;
}

TEST(Ledger, UnknownIsNeverZero) {
  AuditLog log;
  log.outcomes = {Outcome("a", "cloud", 100, 40, 10, 50), Outcome("a", "cloud", 100, 0, 10, 70),
                  Outcome("b", "cloud", 100, 0, 10, 0, /*priced=*/false)};
  const std::string csv = ChargebackCsv(MakeLedger(log), "2026-11", std::nullopt);
  EXPECT_TRUE(
      absl::StrContains(csv, "2026-11,a,cloud,deepseek-flash,v1,2,2,1.000000,40,160,20,0,USD,120,6.000000,0,0,\n"))
      << csv;
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,b,cloud,deepseek-flash,,1,1,1.000000,0,100,10,0,,,,1,0,\n")) << csv;
  EXPECT_FALSE(absl::StrContains(ChargebackCsv(MakeLedger(log), "2026-10", std::nullopt), "cloud"));
}

TEST(Ledger, ASpreadsheetReadsNoFormula) {
  AuditLog log;
  log.outcomes = {Outcome("=cmd,\"x\"", "cloud", 1, 0, 1, 5)};
  EXPECT_TRUE(absl::StrContains(ChargebackCsv(MakeLedger(log), "2026-11", std::nullopt), "\"'=cmd,\"\"x\"\"\""));
}

// Property: local cost is shared without a micro-unit lost or made.
TEST(Ledger, LocalSharesAddUp) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    AuditLog log;
    for (uint64_t i = 1 + random.Below(9); i > 0; --i) {
      log.outcomes.push_back(Outcome(absl::StrCat("t", i), "local", static_cast<int64_t>(random.Below(5000)), 0,
                                     1 + static_cast<int64_t>(random.Below(900)), 0));
    }
    const LocalCost cost{0.5 + random.Uniform() * 1000, static_cast<int64_t>(random.Below(5'000'000)), "USD"};
    int64_t sum = 0;
    for (const auto& [key, share] : ShareLocalCost(MakeLedger(log), "2026-11", cost)) {
      EXPECT_GE(share, 0);
      sum += share;
    }
    ASSERT_EQ(sum, cost.total());
  }
}

TEST(ParseMoney, Table) {
  const struct {
    const char* text;
    int64_t micro;
  } good[] = {{"110.00", 110'000'000}, {"0", 0}, {"0.000001", 1}, {"12", 12'000'000}};
  for (const auto& row : good) EXPECT_EQ(*ParseMoney(row.text), row.micro) << row.text;
  for (const char* text : {"", ".", "1.", "-1", "1e3", "1.0000001", "1,5", " 1", "9999999999999"}) {
    EXPECT_FALSE(ParseMoney(text).ok()) << text;
  }
}

TEST(Reconcile, ExplainsTheDifference) {
  AuditLog log;
  log.outcomes = {Outcome("a", "cloud", 100, 0, 10, 500'000), Outcome("b", "cloud", 1, 0, 1, 0, false)};
  const auto same = Reconcile(MakeLedger(log), "USD", "110.00", "109.50", "0");
  EXPECT_EQ(same->difference(), 0);
  const auto more = Reconcile(MakeLedger(log), "USD", "110.00", "119.40", "10");
  EXPECT_EQ(more->difference(), 100'000);
  EXPECT_TRUE(absl::StrContains(more->explanation, "1 answers had no price")) << more->explanation;
  EXPECT_FALSE(Reconcile(MakeLedger(log), "USD", "x", "1", "0").ok());
}

TEST(SuggestBudgets, OneEntryATenant) {
  AuditLog log;
  log.outcomes = {Outcome("a", "cloud", 1, 0, 1, 0, false), Outcome("a", "cloud", 1, 0, 1, 1000)};
  log.outcomes[0].currency.clear();
  const auto proposals = SuggestBudgets(log, 1);
  ASSERT_EQ(proposals.size(), 1u);
  EXPECT_EQ(proposals[0].unpriced, 1);
  EXPECT_EQ(proposals[0].limit_micro_units, 31'000);
}

TEST(SuggestBudgets, FromHistory) {
  AuditLog log;
  log.outcomes = {Outcome("a", "cloud", 1, 0, 1, 1000), Outcome("b", "cloud", 1, 0, 1, 0, false),
                  Outcome("c", "local", 1, 0, 1, 0)};
  const auto proposals = SuggestBudgets(log, 1.5);
  ASSERT_EQ(proposals.size(), 2u);
  EXPECT_EQ(proposals[0].limit_micro_units, 46'500);  // less than a day counts as one: 1000 x 31 x 1.5
  EXPECT_EQ(proposals[1].unpriced, 1);
  const std::string text = FormatBudgets(proposals);
  EXPECT_TRUE(absl::StrContains(text, "limit_micro_units: 46500")) << text;
  EXPECT_TRUE(absl::StrContains(text, "1 answers had no price")) << text;
}

class AuditLogTest : public testing::Test {
 protected:
  ~AuditLogTest() override { std::filesystem::remove_all(folder_); }
  absl::StatusOr<AuditLog> Read(const std::string& text) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "audit-c-000000.jsonl") << text;
    return ReadAuditLog(folder_.string());
  }
  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / absl::StrCat("headgate_audit_log_test.", getpid());
};

TEST_F(AuditLogTest, BecomesALedgerAndATrace) {
  const std::string line =
      R"({"kind":"outcome","time":"2026-11-20T09:00:02.500000Z","duration_us":2500000,)"
      R"("first_token_us":400000,"tenant":"t","status":"OK",)"
      R"("sensitivity":"internal","classification_state":"classified","route":{"target":"cloud","model":"m"},)"
      R"("usage":{"prompt_tokens":100,"completion_tokens":7,"cached_tokens":30},)"
      R"("cost":{"micro_units":42,"currency":"USD","price_version":"v"}})";
  const auto log = Read(absl::StrCat(R"({"kind":"chain_start","time":"2026-11-20T09:00:00Z"})", "\n", line, "\n"));
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_EQ(log->outcomes.size(), 1u);
  EXPECT_EQ(log->outcomes[0].cost_micro_units, 42);
  EXPECT_FALSE(log->outcomes[0].sensitive);
  const auto trace = ReadAuditTrace(folder_.string());
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->requests[0].input_tokens, 100);
  ASSERT_EQ(trace->measured.size(), 1u);
  EXPECT_FLOAT_EQ(trace->measured[0].first_token_s, 0.4f);
  EXPECT_TRUE(trace->measured[0].cloud);
  EXPECT_EQ(absl::FormatTime(absl::RFC3339_sec, trace->start, absl::UTCTimeZone()), "2026-11-20T09:00:00+00:00");
}

TEST_F(AuditLogTest, ComplainsWithLineAndKey) {
  const struct {
    const char* line;
    const char* complaint;
  } rows[] = {
      {"{", "line: is no JSON object"},
      {R"({"kind":5})", "kind: must be a text"},
      {R"({"kind":"outcome","time":"yesterday"})", "time: must be a time"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","duration_us":5,"first_token_us":6})",
       "first_token_us: is later than the end"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","usage":{"prompt_tokens":-1}})", "prompt_tokens: must be"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","usage":7})", "usage: must be an object"}};
  for (const auto& row : rows) {
    const auto log = Read(absl::StrCat(R"({"kind":"chain_start"})", "\n", row.line, "\n"));
    ASSERT_FALSE(log.ok()) << row.line;
    EXPECT_TRUE(absl::StrContains(log.status().message(), absl::StrCat("audit-c-000000.jsonl:2: ", row.complaint)))
        << log.status();
  }
}

}  // namespace
}  // namespace headgate::planner
