// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The emulator itself, where other tests lean on it: what a vendor's page says, it does.

#include "tests/fakes/deepseek_account.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace headgate {
namespace {

using Json = nlohmann::json;

DeepSeekRequest Parsed(const DeepSeekAccount& account, const std::string& content,
                       const std::string& model = "deepseek-flash") {
  const Json body = {{"model", model}, {"messages", Json::array({{{"role", "user"}, {"content", content}}})}};
  auto parsed = account.Parse(body.dump());
  EXPECT_TRUE(std::holds_alternative<DeepSeekRequest>(parsed));
  return std::get<DeepSeekRequest>(std::move(parsed));
}

TEST(DeepSeekAccountTest, RefusesWhatTheApiRefuses) {
  struct Row {
    const char* name;
    const char* body;
    int status;
    const char* message;
  };
  const Row rows[] = {
      {"no JSON", "{", 400, "JSON"},
      {"retired name", R"({"model":"deepseek-chat","messages":[{"role":"user","content":"a"}]})", 400,
       "Model Not Exist"},
      {"no messages", R"({"model":"deepseek-flash"})", 422, "messages"},
      {"wrong type", R"({"model":"deepseek-flash","max_tokens":"many","messages":[{"role":"user"}]})", 422, "type"},
      {"tool turn without reasoning_content",
       R"({"model":"deepseek-flash","messages":[{"role":"assistant","content":"","tool_calls":[]}]})", 400,
       "The reasoning_content in the thinking mode must be passed back to the API."},
  };
  const DeepSeekAccount account;
  for (const Row& row : rows) {
    const auto parsed = account.Parse(row.body);
    ASSERT_TRUE(std::holds_alternative<DeepSeekError>(parsed)) << row.name;
    EXPECT_EQ(std::get<DeepSeekError>(parsed).status, row.status) << row.name;
    EXPECT_TRUE(absl::StrContains(std::get<DeepSeekError>(parsed).message, row.message)) << row.name;
  }
  EXPECT_TRUE(std::holds_alternative<DeepSeekRequest>(account.Parse(
      R"({"model":"deepseek-flash","thinking":{"type":"disabled"},
          "messages":[{"role":"assistant","content":"","tool_calls":[]}]})")));
}

TEST(DeepSeekAccountTest, CacheHitsWholePrefixUnits) {
  DeepSeekAccount account;
  const std::string a(400, 'a');
  const auto hit = [&](const std::string& text) {
    return account.Answer(Parsed(account, text), {}, 16).hit_tokens;
  };
  EXPECT_EQ(hit(a + "B"), 0);
  EXPECT_EQ(hit(a + "C"), 0) << "no unit ends at A yet";
  EXPECT_GE(hit(a + "D"), 100) << "now one does";
  const DeepSeekAnswer again = account.Answer(Parsed(account, a + "B"), {}, 16);
  EXPECT_GT(again.hit_tokens, 0);
  EXPECT_EQ(Json::parse(again.UsageJson())["prompt_tokens"], again.hit_tokens + again.miss_tokens);
}

TEST(DeepSeekAccountTest, BalanceFallsTo402AndIsSpentGrantedFirst) {
  DeepSeekAccount account;
  account.SetBalance(100, 20'000'000);
  const DeepSeekRequest request = Parsed(account, "hello");
  ASSERT_FALSE(account.Begin(request));
  account.Answer(request, {}, 16);
  account.End(request);
  const Json balance = Json::parse(account.BalanceJson());
  EXPECT_EQ(balance["balance_infos"][0]["granted_balance"], "0.00");
  EXPECT_EQ(balance["balance_infos"][0]["topped_up_balance"], "0.01");
  account.SetBalance(0, 1);
  ASSERT_FALSE(account.Begin(request));
  account.Answer(request, {}, 16);
  account.End(request);
  EXPECT_EQ(account.Begin(request)->status, 402);
}

TEST(DeepSeekAccountTest, ConcurrencyIsPerModelAndSaysTheNumber) {
  DeepSeekAccount account;
  account.SetLimits({2, 1});
  const DeepSeekRequest flash = Parsed(account, "a"), pro = Parsed(account, "a", "deepseek-v4-pro");
  ASSERT_FALSE(account.Begin(flash));
  ASSERT_FALSE(account.Begin(flash));
  ASSERT_FALSE(account.Begin(pro));
  EXPECT_EQ(account.Begin(pro)->status, 429);
  const auto error = account.Begin(flash);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 429);
  EXPECT_TRUE(absl::StrContains(error->message, "concurrency is 3")) << error->message;
  EXPECT_TRUE(absl::StrContains(error->message, "limit of 2")) << error->message;
  account.End(flash);
  EXPECT_FALSE(account.Begin(flash));
}

TEST(DeepSeekAccountTest, AnswersAreDeterministicAndObeyLimits) {
  DeepSeekAccount account;
  DeepSeekRequest request = Parsed(account, "hello");
  EXPECT_EQ(account.Answer(request, {}, 16).content, account.Answer(request, {}, 16).content);
  EXPECT_EQ(account.Answer(request, {}, 16).content[0], DeepSeekMarker("hello"));
  request.max_tokens = 3;
  EXPECT_EQ(account.Answer(request, {}, 16).content.size(), 3u);
  EXPECT_EQ(account.Answer(request, {}, 16).finish_reason, "length");
}

TEST(DeepSeekPlanTest, JsonIsChecked) {
  EXPECT_EQ(DeepSeekRuleFromJson(Json::parse(R"({"status":429,"count":-1,"probability":0.5,"first_byte_delay_ms":7,
                                                 "end":"stall"})"))
                ->plan.first_byte_delay,
            absl::Milliseconds(7));
  for (const char* bad : {R"({"statuss":1})", R"({"status":"x"})", R"({"end":"never"})", "[]", R"({"count":0})"})
    EXPECT_FALSE(DeepSeekRuleFromJson(Json::parse(bad)).ok()) << bad;
}

TEST(DeepSeekPlanTest, RulesApplyInOrderAndRunOut) {
  DeepSeekRules rules(1);
  rules.SetDefault({.status = 1});
  rules.Add({{.status = 2}, 2, 1});
  rules.Add({{.status = 3}, -1, 0.5});
  EXPECT_EQ(rules.Take().status, 2);
  EXPECT_EQ(rules.Take().status, 2);
  int threes = 0;
  for (int i = 0; i < 1000; ++i) threes += rules.Take().status == 3 ? 1 : 0;
  EXPECT_GT(threes, 400);
  EXPECT_LT(threes, 600);
  rules.Clear();
  EXPECT_EQ(rules.Take().status, 1);
}

}  // namespace
}  // namespace headgate
