// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/tco.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/tls.h"
#include "gtest/gtest.h"

namespace headgate::planner {
namespace {

TcoProfile Shipped(const std::string& name) {
  const char* source = std::getenv("HEADGATE_SOURCE_DIR");
  auto profile = LoadTcoProfile(absl::StrCat(source == nullptr ? "." : source, "/deploy/config/tco/", name, ".yaml"));
  EXPECT_TRUE(profile.ok()) << profile.status();
  return profile.ok() ? *profile : TcoProfile();
}

TEST(Published, VolumesReproduceWhatTheInputsSayAndNothingElse) {
  TcoProfile profile = Shipped("published_a");
  EXPECT_NEAR(ComputeTco(profile).Cloud(1), 12000, 1e-6);
  EXPECT_FALSE(ComputeTco(profile).local_known);
  const std::string text = TcoMarkdown(profile);
  EXPECT_TRUE(absl::StrContains(text, "| 100,000 calls | 100000 | cloud | 1 | 12000 | 12000 | reproduced |")) << text;
  EXPECT_TRUE(absl::StrContains(text, "| 98000 | 120000 | -18.3 % against the inputs")) << text;
  EXPECT_TRUE(absl::StrContains(text, "| 820000 | 1200000 | -31.7 % against the inputs")) << text;
  EXPECT_TRUE(
      absl::StrContains(text, "the horizons do not match: 3 years of cloud at the published yearly sum are 36000"));
  EXPECT_TRUE(absl::StrContains(text, "undetermined: the inputs do not say how it comes about"));
}

TEST(Published, OneCase) {
  const TcoProfile profile = Shipped("published_b");
  const Tco tco = ComputeTco(profile);
  EXPECT_NEAR(tco.Cloud(1), 900000, 1e-6);
  EXPECT_NEAR(tco.Local(5), 800000, 1e-6);
  EXPECT_NEAR(tco.Local(1), 650000 + 150000, 1e-6);
  const std::string text = TcoMarkdown(profile);
  EXPECT_TRUE(absl::StrContains(text, "Local saves 1300000 CNY over three years by these fixed sums.")) << text;
  EXPECT_TRUE(absl::StrContains(text, "No input names GPUs (local.gpu_price), power (local.watts_per_gpu), staff"));
  EXPECT_NEAR(tco.Cloud(5), 3300000, 1e-6);
  EXPECT_TRUE(absl::StrContains(TcoMarkdown(profile), "horizons do not match"));
}

TEST(Published, OneA100) {
  const TcoProfile profile = Shipped("published_c");
  const std::string text = TcoMarkdown(profile);
  EXPECT_TRUE(absl::StrContains(text, "300 W x 24 h x 0.6 = 4.32 CNY a day")) << text;
  EXPECT_NEAR(ComputeTco(profile).Local(3), 250000 + 3 * 300000 + 3 * 0.3 * 8766 * 0.6, 1);
  EXPECT_NEAR(ComputeTco(profile).Local(5), 2 * 250000 + 5 * 300000 + 5 * 0.3 * 8766 * 0.6, 1);  // a second one
}

TEST(Tco, ByHand) {
  auto profile = ParseTcoProfile("p.yaml", R"(
name: n
currency: USD
volume:
  calls_per_year: {value: 31557600, date: 2026-01-01, source: s}
  input_tokens_per_call: {value: 1000, date: 2026-01-01, source: s}
  output_tokens_per_call: {value: 100, date: 2026-01-01, source: s}
  cached_share: {value: 0.5, date: 2026-01-01, source: s}
  sensitive_share: {value: 0.25, date: 2026-01-01, source: s}
  peak_to_mean: {value: 2, date: 2026-01-01, source: s}
cloud:
  input_per_million: {value: 2, date: 2026-01-01, source: s}
  cached_per_million: {value: 1, date: 2026-01-01, source: s}
  output_per_million: {value: 10, date: 2026-01-01, source: s}
  peak_share: {value: 0.5, date: 2026-01-01, source: s}
  peak_factor: {value: 2, date: 2026-01-01, source: s}
local:
  gpu_price: {value: 1000, date: 2026-01-01, source: s}
  life_years: {value: 2, date: 2026-01-01, source: s}
  prefill_tokens_per_second: {value: 1000, date: 2026-01-01, source: s}
  decode_tokens_per_second: {value: 200, date: 2026-01-01, source: s}
  utilisation_max: {value: 0.5, date: 2026-01-01, source: s}
  spare_replicas: {value: 1, date: 2026-01-01, source: s}
money: {discount_per_year: {value: 1, date: 2026-01-01, source: s}}
)");
  ASSERT_TRUE(profile.ok()) << profile.status();
  const Tco tco = ComputeTco(*profile);
  // (500 x 2 + 500 x 1 + 100 x 10) / 1e6 x 1.5 = 0.00375 a call; one call a second.
  EXPECT_NEAR(tco.call_price, 0.00375, 1e-12);
  EXPECT_NEAR(tco.Cloud(1), 0.00375 * 31557600, 1e-3);
  EXPECT_NEAR(tco.Cloud(2), 0.00375 * 31557600 * 1.5, 1e-3);  // the second year counts half
  // One second of work a second: ceil(1 x 2 / 0.5) + 1 = 5 replicas, 20 % busy.
  EXPECT_EQ(tco.years[0].replicas, 5);
  EXPECT_NEAR(tco.years[0].utilisation, 0.2, 1e-9);
  EXPECT_NEAR(tco.Local(3), 5000 + 5000 / 4.0, 1e-6);  // replaced in year 3
  // A quarter of it: ceil(0.25 x 2 / 0.5) + 1 = 2, with room for 2 x 0.5 / 2 = 0.5 of the work.
  EXPECT_EQ(tco.years[0].hybrid_replicas, 2);
  EXPECT_NEAR(tco.years[0].hybrid_local_share, 0.5, 1e-9);
  EXPECT_NEAR(tco.Hybrid(1), 2000 + 0.5 * tco.Cloud(1), 1e-3);
  EXPECT_EQ(tco.years[0].hybrid_parts.hardware, 2000);
  EXPECT_NEAR(tco.years[0].hybrid_calls, 0.5 * tco.Cloud(1), 1e-3);
  const std::string report = TcoMarkdown(*profile);
  EXPECT_NE(report.find("| hybrid: hardware | 2000 | 0 | 2000 | 0 | 2000 | replicas x"), std::string::npos) << report;
  EXPECT_NE(report.find("| hybrid: calls on the cloud | 59170 |"), std::string::npos) << report;
  const auto even = BreakEvenCalls(*profile, 3);
  ASSERT_TRUE(even);
  TcoProfile at = *profile;
  at.inputs["volume.calls_per_year"].value = *even * 1.01;
  EXPECT_LE(ComputeTco(at).Local(3), ComputeTco(at).Cloud(3));
  at.inputs["volume.calls_per_year"].value = *even * 0.99;
  EXPECT_GE(ComputeTco(at).Local(3), ComputeTco(at).Cloud(3));
}

TEST(Tco, ComplaintsNameLineAndKey) {
  const auto profile = ParseTcoProfile("p.yaml", R"(name: n
volume:
  calls_per_year: {value: -5, date: 2026-01-01, source: s}
cloud:
  price_per_thousand_tokens: {value: 1, date: 1.1.2026, source: s}
  input_per_million: {value: 1, source: s}
local:
  gpu_price: {value: 5, date: 2026-01-01, source: s, low: 6, high: 7}
  gpu: {value: 5}
evaluation: {gpu_team: true, only_basic_skills: true}
)");
  ASSERT_FALSE(profile.ok());
  const std::string message(profile.status().message());
  for (const char* part :
       {"currency: is required", "p.yaml:3: volume.calls_per_year.value: -5 is out of range",
        "p.yaml:5: cloud.price_per_thousand_tokens.date: must be a date", "cloud.input_per_million.date: is required",
        "contradictory: give price_per_thousand_tokens or input_per_million, not both", "low <= value <= high",
        "p.yaml:9: local.gpu: unknown key", "contradicts gpu_team", "gpu_price needs life_years",
        "input_per_million needs output_per_million"}) {
    EXPECT_TRUE(absl::StrContains(message, part)) << part << "\n" << message;
  }
}

constexpr char kYuanProfile[] = R"(
name: n
currency: USD
%s
volume: {calls_per_year: {value: 1000000, date: 2026-01-01, source: s}}
cloud:
  currency: CNY
  base_per_year: {value: 600000, low: 500000, high: 700000, date: 2026-01-01, source: invoice}
)";

TEST(Tco, ConvertsASectionAtItsDatedRateAndSaysSo) {
  const auto profile = ParseTcoProfile(
      "p.yaml", absl::StrReplaceAll(
                    kYuanProfile, {{"%s", "fx: [{from: CNY, to: USD, rate: 0.125, date: 2026-11-15, source: bank}]"}}));
  ASSERT_TRUE(profile.ok()) << profile.status();
  const Input& base = profile->inputs.at("cloud.base_per_year");
  EXPECT_EQ(base.value, 75000);
  EXPECT_EQ(base.high, 87500);
  EXPECT_EQ(base.source, "invoice; 1 CNY = 0.125 USD (2026-11-15, bank)");
  // 600,000 CNY are above the published 500,000 a year, 75,000 USD are not.
  const auto criteria = Evaluate(*profile, ComputeTco(*profile));
  EXPECT_EQ(criteria[2].local, 25);
  EXPECT_EQ(criteria[2].name, "cloud spending of 500000 CNY (62500 USD) a year or more");

  const auto without = ParseTcoProfile("p.yaml", absl::StrReplaceAll(kYuanProfile, {{"%s", ""}}));
  ASSERT_FALSE(without.ok());
  EXPECT_TRUE(absl::StrContains(without.status().message(), "cloud.currency: no rate from CNY to USD in fx"))
      << without.status();
}

TEST(Tco, ThresholdsInAnotherCurrencyStayOpenWithoutARate) {
  TcoProfile profile = Shipped("example");
  profile.per_cny.reset();
  const auto criteria = Evaluate(profile, ComputeTco(profile));
  EXPECT_EQ(criteria[2].local + criteria[2].cloud, 0);
  EXPECT_TRUE(absl::StrContains(criteria[2].measured, "no rate from CNY")) << criteria[2].measured;
}

TEST(Tco, TheReportHoldsPartsCurveTornadoAndBand) {
  const TcoProfile profile = Shipped("example");
  const Tco tco = ComputeTco(profile);
  for (const YearCost& year : tco.years) EXPECT_NEAR(year.parts.Sum(), year.local, 1e-6);
  const std::string text = TcoMarkdown(profile);
  for (const char* part :
       {"| local: hardware |", "| local: power |", "| local: staff |", "## Break-even over three years",
        "privacy: the sensitive 15 % never leave | 124178 |", "independence of the provider: nothing leaves | 158277 |",
        "latency: room for the peak", "- [ ] engine rates: 6000 prompt", "(not measured yet: ", "## What decides",
        "## Band: 1000 draws (seed 20261122)", "Local is cheaper than the cloud in", "(73350 USD)",
        "[ ] ledger reconciled with the provider's balance"}) {
    EXPECT_TRUE(absl::StrContains(text, part)) << part;
  }
}

TEST(Tco, TheChecklistIsFilledFromTheLogAndTheEvidence) {
  TcoProfile profile = Shipped("example");
  AuditLog log;
  const absl::Time begin = absl::FromUnixSeconds(1'790'000'000);
  for (int day = 0; day < 10; ++day) {
    AuditOutcome outcome;
    outcome.time = begin + absl::Hours(24 * day);
    outcome.duration = absl::Seconds(day + 1);
    outcome.status = day == 3 ? "UNAVAILABLE" : "OK";
    outcome.target = day % 2 == 0 ? "cloud" : "local";
    if (day != 5) outcome.first_token = absl::Milliseconds(100 * (day + 1));
    outcome.prompt_tokens = 10;
    outcome.completion_tokens = 10;
    outcome.cached_tokens = 2;
    outcome.priced = day % 2 == 0;
    outcome.cost_micro_units = 2000;
    outcome.currency = "USD";
    log.outcomes.push_back(outcome);
  }
  profile.recorded = Record(log, "audit log x");
  profile.evidence["reconciled"] = {"2026-11-20", "ticket 7"};
  const std::string text = TcoMarkdown(profile);
  profile.inputs["local.prefill_tokens_per_second"].measured = true;
  SetCachedShare(log, "audit log x", "2026-11-22", &profile);
  for (const char* part :
       {"- [x] engine rates: 6000 prompt", "| volume.cached_share | 0.2 | - | 2026-11-22 | audit log x"}) {
    EXPECT_TRUE(absl::StrContains(TcoMarkdown(profile), part)) << part;
  }
  for (const char* part :
       {"- [x] 9.0 of 7 days recorded: 10 answers, 50.0 % local, success 90.00 % (audit log x)",
        "- [ ] 9.0 of 28 days recorded", "- [x] a cloud answer cost 0.002000 USD on average; 0 without a price",
        "- [x] a whole answer took 6.00 s (median), 10.00 s (95 %)",
        "- [ ] first token, local: 0.80 s (median), 1.00 s (95 %) of 4 streams; cloud: 0.50 s (median), 0.90 s (95 %) "
        "of 5 streams",
        "- [x] ledger reconciled with the provider's balance: `headgate budget reconcile` (2026-11-20, ticket 7)"}) {
    EXPECT_TRUE(absl::StrContains(text, part)) << part << "\n" << text;
  }
}

TEST(Tco, AMonthOfTheProofIsFilledOnceItIsOver) {
  TcoProfile profile = Shipped("example");
  AuditLog log;
  for (const int day : {0, 10, 35, 45}) {
    AuditOutcome outcome;
    outcome.time = absl::FromUnixSeconds(1'790'000'000) + absl::Hours(24 * day);
    outcome.status = day == 10 ? "UNAVAILABLE" : "OK";
    outcome.target = day == 45 ? "local" : "cloud";
    outcome.prompt_tokens = 10;
    outcome.first_token = absl::Milliseconds(300);
    outcome.priced = day != 45;
    outcome.cost_micro_units = outcome.priced ? 2000 : 0;
    outcome.currency = "USD";
    log.outcomes.push_back(outcome);
  }
  profile.recorded = Record(log, "audit log x");
  EXPECT_TRUE(absl::StrContains(TcoMarkdown(profile), "- [ ] month 1: cost, first token and success rate recorded"));
  profile.evidence["proof_case"] = {"2026-09-01", "minutes"};
  const std::string text = TcoMarkdown(profile);
  for (const char* part : {"- [x] month 1: cloud cost 0.004000 USD, first token 0.30 s (median) of 2 streams, success "
                           "50.00 % of 2 (audit log x)",
                           "- [ ] month 2, not over: cloud cost 0.002000 USD",
                           "- [x] first token, local: 0.30 s (median), 0.30 s (95 %) of 1 streams; cloud: 0.30 s",
                           "- [ ] month 3: cost, first token and success rate recorded"}) {
    EXPECT_TRUE(absl::StrContains(text, part)) << part << "\n" << text;
  }
}

// Half a call's tokens are no call's work.
TEST(Tco, WithoutAnswerTokensTheLocalSideIsUndetermined) {
  TcoProfile profile = Shipped("example");
  profile.inputs.erase("volume.output_tokens_per_call");
  const Tco tco = ComputeTco(profile);
  EXPECT_FALSE(tco.local_known && tco.work_known);
  EXPECT_TRUE(absl::StrContains(TcoMarkdown(profile), "Missing: volume.output_tokens_per_call."));
}

TEST(Tco, OneEntryThatIsMissingOrContradictsAnother) {
  const char* source = std::getenv("HEADGATE_SOURCE_DIR");
  const std::string root = source == nullptr ? "." : source;
  const auto file = ReadFile(root + "/deploy/config/tco/example.yaml", 1 << 20);
  ASSERT_TRUE(file.ok()) << file.status();
  const struct {
    const char *name, *from, *to, *complaint;
  } rows[] = {
      {"blank source", "source: \"N+1\"", "source: \"  \"",
       "p.yaml:34: local.spare_replicas.source: must not be empty"},
      {"no calls", "{value: 20000000", "{value: 0", "p.yaml:8: volume.calls_per_year.value: 0 is out of range"},
      {"no input", "{value: 1500", "{value: 0", "volume.input_tokens_per_call.value: 0 is out of range"},
      {"not a number", "{value: 30000", "{value: .nan", "p.yaml:23: local.gpu_price.value: must be a number"},
      {"words", "{value: 30000", "{value: thirty", "p.yaml:23: local.gpu_price.value: must be a number"},
      {"no such day", "{value: 1.4, date: 2026-11-22", "{value: 1.4, date: 2026-02-30",
       "local.pue.date: must be a date"},
      {"given twice", "  pue:", "  pue: {value: 1, date: 2026-11-22, source: s}\n  pue:", "local.pue: given twice"},
      {"half a range", ", low: 25000, high: 40000", ", low: 25000", "local.gpu_price: give low and high together"},
      {"percent for a share", "{value: 0.7", "{value: 70", "local.utilisation_max.value: 70 is out of range"},
      {"hits dearer than misses", "{value: 0.003", "{value: 3", "cached_per_million is above input_per_million"},
      {"a factor without its share", "  peak_share:", "  #", "cloud: peak_factor needs peak_share"},
      {"a share without its factor", "  peak_factor:", "  #", "cloud: peak_share needs peak_factor"},
      {"nobody's share", "  staff_per_year:", "  #", "local: staff_share needs staff_per_year"},
      {"a tariff for nothing", "  watts_per_gpu:", "  #", "local: tariff_per_kwh needs watts_per_gpu"},
      {"power without a tariff", "  tariff_per_kwh:", "  #", "local: watts_per_gpu needs tariff_per_kwh"},
      {"a life of nothing", "  gpu_price:", "  #", "local: life_years needs gpu_price"},
      {"no life", "  life_years:", "  #", "local: gpu_price needs life_years"},
      {"no price of hits", "  cached_per_million:", "  #", "volume.cached_share needs cached_per_million"},
      {"no name", "name: Example, hybrid for a site with 15 % sensitive traffic", "name: ''",
       "name: must not be empty"},
      {"part of years", "evaluation:", "published: [{what: x, cloud: 1, cloud_years: 2.5}]\nevaluation:",
       "published[0].cloud_years: must be whole years"},
      {"nothing published", "evaluation:", "published: [{what: x}]\nevaluation:",
       "published[0]: give cloud, local or both"},
      {"a rate there and back", "fx:", "fx:\n- {from: USD, to: CNY, rate: 7, date: 2026-11-15, source: s}",
       "this pair is there already"},
  };
  for (const auto& row : rows) {
    std::string text = *file;
    const size_t at = text.find(row.from);
    ASSERT_NE(at, std::string::npos) << row.name;
    text.replace(at, std::string(row.from).size(), row.to);
    const auto profile = ParseTcoProfile("p.yaml", text);
    ASSERT_FALSE(profile.ok()) << row.name;
    EXPECT_TRUE(absl::StrContains(profile.status().message(), row.complaint)) << row.name << ": " << profile.status();
  }
}

TEST(Tco, EvaluationSaysWhatIsOpen) {
  TcoProfile profile = Shipped("example");
  const Tco tco = ComputeTco(profile);
  double weight = 0;
  for (const Criterion& c : Evaluate(profile, tco)) weight += c.weight;
  EXPECT_EQ(weight, 100);
  EXPECT_TRUE(absl::StrContains(Recommendation(profile, tco, Evaluate(profile, tco)), "Recommendation: cloud"));
  profile.evaluation = {};
  EXPECT_TRUE(absl::StrContains(Recommendation(profile, tco, Evaluate(profile, tco)), "Undecided"));
}

TEST(Tco, SimulationIsBoundedByTheInputsAndRepeats) {
  const TcoProfile profile = Shipped("example");
  const MonteCarlo first = Simulate(profile, 7, 300);
  const MonteCarlo second = Simulate(profile, 7, 300);
  EXPECT_EQ(first.cloud.p50, second.cloud.p50);
  EXPECT_LT(first.cloud.p5, first.cloud.p95);
  EXPECT_LE(first.local.p5, first.local.p95);
  EXPECT_FALSE(Tornado(profile).empty());
  EXPECT_EQ(TcoHtml(profile), TcoHtml(profile));
  EXPECT_FALSE(absl::StrContains(TcoHtml(profile), "http-equiv"));
}

TEST(Tco, VolumeFromATrace) {
  TcoProfile profile = Shipped("example");
  GeneratorOptions options;
  options.hours = 2;
  options.requests_per_second = 1;
  const Trace trace = *GenerateTrace(options);
  SetVolume(trace, 0.2, "2026-11-22", &profile);
  EXPECT_NEAR(profile.Get("volume.calls_per_year"), 31557600, 2e6);
  EXPECT_GE(profile.Get("volume.peak_to_mean"), 1);
  EXPECT_TRUE(absl::StrContains(profile.inputs["volume.calls_per_year"].source, "trace generated_1"));
  EXPECT_TRUE(absl::StrContains(TcoMarkdown(profile), "- [ ] volume: ")) << "two hours are no year";
  options.hours = 24 * 8;
  options.requests_per_second = 0.01;
  SetVolume(*GenerateTrace(options), 0.2, "2026-11-22", &profile);
  EXPECT_TRUE(absl::StrContains(TcoMarkdown(profile), "- [x] volume: "));
}

}  // namespace
}  // namespace headgate::planner
