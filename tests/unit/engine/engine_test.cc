// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(EngineTest, AnswersAndCounts) {
  Start();
  const auto answer = Submit(Ask("what opens the gate?"));
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_GT(answer->text().size(), 10u);
  EXPECT_EQ(answer->finish().reason(), v1::FINISH_REASON_STOP);
  const auto& usage = answer->finish().usage();
  v1::CountTokensRequest count;
  *count.mutable_messages() = Ask("what opens the gate?").messages();
  EXPECT_EQ(usage.prompt_tokens(), *engine_->CountTokens(count));
  EXPECT_EQ(usage.completion_tokens(), Value("vllm:generation_tokens_total"));
  EXPECT_GE(usage.completion_tokens(), static_cast<int64_t>(answer->deltas().size()));
}

TEST_F(EngineTest, MaxTokensEndsTheAnswer) {
  Start();
  const auto answer = Submit(Ask(" forever", 7));
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->finish().reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(answer->finish().usage().completion_tokens(), 7);
}

TEST_F(EngineTest, TheContextEndsTheAnswer) {
  Start({.context_tokens = 64});
  const auto answer = Submit(Ask(" forever", 100000));
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->finish().reason(), v1::FINISH_REASON_LENGTH);
  const auto& usage = answer->finish().usage();
  EXPECT_EQ(usage.prompt_tokens() + usage.completion_tokens(), 64);
}

TEST_F(EngineTest, StopStringEndsTheAnswerAndIsNotInIt) {
  Start();
  const std::string whole = Alone(Ask("tell me"));
  const size_t begin = whole.find(' ', whole.size() / 2);
  const std::string stop = whole.substr(begin, whole.find(' ', begin + 1) - begin);
  auto request = Ask("tell me");
  request.add_stop(stop);
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->text(), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(answer->finish().reason(), v1::FINISH_REASON_STOP);
}

TEST_F(EngineTest, WhatLookedLikeAStopStringIsNotLost) {
  Start();
  const std::string whole = Alone(Ask("tell me"));
  auto request = Ask("tell me");
  request.add_stop(whole.substr(whole.rfind(' ')) + " and more");
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->text(), whole);
}

TEST_F(EngineTest, RawPromptHasNoTemplate) {
  Start();
  v1::GenerateRequest request;
  request.set_prompt("the gate");
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->finish().usage().prompt_tokens(), 1 + 3 + 1) << "<|begin|> t h e, ` gate`";
}

TEST_F(EngineTest, ToolCallsAreHeldBackAndParsed) {
  Start();
  auto request = Ask("close it", 6);
  request.add_tools()->set_name("close_gate");
  request.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_REQUIRED);
  request.set_max_tokens(400);
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->finish().reason(), v1::FINISH_REASON_TOOL_CALLS);
  ASSERT_EQ(answer->deltas().size(), 1u);
  ASSERT_EQ(answer->deltas()[0].tool_calls_size(), 1);
  const auto& call = answer->deltas()[0].tool_calls(0);
  EXPECT_EQ(call.name(), "close_gate");
  EXPECT_THAT(call.id(), testing::MatchesRegex("call_[0-9a-f]{24}"));
  EXPECT_EQ(answer->text(), "");
}

TEST_F(EngineTest, RefusesWhatItCannotHonour) {
  Start({.context_tokens = 64});
  auto other_model = Ask("x");
  other_model.set_model("other");
  auto json = Ask("x");
  json.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
  const struct {
    const char* name;
    v1::GenerateRequest request;
    absl::StatusCode code;
    const char* field;
  } rows[] = {
      {"empty", {}, absl::StatusCode::kInvalidArgument, "messages: "},
      {"too_long", Ask(std::string(64, 'x')), absl::StatusCode::kInvalidArgument, "messages: the prompt has "},
      {"ten_megabytes", Ask(std::string(10 << 20, 'x')), absl::StatusCode::kInvalidArgument,
       "messages: 10485760 bytes"},
      {"other_model", other_model, absl::StatusCode::kNotFound, "model: "},
      {"json", json, absl::StatusCode::kInvalidArgument, "response_format.type: "},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto status = Refusal(row.request);
    EXPECT_EQ(status.code(), row.code);
    EXPECT_THAT(std::string(status.message()), StartsWith(row.field));
  }
  auto named = Ask("x", 2);
  named.set_model("reference");
  EXPECT_TRUE(Submit(named)->WaitEnd().ok());
}

