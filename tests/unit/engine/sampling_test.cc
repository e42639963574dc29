// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What a request may ask about its answer's tokens, and embeddings; with the reference model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/backend/reference_text.h"
#include "engine/embedding_loop.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

using SamplingTest = EngineTest;
using testing::HasSubstr;

std::vector<v1::TokenLogprob> Logprobs(const Answer& answer) {
  std::vector<v1::TokenLogprob> all;
  for (const auto& delta : answer.deltas()) all.insert(all.end(), delta.logprobs().begin(), delta.logprobs().end());
  return all;
}

TEST_F(SamplingTest, LogprobsOfEveryTokenOfTheText) {
  Start();
  auto request = Ask("tell me", 40);
  request.set_logprobs(3);
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  std::string text;
  for (const auto& logprob : Logprobs(*answer)) {
    text += logprob.token();
    EXPECT_LE(logprob.logprob(), 0);
    ASSERT_GE(logprob.top_size(), 1);
    EXPECT_LE(logprob.top_size(), 3);
    EXPECT_EQ(logprob.top(0).token_id(), logprob.token_id()) << "greedy takes the likeliest";
    EXPECT_EQ(logprob.top(0).logprob(), logprob.logprob());
    for (int i = 1; i < logprob.top_size(); ++i) EXPECT_LE(logprob.top(i).logprob(), logprob.top(i - 1).logprob());
  }
  EXPECT_THAT(text, testing::StartsWith(answer->text()));
  EXPECT_LT(text.size(), answer->text().size() + 4) << "max_tokens may cut a character";
  const auto without = Submit(Ask("tell me", 40));
  ASSERT_TRUE(without->WaitEnd().ok());
  EXPECT_EQ(without->text(), answer->text());
  EXPECT_TRUE(Logprobs(*without).empty());
}

TEST_F(SamplingTest, LogprobsAreNotLostWhenTheTextIsHeldBack) {
  Start();
  auto request = Ask("close it", 6);
  request.add_tools()->set_name("close_gate");
  request.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_REQUIRED);
  request.set_max_tokens(400);
  request.set_logprobs(0);
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->deltas().size(), 1u);
  EXPECT_GT(Logprobs(*answer).size(), 3u);
}

TEST_F(SamplingTest, ABiasForbidsAndForces) {
  Start();
  auto request = Ask("tell me", 1);
  request.set_logprobs(2);
  const auto plain = Submit(request);
  ASSERT_TRUE(plain->WaitEnd().ok());
  const auto first = Logprobs(*plain).at(0);
  (*request.mutable_sampling()->mutable_logit_bias())[first.token_id()] = -100;
  const auto forbidden = Submit(request);
  ASSERT_TRUE(forbidden->WaitEnd().ok());
  EXPECT_EQ(Logprobs(*forbidden).at(0).token_id(), first.top(1).token_id());
  EXPECT_FLOAT_EQ(Logprobs(*forbidden).at(0).logprob(), first.top(1).logprob()) << "the model's own, without the bias";
}

TEST_F(SamplingTest, StopTokensEndTheAnswer) {
  Start();
  auto request = Ask("tell me", 40);
  request.set_logprobs(0);
  const auto whole = Submit(request);
  ASSERT_TRUE(whole->WaitEnd().ok());
  const auto tokens = Logprobs(*whole);
  size_t stop = 0;
  for (size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i].token_id() >= reference::kFirstWord && stop == 0) stop = i;
  }
  request.add_stop_token_ids(tokens[stop].token_id());
  const auto answer = Submit(request);
  ASSERT_TRUE(answer->WaitEnd().ok());
  EXPECT_EQ(answer->finish().reason(), v1::FINISH_REASON_STOP);
  EXPECT_LE(Logprobs(*answer).size(), stop);
  EXPECT_THAT(whole->text(), testing::StartsWith(answer->text()));
  EXPECT_LT(answer->text().size(), whole->text().size());
}

