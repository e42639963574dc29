// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/ledger.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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
  const std::string csv = ChargebackCsv(MakeLedger(log), "2026-11", {});
  EXPECT_TRUE(
      absl::StrContains(csv, "2026-11,a,cloud,deepseek-flash,v1,2,2,1.000000,40,160,20,0,USD,120,6.000000,0,0,\n"))
      << csv;
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,b,cloud,deepseek-flash,,1,1,1.000000,0,100,10,0,,,,1,0,\n")) << csv;
  EXPECT_FALSE(absl::StrContains(ChargebackCsv(MakeLedger(log), "2026-10", {}), "cloud"));
}

TEST(Ledger, ASpreadsheetReadsNoFormula) {
  AuditLog log;
  log.outcomes = {Outcome("=cmd,\"x\"", "cloud", 1, 0, 1, 5)};
  EXPECT_TRUE(absl::StrContains(ChargebackCsv(MakeLedger(log), "2026-11", {}), "\"'=cmd,\"\"x\"\"\""));
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
    for (const auto& [key, share] : ShareLocalCost(MakeLedger(log), "2026-11", "small", cost)) {
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

// What was spent at the cloud for an answer that came from the cluster is the cloud's, not nobody's.
TEST(Ledger, LostAttemptsKeepTheirMoney) {
  AuditLog log;
  log.outcomes = {Outcome("a", "local", 100, 40, 10, 0), Outcome("a", "local", 100, 40, 10, 0),
                  Outcome("b", "local", 100, 0, 10, 0)};
  for (AuditOutcome* lost : {&log.outcomes[1], &log.outcomes[2]}) lost->lost_attempts = lost->estimated = true;
  log.outcomes[1].priced = true;
  log.outcomes[1].cost_micro_units = 30;
  log.outcomes[1].currency = "USD";
  log.outcomes[1].price_version = "v1";
  const std::string csv = ChargebackCsv(MakeLedger(log), "2026-11", {});
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,a,cloud,-,v1,0,0,,0,0,0,0,USD,30,,0,1,\n")) << csv;
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,b,cloud,-,,0,0,,0,0,0,0,,,,1,1,\n")) << csv;
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,a,local,small,,2,2,1.000000,80,120,20,0,,,,0,0,\n")) << csv;
  EXPECT_EQ(Reconcile(log, "USD", "1", "0.99997", "0")->difference(), 0);
  const auto proposals = SuggestBudgets(log, 1);
  ASSERT_EQ(proposals.size(), 2u);
  EXPECT_EQ(proposals[0].limit_micro_units, 30 * 31);
  EXPECT_EQ(proposals[1].unpriced, 1);
}

TEST(Ledger, UtilisationIsTheTimeInWhichAModelWorked) {
  AuditLog log;
  log.outcomes = {Outcome("a", "local", 100, 0, 10, 0), Outcome("b", "local", 100, 0, 30, 0),
                  Outcome("b", "local", 100, 0, 10, 0)};
  log.outcomes[0].endpoint = log.outcomes[1].endpoint = "engine-0";  // at the same time on the same engine
  log.outcomes[1].time += absl::Seconds(1);
  log.outcomes[2].endpoint = "engine-1";
  const LocalCosts costs = {{"small", {5.0 / 360, 3'600'000, "USD"}}};
  const std::string csv = ChargebackCsv(MakeLedger(log), "2026-11", costs);
  // 3 s and 2 s of 50 s.
  EXPECT_TRUE(absl::StrContains(csv, "a,local,small,,1,1,1.000000,0,100,10,0,USD,15714,1571.400000,0,0,0.100000\n"))
      << csv;
  EXPECT_TRUE(absl::StrContains(csv, ",34286,857.150000,0,0,0.100000\n")) << csv;
}

TEST(Ledger, IdleReplicasArePaidForToo) {
  AuditLog log;
  log.outcomes = {Outcome("a", "local", 100, 0, 10, 0)};
  const LocalCosts costs = {{"small", {1, 100, "USD"}}, {"idle", {2, 100, "USD"}}};
  const std::string csv = ChargebackCsv(MakeLedger(log), "2026-11", costs);
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,-,local,idle,,0,0,,0,0,0,0,USD,200,,0,0,0.000000\n")) << csv;
  EXPECT_TRUE(absl::StrContains(csv, "2026-11,a,local,small,,1,1,1.000000,0,100,10,0,USD,100,10.000000,0,0,")) << csv;
  EXPECT_EQ(LocalModels(MakeLedger(log), "2026-11"), std::vector<std::string>{"small"});
}

TEST(Reconcile, ExplainsTheDifference) {
  AuditLog log;
  log.outcomes = {Outcome("a", "cloud", 100, 0, 10, 500'000), Outcome("b", "cloud", 50, 0, 5, 0, false),
                  Outcome("c", "cloud", 1, 0, 1, 7)};
  log.outcomes[2].currency = "CNY";
  const struct {
    const char* name;
    const char* after;
    int64_t difference, explained;
    const char* line;
  } rows[] = {
      {"agrees", "109.50", 0, 0, "agrees to the last micro-unit"},
      {"rounding", "109.499999", 1, 1, "rounding: half a micro-unit for each of 1 sums: at most 0.000001"},
      {"without a price", "109.30", 200'000, 200'000, "55 tokens, at the log's mean price about 0.250000"},
      {"more than the log knows", "109.00", 500'000, 250'001, "left over: 0.249999 that this log does not hold"},
      {"less", "109.60", -100'000, 1, "left over: 0.099999 that was booked and not taken"},
      {"another currency", "109.50", 0, 0, "1 sums are in another currency: not compared"},
  };
  for (const auto& row : rows) {
    const auto result = Reconcile(log, "USD", "100", row.after, "10");
    ASSERT_TRUE(result.ok()) << row.name;
    EXPECT_EQ(result->difference(), row.difference) << row.name;
    EXPECT_EQ(result->explained, row.explained) << row.name;
    EXPECT_TRUE(absl::StrContains(absl::StrJoin(result->explanation, "\n"), row.line))
        << row.name << ": " << absl::StrJoin(result->explanation, "\n");
  }
  EXPECT_FALSE(Reconcile(log, "USD", "x", "1", "0").ok());
}

TEST(Reconcile, CountsEstimatesAndTheEdgesOfPeakHours) {
  AuditLog log;
  log.outcomes = {Outcome("a", "cloud", 100, 0, 10, 100), Outcome("a", "cloud", 100, 0, 10, 1000),
                  Outcome("a", "cloud", 100, 0, 10, 10'000)};
  log.outcomes[0].estimated = true;
  // 2026-11-18 is a Wednesday: the peak begins at 01:00 and 06:00 UTC and ends at 04:00 and 10:00.
  log.outcomes[1].time = absl::FromUnixSeconds(1'794'963'600 + 1);                     // booked at peak prices
  log.outcomes[2].time = absl::FromUnixSeconds(1'794'963'600 + 3 * 3600) + absl::Milliseconds(500);
  const auto more = Reconcile(log, "USD", "1", "0.9", "0");
  EXPECT_EQ(more->explained, 2 + 100 + 10'000) << absl::StrJoin(more->explanation, "\n");
  const auto less = Reconcile(log, "USD", "1", "1", "0");
  EXPECT_EQ(less->explained, 2 + 100 + 500) << absl::StrJoin(less->explanation, "\n");
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
  log.notes = {"something is missing"};
  const std::string text = FormatBudgets(log, proposals);
  for (const char* part :
       {"- name: a\n", "limit_micro_units: 46500", "1 answers had no price", "# something is missing\n",
        "less than a day counts as one", "for accounting.budget: limit_micro_units: 46500"}) {
    EXPECT_TRUE(absl::StrContains(text, part)) << part << " in " << text;
  }
}

TEST(SuggestBudgets, NamesAreWhatYamlReadsBack) {
  for (const auto& [name, written] : {std::pair{"yes", "\"yes\""}, std::pair{"a: b", "\"a: b\""},
                                      std::pair{"7", "\"7\""}, std::pair{"team-1.x", "team-1.x"}}) {
    AuditLog log;
    log.outcomes = {Outcome(name, "cloud", 1, 0, 1, 1000)};
    const std::string text = FormatBudgets(log, SuggestBudgets(log, 1));
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("- name: ", written, "\n"))) << text;
  }
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
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","status":"OK","route":{"target":"local"},)"
       R"("usage":{"prompt_tokens":-1}})", "prompt_tokens: must be"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","status":"OK","route":{"target":"local"},"usage":7})",
       "usage: must be an object"},
      {R"({"time":"2026-11-20T09:00:00Z"})", "kind: is required"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z"})", "status: is required"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","status":"OK"})", "target: is required"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","status":"OK","route":{"target":"moon"}})",
       "target: must be local, cloud or unspecified"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","status":"OK","route":{"target":"cloud"},)"
       R"("cost":{"micro_units":5}})", "price_version: is required"},
      {R"({"kind":"outcome","time":"2026-11-20T09:00:00Z","status":"OK","route":{"target":"cloud"},)"
       R"("cost":{"micro_units":5,"price_version":"v","currency":"$"}})", "currency: must be a currency code"}};
  for (const auto& row : rows) {
    const auto log = Read(absl::StrCat(R"({"kind":"chain_start"})", "\n", row.line, "\n"));
    ASSERT_FALSE(log.ok()) << row.line;
    EXPECT_TRUE(absl::StrContains(log.status().message(), absl::StrCat("audit-c-000000.jsonl:2: ", row.complaint)))
        << log.status();
  }
}

// One outcome's line of a chain.
std::string ChainLine(int sequence, const std::string& more) {
  return absl::StrCat(R"({"chain_id":"c","sequence":)", sequence, R"(,"kind":"outcome","status":"OK",)",
                      R"("tenant":"t","classification_state":"classified","duration_us":1000000,)", more, "}\n");
}
constexpr char kCloudAt[] = R"("time":"2026-11-20T09:00:%02dZ","route":{"target":"cloud","model":"m"},)"
                            R"("usage":{"prompt_tokens":%d,"completion_tokens":100,"cached_tokens":%d})";

TEST_F(AuditLogTest, ARecordThatIsThereTwiceIsPaidForOnce) {
  const std::string line = ChainLine(0, absl::StrFormat(kCloudAt, 1, 100, 0));
  const auto log = Read(absl::StrCat(line, line));
  ASSERT_FALSE(log.ok());
  EXPECT_TRUE(absl::StrContains(log.status().message(), "jsonl:2: sequence: 0 of chain c comes again")) << log.status();
}

TEST_F(AuditLogTest, WhatIsMissingOrContradictsItselfIsSaid) {
  const auto log = Read(absl::StrCat(
      ChainLine(2, absl::StrFormat(kCloudAt, 1, 100, 101)), ChainLine(3, absl::StrFormat(kCloudAt, 2, 100, 100)),
      R"({"chain_id":"c","sequence":4,"kind":"admin","detail":"audit writable again; records lost: 7"})", "\n"));
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->outcomes[0].cached_tokens, 100);
  const std::string notes = absl::StrJoin(log->notes, "\n");
  for (const char* part : {"jsonl:1: usage.cached_tokens: 101 is above prompt_tokens (100): counted as 100",
                           "2 records are missing from chains", "the router could not write 7 records"}) {
    EXPECT_TRUE(absl::StrContains(notes, part)) << part << " in " << notes;
  }
}

// A conversation of three turns on the cloud, one that shares its first 640 tokens, and a request elsewhere.
TEST_F(AuditLogTest, PrefixesAreRebuiltFromCachedTokens) {
  std::string local = absl::StrFormat(kCloudAt, 9, 2000, 0);
  local.replace(local.find("cloud"), 5, "local");
  const auto text = absl::StrCat(
      ChainLine(0, absl::StrFormat(kCloudAt, 2, 1000, 0)), ChainLine(1, absl::StrFormat(kCloudAt, 4, 1200, 1088)),
      ChainLine(2, absl::StrFormat(kCloudAt, 6, 1500, 1280)), ChainLine(3, absl::StrFormat(kCloudAt, 8, 700, 640)),
      ChainLine(4, absl::StrCat(local, R"(,"cloud_attempts":2,"detail":"usage of 2 failed cloud attempts estimated")")),
      ChainLine(5, R"("time":"2026-11-20T11:00:00Z","route":{"target":"unspecified"})"));
  ASSERT_TRUE(Read(text).ok());
  const auto trace = ReadAuditTrace(folder_.string());
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->requests.size(), 5u);
  const auto shared = [&](size_t a, size_t b) {
    uint32_t same = 0;
    const TraceRequest &x = trace->requests[a], &y = trace->requests[b];
    while (same < std::min(x.block_count, y.block_count) &&
           trace->blocks[x.first_block + same] == trace->blocks[y.first_block + same]) {
      ++same;
    }
    return same * trace->block_tokens;
  };
  EXPECT_EQ(shared(0, 1), 960);   // all whole blocks of the first turn
  EXPECT_EQ(shared(1, 2), 1152);  // of the second
  EXPECT_EQ(shared(2, 3), 640);
  EXPECT_EQ(shared(0, 4), 0);     // the other side
  const std::string notes = absl::StrJoin(trace->notes, "\n");
  for (const char* part :
       {"1 outcomes without a usage are left out (1 OK", "the log records 3008 cached prompt tokens",
        "rebuilt for 2752 of them",
        "1 requests made 2 attempts at the cloud beyond their answer's own (1 went local"}) {
    EXPECT_TRUE(absl::StrContains(notes, part)) << part << " in " << notes;
  }
}

}  // namespace
}  // namespace headgate::planner