TEST_F(EngineTest, FullQueueRefusesAtOnce) {
  Start({.sequences_max = 1}, {.queue_max = 2});
  gate_.Close();
  const auto running = Submit(Ask("a"));
  gate_.WaitArrived(1);
  const auto second = Submit(Ask("b"));
  const auto third = Submit(Ask("c"));
  EXPECT_EQ(Refusal(Ask("d")).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->CurrentLoad().waiting(), 2);
  EXPECT_EQ(Value("vllm:admission_rejections"), 1);
  gate_.Open();
  EXPECT_TRUE(third->WaitEnd().ok());
}

TEST_F(EngineTest, LoadAndHealthDoNotWaitForAStep) {
  Start({.context_tokens = 1000, .sequences_max = 1}, {.step_age_max = absl::Seconds(30)});
  gate_.Close();
  const auto running = Submit(Ask(" forever", 100));
  gate_.WaitArrived(1);
  const auto waiting = Submit(Ask("b"));
  const auto load = engine_->CurrentLoad();
  EXPECT_EQ(load.running(), 1);
  EXPECT_EQ(load.waiting(), 1);
  EXPECT_LT(load.kv_cells_free(), 900);
  EXPECT_GT(load.prompt_tokens_waiting(), 0);
  EXPECT_TRUE(engine_->Healthy());
  clock_.Advance(absl::Seconds(31));
  EXPECT_FALSE(engine_->Healthy()) << "the step hangs";
  engine_->RefreshMetrics();
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("headgate_engine_last_step_age_seconds{engine=\"0\",model_name=\"reference\"} 31"));
  gate_.Open();
  EXPECT_TRUE(waiting->WaitEnd().ok());
  EXPECT_TRUE(engine_->Healthy());
}