TEST_F(SamplingTest, TokenIdsMustBeTheModels) {
  Start();
  auto stop = Ask("x");
  stop.add_stop_token_ids(1 << 20);
  EXPECT_THAT(std::string(Refusal(stop).message()), HasSubstr("stop_token_ids: 1048576 is no token"));
  auto bias = Ask("x");
  (*bias.mutable_sampling()->mutable_logit_bias())[-1] = 1;
  EXPECT_THAT(std::string(Refusal(bias).message()), HasSubstr("sampling.logit_bias: -1 is no token"));
}

// Takes all events of n answers apart.
class Choices : public AnswerEvents {
 public:
  explicit Choices(int n) : left_(n) {}
  void OnDelta(v1::Delta delta) override { texts[delta.choice()] += delta.content(); }
  void OnFinish(v1::Finish finish) override {
    EXPECT_TRUE(finishes.emplace(finish.choice(), finish).second) << "twice";
    if (--left_ == 0) ended.set_value(absl::OkStatus());
  }
  void OnError(absl::Status status) override { ended.set_value(std::move(status)); }

  std::map<int, std::string> texts;
  std::map<int, v1::Finish> finishes;
  std::promise<absl::Status> ended;

 private:
  int left_;
};

TEST_F(SamplingTest, NAnswersAreThoseOfTheirSeeds) {
  Start();
  auto request = Ask("tell me", 20);
  request.mutable_sampling()->set_temperature(1);
  request.mutable_sampling()->set_seed(40);
  request.set_n(3);
  const auto choices = std::make_shared<Choices>(3);
  ASSERT_TRUE(engine_->Submit(request, kNever, choices).ok());
  ASSERT_TRUE(choices->ended.get_future().get().ok());
  request.set_n(1);
  for (int i = 0; i < 3; ++i) {
    request.mutable_sampling()->set_seed(static_cast<uint64_t>(40 + i));
    EXPECT_EQ(choices->texts[i], Alone(request)) << i;
    EXPECT_GT(choices->finishes[i].usage().completion_tokens(), 0);
  }
  EXPECT_NE(choices->texts[0], choices->texts[1]);
  EXPECT_GT(choices->finishes[0].usage().prompt_tokens(), 0);
  EXPECT_EQ(choices->finishes[1].usage().prompt_tokens(), 0) << "the prompt counts once";
}

TEST_F(SamplingTest, NAnswersAreAcceptedTogetherOrNotAtAll) {
  Start({.sequences_max = 1}, {.queue_max = 3});
  gate_.Close();
  const auto running = Submit(Ask("a"));
  gate_.WaitArrived(1);
  auto four = Ask("b", 2);
  four.set_n(4);
  EXPECT_EQ(Refusal(four).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->CurrentLoad().waiting(), 0);
  four.set_n(3);
  const auto choices = std::make_shared<Choices>(3);
  const auto first = engine_->Submit(four, kNever, choices);
  ASSERT_TRUE(first.ok());
  for (uint64_t i = 0; i < 3; ++i) engine_->Cancel(*first + i);
  gate_.Open();
  EXPECT_EQ(choices->ended.get_future().get().code(), absl::StatusCode::kCancelled) << "one error for all";
  EXPECT_TRUE(running->WaitEnd().ok());
}

TEST_F(SamplingTest, OneFailureOfNAnswersEndsTheOthers) {
  Start({}, {}, [](absl::Span<const BatchRow> rows, const Backend&) {
    const bool second = std::any_of(rows.begin(), rows.end(), [](const BatchRow& row) { return row.sequence == 1; });
    return second ? absl::InternalError("poison") : absl::OkStatus();
  });
  auto request = Ask(" forever", 4000);
  request.set_n(3);
  const auto choices = std::make_shared<Choices>(3);
  ASSERT_TRUE(engine_->Submit(request, kNever, choices).ok());
  EXPECT_EQ(choices->ended.get_future().get().code(), absl::StatusCode::kInternal);
  ASSERT_TRUE(Submit(Ask("x", 5))->WaitEnd().ok());
  EXPECT_EQ(engine_->CurrentLoad().running(), 0) << "answers are made for nobody";
  Labels aborted = {{"model_name", "reference"}, {"engine", "0"}, {"finished_reason", "abort"}};
  EXPECT_EQ(Value("vllm:request_success_total", aborted), 2);
}

