// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Adapters: each answer is that of its adapter alone, whoever stands beside it; turns are fair; names come and go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "engine/scheduler.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string WriteAdapter(const std::string& name, int salt, const std::string& model = "reference") {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name, ".gguf");
  std::ofstream(path) << "reference adapter for " << model << ": " << salt << "\n";
  return path;
}

v1::GenerateRequest AskWith(const std::string& adapter, const std::string& text, int32_t max_tokens) {
  v1::GenerateRequest request = Ask(text, max_tokens);
  request.set_adapter(adapter);
  return request;
}

class AdapterTest : public EngineTest {
 protected:
  void Load(const std::string& name, int salt) {
    const absl::Status status = engine_->LoadAdapter(name, WriteAdapter(name, salt));
    ASSERT_TRUE(status.ok()) << status;
  }
};

TEST_F(AdapterTest, ManyAdaptersAtOnceAnswerAsEachAlone) {
  Start({.sequences_max = 8});
  const char* const names[] = {"", "a", "b", "c"};
  for (int i = 1; i < 4; ++i) Load(names[i], i * 17);
  std::vector<v1::GenerateRequest> requests;
  std::vector<std::string> alone;
  for (int i = 0; i < 16; ++i) {
    requests.push_back(AskWith(names[i % 4], absl::StrCat("question ", i / 4, " forever"), 40));
    const auto answer = Submit(requests.back());
    ASSERT_TRUE(answer->WaitEnd().ok());
    alone.push_back(answer->text());
  }
  // Equal questions, other adapters: other answers. A mix-up would show.
  for (int i = 1; i < 4; ++i) EXPECT_NE(alone[0], alone[static_cast<size_t>(i)]);
  gate_.Close();
  std::vector<std::shared_ptr<Answer>> together;
  for (const auto& request : requests) together.push_back(Submit(request));
  gate_.Open();
  for (size_t i = 0; i < together.size(); ++i) {
    EXPECT_TRUE(together[i]->WaitEnd().ok());
    EXPECT_EQ(together[i]->text(), alone[i]) << i;
  }
  EXPECT_GT(Value("headgate_engine_adapter_switches_total"), 8);
}

TEST_F(AdapterTest, NamesComeAndGoAndAReplacedOneAnswersAnew) {
  Start();
  EXPECT_EQ(Refusal(AskWith("a", "hello", 8)).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Refusal(AskWith("a", "hello", 8)).message()), HasSubstr("adapter: "));
  Load("a", 1);
  Load("b", 2);
  EXPECT_THAT(engine_->Adapters(), ElementsAre("a", "b"));
  const auto first = Submit(AskWith("a", "hello there", 30));
  ASSERT_TRUE(first->WaitEnd().ok());
  Load("a", 3);  // the prefix that the first one left behind must not be used
  const auto second = Submit(AskWith("a", "hello there", 30));
  ASSERT_TRUE(second->WaitEnd().ok());
  EXPECT_NE(first->text(), second->text());
  EXPECT_EQ(second->finish().usage().cached_tokens(), 0);
  const auto again = Submit(AskWith("a", "hello there", 30));
  ASSERT_TRUE(again->WaitEnd().ok());
  EXPECT_EQ(again->text(), second->text());
  EXPECT_GT(again->finish().usage().cached_tokens(), 0);
  EXPECT_TRUE(engine_->UnloadAdapter("a").ok());
  EXPECT_EQ(engine_->UnloadAdapter("a").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Refusal(AskWith("a", "hello", 8)).code(), absl::StatusCode::kNotFound);
}

TEST_F(AdapterTest, ExportsWhichAreInUseAsVllmDoes) {
  Start({.sequences_max = 1});
  const auto text = [&] {
    engine_->RefreshMetrics();
    return metrics_.Text();
  };
  const auto exported = [&](const std::string& running, const std::string& waiting) {
    return HasSubstr(absl::StrCat("vllm:lora_requests_info{max_lora=\"64\",running_lora_adapters=\"", running,
                                  "\",waiting_lora_adapters=\"", waiting, "\"} 1\n"));  // the clock's time
  };
  EXPECT_THAT(text(), testing::Not(HasSubstr("lora_requests_info")));  // as vLLM without LoRA
  Load("a", 1);
  Load("b", 2);
  EXPECT_THAT(text(), exported("", ""));
  gate_.Close();
  const auto first = Submit(AskWith("a", "hello", 4));
  gate_.WaitArrived(1);
  const auto second = Submit(AskWith("b", "hello", 4));
  const auto third = Submit(Ask("hello", 4));
  EXPECT_THAT(text(), exported("a", "b"));
  gate_.Open();
  for (const auto& answer : {first, second, third}) EXPECT_TRUE(answer->WaitEnd().ok());
  EXPECT_THAT(text(), exported("", ""));
}

TEST_F(AdapterTest, AnUnloadedOneFinishesWhatItHas) {
  Start();
  Load("a", 5);
  const auto request = AskWith("a", "once more forever", 30);
  const auto before = Submit(request);
  ASSERT_TRUE(before->WaitEnd().ok());
  gate_.Close();
  const auto answer = Submit(request);
  gate_.WaitArrived(1);
  EXPECT_TRUE(engine_->UnloadAdapter("a").ok());
  gate_.Open();
  EXPECT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->text(), before->text());
}