TEST_F(EngineTest, CancelInTheQueueFreesThePlaceDuringAStep) {
  Start({.sequences_max = 1}, {.queue_max = 1});
  gate_.Close();
  const auto running = Submit(Ask("a"));
  gate_.WaitArrived(1);
  const auto queued = Submit(Ask("b"));
  engine_->Cancel(last_);
  EXPECT_EQ(engine_->CurrentLoad().waiting(), 0);
  const auto next = Submit(Ask("c"));
  gate_.Open();
  EXPECT_EQ(queued->WaitEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(next->WaitEnd().ok());
}

TEST_F(EngineTest, CancelStopsADeadStepInsideTheModel) {
  Start();
  gate_.Close();
  const auto answer = Submit(Ask(" forever"));
  gate_.WaitArrived(1);
  engine_->Cancel(last_);
  engine_->Cancel(last_);  // twice does no harm
  gate_.Open();
  EXPECT_EQ(answer->WaitEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(answer->deltas().size(), 0u);
  const auto load = engine_->CurrentLoad();
  EXPECT_EQ(load.running(), 0);
  EXPECT_EQ(load.kv_cells_free(), load.kv_cells_total());
  engine_.reset();
  EXPECT_EQ(rows_.size(), 1u) << "no further step";
}

TEST_F(EngineTest, CancelBesideOthersFreesBeforeTheNextStep) {
  Start();
  gate_.Close();
  const auto stays = Submit(Ask("stay with me"));
  gate_.WaitArrived(1);
  const auto leaves = Submit(Ask(" forever"));
  const uint64_t id = last_;
  gate_.Allow(4);
  gate_.WaitArrived(5);
  engine_->Cancel(id);
  gate_.Allow(1);
  gate_.WaitArrived(6);
  EXPECT_TRUE(leaves->ended());
  EXPECT_EQ(engine_->CurrentLoad().running(), 1);
  gate_.Open();
  ASSERT_TRUE(stays->WaitEnd().ok());
  EXPECT_EQ(stays->text(), Alone(Ask("stay with me")));
}

TEST_F(EngineTest, Deadlines) {
  Start({.sequences_max = 1});
  EXPECT_EQ(Refusal(Ask("x"), clock_.Monotonic()).code(), absl::StatusCode::kDeadlineExceeded);
  gate_.Close();
  const auto running = Submit(Ask(" forever"), clock_.Monotonic() + absl::Seconds(10));
  gate_.WaitArrived(1);
  const auto queued = Submit(Ask("b"), clock_.Monotonic() + absl::Seconds(5));
  const auto patient = Submit(Ask("c"), clock_.Monotonic() + absl::Seconds(60));
  gate_.Allow(1);
  gate_.WaitArrived(2);
  clock_.Advance(absl::Seconds(6));
  gate_.Allow(1);
  gate_.WaitArrived(3);
  EXPECT_TRUE(queued->ended()) << "refused in the queue";
  EXPECT_EQ(queued->WaitEnd().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(running->ended());
  clock_.Advance(absl::Seconds(6));
  gate_.Open();
  EXPECT_EQ(running->WaitEnd().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(patient->WaitEnd().ok());
}

TEST_F(EngineTest, DrainFinishesTheAcceptedOnes) {
  Start({.sequences_max = 1});
  gate_.Close();
  const auto running = Submit(Ask("a"));
  const auto queued = Submit(Ask("b"));
  engine_->Drain();
  EXPECT_EQ(Refusal(Ask("c")).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(engine_->CurrentLoad().draining());
  EXPECT_FALSE(engine_->Drained());
  gate_.Open();
  EXPECT_TRUE(running->WaitEnd().ok());
  EXPECT_TRUE(queued->WaitEnd().ok());
  EXPECT_TRUE(engine_->Drained());
}

TEST_F(EngineTest, DestructionEndsOpenRequests) {
  Start({.context_tokens = 1 << 20, .sequences_max = 1});
  const auto running = Submit(Ask(" forever", 393216));  // seconds of work
  running->WaitDeltas(2);
  const auto queued = Submit(Ask(" forever"));
  engine_.reset();
  EXPECT_EQ(running->WaitEnd().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(queued->WaitEnd().code(), absl::StatusCode::kUnavailable);
}

TEST_F(EngineTest, ALongPromptDoesNotStallAStream) {
  Start({.batch_tokens_max = 256}, {.step_prefill_tokens = 16});
  gate_.Close();
  const auto stream = Submit(Ask(" forever", 300));
  gate_.WaitArrived(1);
  gate_.Allow(3);
  gate_.WaitArrived(4);
  const auto prompt = Submit(Ask(std::string(600, 'x'), 1));
  gate_.Open();
  ASSERT_TRUE(prompt->WaitEnd().ok());
  EXPECT_TRUE(stream->WaitEnd().ok());
  engine_.reset();
  int32_t widest = 0;
  int chunks = 0;
  for (size_t i = 1; i < rows_.size(); ++i) {  // the first step is the stream's own prompt
    widest = std::max(widest, rows_[i]);
    chunks += rows_[i] > 1 ? 1 : 0;
  }
  EXPECT_EQ(widest, 17) << "one row of the stream and 16 of the prompt";
  EXPECT_GE(chunks, 600 / 16);
}

TEST_F(EngineTest, NoRoomShrinksTheStepAndFailsNobody) {
  // The backend takes at most 20 rows at a time, whatever it says.
  Start({}, {}, [](absl::Span<const BatchRow> rows, const Backend&) {
    return rows.size() > 20 ? absl::ResourceExhaustedError("no slot") : absl::OkStatus();
  });
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(Submit(Ask(absl::StrCat("a somewhat longer question, number ", i))));
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(answers[i]->WaitEnd().ok()) << answers[i]->WaitEnd();
    EXPECT_EQ(answers[i]->text(), Alone(Ask(absl::StrCat("a somewhat longer question, number ", i))));
  }
  EXPECT_EQ(Value("vllm:num_preemptions_total"), 0);
}

TEST_F(EngineTest, NoRoomPreemptsOneAndItsAnswerStaysTheSame) {
  // Room for 150 cells in truth, 4096 as told: accepted requests do not fit together.
  Start({}, {}, [](absl::Span<const BatchRow> rows, const Backend& backend) {
    int32_t used = static_cast<int32_t>(rows.size());
    for (int32_t i = 0; i < backend.info().sequences_max; ++i) used += backend.Length(i);
    return used > 150 ? absl::ResourceExhaustedError("no slot") : absl::OkStatus();
  });
  std::vector<std::shared_ptr<Answer>> answers;
  const auto request = [](int i) {
    auto ask = Ask(absl::StrCat(" forever ", i), 60);
    if (i == 2) ask.set_priority(v1::PRIORITY_BATCH);
    return ask;
  };
  gate_.Close();
  for (int i = 0; i < 5; ++i) answers.push_back(Submit(request(i)));
  gate_.Open();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(answers[i]->WaitEnd().ok()) << answers[i]->WaitEnd();
    EXPECT_EQ(answers[i]->text(), Alone(request(i))) << i;
  }
  EXPECT_GT(Value("vllm:num_preemptions_total"), 0);
}

TEST_F(EngineTest, NoRoomForOneAloneFailsOnlyThatOne) {
  Start({}, {}, [](absl::Span<const BatchRow> rows, const Backend& backend) {
    return backend.Length(0) + static_cast<int32_t>(rows.size()) > 30 ? absl::ResourceExhaustedError("no slot")
                                                                       : absl::OkStatus();
  });
  EXPECT_EQ(Submit(Ask(std::string(40, 'x')))->WaitEnd().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Submit(Ask("x", 5))->WaitEnd().ok());
}

TEST_F(EngineTest, AFaultOfOneSequenceFailsOnlyThatOne) {
  Start({}, {}, [](absl::Span<const BatchRow> rows, const Backend& backend) {
    for (const auto& row : rows) {
      if (backend.Piece(row.token) == "\x07") return absl::InternalError("poison");
    }
    return absl::OkStatus();
  });
  gate_.Close();
  const auto first = Submit(Ask("first"));
  gate_.WaitArrived(1);
  const auto poison = Submit(Ask("\x07"));
  const auto third = Submit(Ask("third"));
  gate_.Open();
  EXPECT_EQ(poison->WaitEnd().code(), absl::StatusCode::kInternal);
  ASSERT_TRUE(first->WaitEnd().ok());
  ASSERT_TRUE(third->WaitEnd().ok());
  EXPECT_EQ(first->text(), Alone(Ask("first")));
  EXPECT_EQ(third->text(), Alone(Ask("third")));
}

TEST_F(EngineTest, ACancelWhileEachIsTriedAloneIsNoFault) {
  uint64_t doomed = 0;
  Start({}, {}, [&](absl::Span<const BatchRow> rows, const Backend&) {
    if (!std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.sequence != rows[0].sequence; })) {
      return absl::OkStatus();
    }
    engine_->Cancel(doomed);
    return absl::InternalError("two at once");
  });
  gate_.Close();
  const auto first = Submit(Ask(" forever", 4000));
  doomed = last_;
  gate_.WaitArrived(1);
  const auto second = Submit(Ask("second"));
  gate_.Open();
  EXPECT_EQ(first->WaitEnd().code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(second->WaitEnd().ok());
  EXPECT_EQ(second->text(), Alone(Ask("second")));
}

TEST_F(EngineTest, NoticesALostCell) {
  Start();
  gate_.Close();
  const auto answer = Submit(Ask(" forever"));
  gate_.WaitArrived(1);
  backend_->LoseTokens(1);
  gate_.Open();
  EXPECT_EQ(answer->WaitEnd().code(), absl::StatusCode::kInternal);
}

TEST_F(EngineTest, InteractiveGoesFirst) {
  Start({.sequences_max = 1});
  gate_.Close();
  const auto running = Submit(Ask("a", 2));
  gate_.WaitArrived(1);
  auto batch = Ask("b", 5);
  batch.set_priority(v1::PRIORITY_BATCH);
  auto now = Ask("c", 5);
  now.set_priority(v1::PRIORITY_INTERACTIVE);
  const auto later = Submit(batch);
  const auto sooner = Submit(now);
  gate_.Allow(2 + 2);  // the running one ends, the next begins
  sooner->WaitDeltas(1);
  EXPECT_EQ(later->delta_count(), 0u);
  gate_.Open();
  EXPECT_TRUE(later->WaitEnd().ok());
}

TEST(EngineStart, RefusesSenselessConfiguration) {
  Metrics metrics;
  const auto start = [&](EngineConfig config, ReferenceConfig backend = {}) {
    return Engine::Start(config, MakeReferenceBackend(backend), metrics).status().code();
  };
  EXPECT_EQ(start({.queue_max = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start({.step_prefill_tokens = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start({.max_tokens_default = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start({}, {.sequences_max = 0}), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace headgate::engine