absl::StatusOr<v1::EmbedResponse> Embed(Engine& engine, const std::vector<std::string>& texts,
                                        MonotonicTime deadline = kNever) {
  v1::EmbedRequest request;
  for (const auto& text : texts) request.add_input(text);
  std::promise<absl::StatusOr<v1::EmbedResponse>> made;
  engine.Embed(request, deadline, [&](auto response) { made.set_value(std::move(response)); });
  return made.get_future().get();
}

TEST_F(SamplingTest, EmbeddingsHaveLengthOneAndTellTextsApart) {
  Start();
  const auto made = Embed(*engine_, {"the gate", "the boat", "the gate", std::string(1000, 'x')});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->embeddings_size(), 4);
  for (const auto& embedding : made->embeddings()) {
    double square = 0;
    for (const float value : embedding.values()) square += value * value;
    EXPECT_NEAR(square, 1, 1e-5);
  }
  const auto values = [&](int i) {
    return std::vector<float>(made->embeddings(i).values().begin(), made->embeddings(i).values().end());
  };
  EXPECT_EQ(values(0), values(2));
  EXPECT_NE(values(0), values(1));
  EXPECT_GT(made->usage().prompt_tokens(), 1000) << "a long text is cut into windows, not off";
}

TEST_F(SamplingTest, EmbeddingsRefuseWhatIsWrong) {
  Start();
  EXPECT_EQ(Embed(*engine_, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Embed(*engine_, {"a", ""}).status().message()), HasSubstr("input[1]: "));
  EXPECT_EQ(Embed(*engine_, std::vector<std::string>(257, "x")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Embed(*engine_, {"a"}, clock_.Monotonic()).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SamplingTest, ACancelledEmbeddingEndsAndGivesUpItsPlace) {
  std::atomic<int> windows{0};
  ReferenceConfig config;
  config.on_embed = [&] {
    ++windows;
    gate_.Pass();
  };
  Start(config);
  struct Job {
    uint64_t id = 0;
    std::promise<absl::Status> ended;
    std::future<absl::Status> status = ended.get_future();
  };
  const auto begin = [&](size_t bytes) {
    auto job = std::make_shared<Job>();
    v1::EmbedRequest request;
    request.add_input(std::string(bytes, 'x'));
    job->id = engine_->Embed(request, kNever, [job](auto made) { job->ended.set_value(made.status()); });
    return job;
  };
  gate_.Close();
  const auto running = begin(100000);
  gate_.WaitArrived(1);
  std::vector<std::shared_ptr<Job>> waiting;
  for (size_t i = 0; i < EmbeddingLoop::kWaitingMax; ++i) waiting.push_back(begin(1));
  EXPECT_EQ(begin(1)->status.get().code(), absl::StatusCode::kResourceExhausted);

  engine_->Cancel(waiting[5]->id);
  EXPECT_EQ(waiting[5]->status.get().code(), absl::StatusCode::kCancelled) << "at once";
  waiting[5] = begin(1);  // its place
  engine_->Cancel(running->id);
  gate_.Open();
  EXPECT_EQ(running->status.get().code(), absl::StatusCode::kCancelled);
  for (const auto& job : waiting) EXPECT_TRUE(job->status.get().ok());
  EXPECT_EQ(windows, 1 + static_cast<int>(waiting.size())) << "windows were computed for nobody";
  engine_->Cancel(running->id);  // too late: nothing
  EXPECT_TRUE(Embed(*engine_, {"a"}).ok());
}

// A thought until its third blank, then content. Within the thought it takes the end for content, otherwise each time.
class HastyParser : public AnswerParser {
 public:
  v1::Message Parse(const std::string& text, bool complete) const override {
    size_t end = 0;
    for (int blank = 0; blank < 3 && end != std::string::npos; ++blank) end = text.find(' ', end + 1);
    v1::Message message;
    message.set_reasoning_content(text.substr(0, end));
    if (end != std::string::npos) message.set_content(text.substr(end));
    if (end == std::string::npos && !complete) message.set_content(std::string(1, 'A' + text.size() % 26));
    return message;
  }
};

class ThinkingBackend : public ForwardingBackend {
 public:
  ThinkingBackend() : ForwardingBackend(MakeReferenceBackend({})) {}
  absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const override {
    auto chat = inner().RenderChat(request);
    if (chat.ok()) chat->plain = false;
    if (chat.ok()) chat->parser = std::make_shared<HastyParser>();
    return chat;
  }
};

TEST(Reasoning, GoesOutAsItGrowsAndNeverTwice) {
  Metrics metrics;
  const auto engine = *Engine::Start({}, std::make_unique<ThinkingBackend>(), metrics);
  for (const std::string question : {"tell me", "what is a lock", "and the boat", "the gate forever"}) {
    const auto answer = std::make_shared<Answer>();
    auto request = Ask(question, 40);
    request.set_logprobs(0);
    ASSERT_TRUE(engine->Submit(request, kNever, answer).ok());
    ASSERT_TRUE(answer->WaitEnd().ok());
    std::string reasoning, content, whole;
    size_t thoughts = 0, contents = 0;
    for (const auto& delta : answer->deltas()) {
      EXPECT_TRUE(delta.reasoning_content().empty() || content.empty()) << question << ": a thought after content";
      thoughts += !delta.reasoning_content().empty();
      contents += !delta.content().empty();
      reasoning += delta.reasoning_content();
      content += delta.content();
    }
    for (const auto& logprob : Logprobs(*answer)) whole += logprob.token();
    const v1::Message expected = HastyParser().Parse(Utf8Joiner().Add(whole), true);  // cut within a character
    EXPECT_EQ(reasoning, expected.reasoning_content()) << question;
    EXPECT_EQ(content, expected.content()) << question;
    EXPECT_GT(thoughts, 1u) << question;
    EXPECT_GT(contents, 2u) << question;
  }
}

TEST(Reasoning, ItsTokensAreCounted) {
  Metrics metrics;
  const auto engine = *Engine::Start({}, std::make_unique<ThinkingBackend>(), metrics);
  auto request = Ask("tell me", 40);
  request.set_logprobs(0);  // the tokens and their text
  const auto answer = std::make_shared<Answer>();
  ASSERT_TRUE(engine->Submit(request, kNever, answer).ok());
  ASSERT_TRUE(answer->WaitEnd().ok());
  std::string thought;
  for (const auto& delta : answer->deltas()) thought += delta.reasoning_content();
  ASSERT_FALSE(thought.empty());
  std::string whole;
  for (const auto& logprob : Logprobs(*answer)) whole += logprob.token();
  const size_t begin = whole.find(thought);
  ASSERT_NE(begin, std::string::npos);
  int64_t tokens = 0;
  size_t at = 0;
  for (const auto& logprob : Logprobs(*answer)) {
    const size_t end = at + logprob.token().size();
    if (end > begin && at < begin + thought.size()) ++tokens;
    at = end;
  }
  EXPECT_GT(tokens, 1);
  EXPECT_EQ(answer->finish().usage().reasoning_tokens(), tokens);
  EXPECT_LT(tokens, answer->finish().usage().completion_tokens() - 1) << "not all of them thought";
}

}  // namespace
}  // namespace headgate::engine