TEST_F(AdapterTest, RefusesBadNamesAndFiles) {
  Start();
  const struct {
    const char* row;
    std::string name;
    std::string file;
    absl::StatusCode code;
    const char* complaint;
  } rows[] = {
      {"no_name", "", WriteAdapter("x", 1), absl::StatusCode::kInvalidArgument, "name: "},
      {"slash", "a/b", WriteAdapter("x", 1), absl::StatusCode::kInvalidArgument, "name: "},
      {"long", std::string(129, 'a'), WriteAdapter("x", 1), absl::StatusCode::kInvalidArgument, "name: "},
      {"no_file", "a", "/nowhere.gguf", absl::StatusCode::kNotFound, "/nowhere.gguf"},
      {"another_model", "a", WriteAdapter("x2", 1, "other"), absl::StatusCode::kInvalidArgument, "another model"},
  };
  for (const auto& row : rows) {
    const absl::Status status = engine_->LoadAdapter(row.name, row.file);
    EXPECT_EQ(status.code(), row.code) << row.row;
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.complaint)) << row.row;
  }
  const std::string file = WriteAdapter("many", 1);
  for (size_t i = 0; i < Engine::kAdaptersMax; ++i) ASSERT_TRUE(engine_->LoadAdapter(absl::StrCat("n", i), file).ok());
  EXPECT_EQ(engine_->LoadAdapter("more", file).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(engine_->LoadAdapter("n0", file).ok());  // a new file under an old name
}

RunningSequence Of(int32_t adapter, int32_t prompt_left = 0, int32_t rank = 1) {
  RunningSequence sequence;
  sequence.adapter = adapter;
  sequence.prompt_left = prompt_left;
  sequence.rank = rank;
  return sequence;
}

std::vector<int32_t> Turns(const std::vector<RunningSequence>& running, int steps) {
  AdapterTurns turns;
  std::vector<int32_t> order;
  for (int i = 0; i < steps; ++i) {
    order.push_back(turns.Choose(running, true));
    Step step;
    const bool prompt = std::any_of(running.begin(), running.end(), [&](const RunningSequence& s) {
      return s.adapter == order.back() && s.prompt_left > 0;
    });
    if (prompt) step.prefill.push_back({0, 1});
    turns.Ran(step);
  }
  return order;
}

TEST(AdapterTurns, GoRoundWithTurnsOfEqualLength) {
  // However many sequences an adapter has.
  EXPECT_THAT(Turns({Of(1), Of(2), Of(2), Of(2), Of(5)}, 14), ElementsAre(1, 1, 1, 1, 2, 2, 2, 2, 5, 5, 5, 5, 1, 1));
  EXPECT_THAT(Turns({Of(0), Of(3)}, 9), ElementsAre(3, 3, 3, 3, 0, 0, 0, 0, 3));
}

TEST(AdapterTurns, APromptStepIsAWholeTurn) {
  EXPECT_THAT(Turns({Of(1, 100), Of(2)}, 7), ElementsAre(1, 2, 2, 2, 2, 1, 2));
}

TEST(AdapterTurns, InteractiveWorkComesEarlierButNeverTwiceInARow) {
  const auto order = Turns({Of(1, 100), Of(2, 100), Of(3, 100), Of(4, 100, 0)}, 12);
  EXPECT_THAT(order, ElementsAre(4, 1, 4, 2, 4, 3, 4, 1, 4, 2, 4, 3));
}

TEST(AdapterTurns, WhoHasNothingToDoHasNoTurn) {
  RunningSequence waits = Of(2, 50);
  waits.waits = true;
  EXPECT_THAT(Turns({Of(1), waits}, 6), ElementsAre(1, 1, 1, 1, 1, 1));
  // The batch class stands aside while an interactive prompt is computed.
  EXPECT_THAT(Turns({Of(1, 0, kRankBatch), Of(2, 100, 0)}, 4), ElementsAre(2, 2, 2, 2));
}

TEST(AdapterTurns, AStepHasRowsOfOneAdapterAndPromptsKeepTheirBudget) {
  std::vector<RunningSequence> running = {Of(1), Of(2, 1000), Of(2), Of(1, 1000)};
  for (size_t i = 0; i < running.size(); ++i) running[i].sequence = static_cast<int32_t>(i);
  StepLimits limits;
  limits.batch_tokens_max = 512;
  limits.prefill_tokens_max = 64;
  limits.adapter = 2;
  Step step = PlanStep(running, {}, limits);
  EXPECT_THAT(step.decode, ElementsAre(2));
  EXPECT_THAT(step.prefill, ElementsAre(Chunk{1, 64}));
  // Answers of another adapter wait for the step too: the prompt does not get all of it.
  running.erase(running.begin() + 2);
  step = PlanStep(running, {}, limits);
  EXPECT_TRUE(step.decode.empty());
  EXPECT_THAT(step.prefill, ElementsAre(Chunk{1, 64}));
}

}  // namespace
}  // namespace headgate::engine
