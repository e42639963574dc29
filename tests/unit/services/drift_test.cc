// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/cli/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"

namespace headgate::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::GenerateResponse Response(const std::string& text, std::vector<float> logprobs) {
  v1::GenerateResponse response;
  response.mutable_message()->set_content(text);
  response.mutable_usage()->set_completion_tokens(static_cast<int64_t>(logprobs.size()));
  for (const float logprob : logprobs) response.add_logprobs()->set_logprob(logprob);
  return response;
}

DriftFigures Measured() {
  std::vector<ProbeAnswer> answers;
  for (const auto& response : {Response("Paris is the capital.", {-0.5F, -0.25F, -0.25F}),
                               Response("I'm sorry, but I can't help with that.", {-1.0F})}) {
    answers.push_back(*ReadProbeAnswer(response));
  }
  return FiguresOf("model", {"a", "b"}, answers);
}

TEST(Drift, FiguresAreMeansOfTokensAndAnswers) {
  const DriftFigures figures = Measured();
  EXPECT_DOUBLE_EQ(figures.mean_logprob, -0.5);  // 2 nats over 4 tokens
  EXPECT_DOUBLE_EQ(figures.answer_tokens, 2);
  EXPECT_DOUBLE_EQ(figures.refusal_rate, 0.5);
  EXPECT_EQ(figures.count, 2);
}

TEST(Drift, ABaselineSurvivesItsFile) {
  const DriftFigures figures = Measured();
  const auto read = ParseBaseline(BaselineJson(figures), "b.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(BaselineJson(*read), BaselineJson(figures));
  EXPECT_THAT(CompareDrift({}, *read, figures), IsEmpty());
}

TEST(Drift, EachFigureIsNoticedBothWays) {
  const struct {
    const char* name;
    std::function<void(DriftFigures&)> change;
    const char* complaint;
  } rows[] = {
      {"less_sure", [](DriftFigures& f) { f.mean_logprob -= 0.11; }, "mean log-probability -0.11"},
      {"surer", [](DriftFigures& f) { f.mean_logprob += 0.11; }, "mean log-probability +0.11"},
      {"shorter", [](DriftFigures& f) { f.answer_tokens *= 0.7; }, "answer length -30.0 %"},
      {"longer", [](DriftFigures& f) { f.answer_tokens *= 1.3; }, "answer length +30.0 %"},
      {"refuses", [](DriftFigures& f) { f.refusal_rate += 0.2; }, "refusal rate +0.200"},
      {"allows", [](DriftFigures& f) { f.refusal_rate -= 0.2; }, "refusal rate -0.200"},
      {"not_a_number", [](DriftFigures& f) { f.mean_logprob = std::nan(""); }, "mean log-probability"},
      {"other_questions", [](DriftFigures& f) { f.probes = "x"; }, "other questions"},
  };
  for (const auto& row : rows) {
    DriftFigures now = Measured();
    row.change(now);
    EXPECT_THAT(CompareDrift({}, Measured(), now), ElementsAre(HasSubstr(row.complaint))) << row.name;
  }
  DriftFigures near = Measured();
  near.mean_logprob -= 0.025;
  near.answer_tokens *= 1.08;
  near.refusal_rate += 0.1;
  EXPECT_THAT(CompareDrift({}, Measured(), near), IsEmpty());
}

TEST(Drift, BadBaselinesNameFileAndKey) {
  EXPECT_THAT(std::string(ParseBaseline("[", "b.json").status().message()), HasSubstr("b.json: is not a JSON object"));
  EXPECT_THAT(std::string(ParseBaseline("{}", "b.json").status().message()), HasSubstr("b.json: "));
  EXPECT_FALSE(ParseBaseline(R"({"model": 1})", "b.json").ok());
}

TEST(Drift, RefusalsAreToldByTheirBeginning) {
  for (const char* text : {"I'm sorry, but I can't assist with that.", "I cannot do that.", "抱歉，我无法提供帮助。"}) {
    EXPECT_TRUE(LooksRefused(text)) << text;
  }
  for (const char* text : {"Paris.", "The can is on the table.", ""}) EXPECT_FALSE(LooksRefused(text)) << text;
  EXPECT_FALSE(LooksRefused(absl::StrCat(std::string(200, 'x'), " I cannot"))) << "only the beginning counts";
}

TEST(Drift, ARouterIsNoEngine) {
  v1::GenerateResponse response = Response("text", {-1});
  response.clear_logprobs();
  EXPECT_EQ(ReadProbeAnswer(response).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Drift, ProbesAreTheirLines) {
  EXPECT_THAT(ProbesOf("one\n\n  two \r\n"), ElementsAre("one", "two"));
  EXPECT_GE(DriftProbes().size(), 20U);
  EXPECT_TRUE(ProbeRequest("x").has_logprobs());
}

}  // namespace
}  // namespace headgate::services
