// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The engine over a real model: alone it equals libllama driven by hand, token for token; in a batch every token it
// chose lies within half a nat of the best one (docs/decisions/0003-llama-backend.md says why not equality).

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "engine/backend/llama.h"
#include "engine/engine.h"
#include "tests/fakes/forwarding_backend.h"
#include "tests/integration/llama/gguf_files.h"
#include "tests/integration/llama/raw_llama.h"

namespace headgate::engine {
namespace {

constexpr int kContext = 4096;
constexpr int kBatch = 256;
constexpr int kSequences = 16;
constexpr int kThreads = 2;
constexpr int kAnswer = 16;
constexpr float kGapMax = 0.5F;
constexpr float kFourBitNoise = 1.1F;  // docs/decisions/0003-llama-backend.md

const char* const kQuestions[] = {
    "Name three fruits.",
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "用一句话介绍长城。",
    "What is 12 plus 30?",
    "Explain gravity to a child.",
    "Write a haiku about snow.",
    "List the days of the week.",
    "Who wrote Hamlet?",
    "Say hello in Spanish, French and German.",
    "What do bees make?",
    "Give me a recipe for pancakes.",
    "Why is the sky blue?",
    "Translate to German: good morning, my friend.",
    "Complete: once upon a time 🐉",
    "def fibonacci(n): # continue this Python function",
};

std::vector<std::string> Questions(size_t n) { return {kQuestions, kQuestions + n}; }

LlamaConfig Config() {
  LlamaConfig config;
  config.model_path = TestModel();
  config.context_tokens = kContext;
  config.batch_tokens_max = kBatch;
  config.sequences_max = kSequences;
  config.threads = kThreads;
  return config;
}

// One request as the model saw it.
struct Record {
  std::vector<Token> prompt;
  std::vector<Token> answer;  // without the end of generation
};

// Forwards to the llama backend and writes down each request's tokens. Requests must be submitted from one thread: the
// engine renders a prompt and then makes its sampler.
class RecordingBackend : public ForwardingBackend {
 public:
  explicit RecordingBackend(std::unique_ptr<Backend> inner, std::vector<std::shared_ptr<Record>>& records)
      : ForwardingBackend(std::move(inner)), records_(records) {}

  absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const override {
    auto chat = inner().RenderChat(request);
    if (chat.ok()) records_.push_back(std::make_shared<Record>(Record{chat->tokens, {}}));
    return chat;
  }
  absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::Sampling& sampling,
                                                       const std::string& grammar) const override {
    auto sampler = inner().MakeSampler(sampling, grammar);
    if (!sampler.ok()) return sampler;
    return std::make_unique<RecordingSampler>(*this, *std::move(sampler), records_.back());
  }

 private:
  class RecordingSampler : public Sampler {
   public:
    RecordingSampler(const RecordingBackend& backend, std::unique_ptr<Sampler> inner, std::shared_ptr<Record> record)
        : backend_(backend), inner_(std::move(inner)), record_(std::move(record)) {}
    Token Sample(int32_t row_index) override {
      const Token token = inner_->Sample(row_index);
      if (!backend_.IsEndOfGeneration(token)) record_->answer.push_back(token);
      return token;
    }

   private:
    const RecordingBackend& backend_;
    std::unique_ptr<Sampler> inner_;
    std::shared_ptr<Record> record_;
  };

  std::vector<std::shared_ptr<Record>>& records_;
};

// Collects one answer and lets a thread wait for its end.
class Answer : public AnswerEvents {
 public:
  void OnDelta(v1::Delta delta) override { text_ += delta.content(); }
  void OnFinish(v1::Finish) override { End(absl::OkStatus()); }
  void OnError(absl::Status status) override { End(std::move(status)); }
  absl::Status Wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return done_; });
    return status_;
  }
  const std::string& text() const { return text_; }

 private:
  void End(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
    done_ = true;
    ended_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  absl::Status status_;
  std::string text_;
};

v1::GenerateRequest Ask(const std::string& question) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(question);
  request.mutable_sampling()->set_temperature(0);
  request.set_max_tokens(kAnswer);
  return request;
}

// Weights of 16 bits, for what is judged by the criterion: a mix-up is no smaller there, the noise is.
LlamaConfig WideConfig() {
  LlamaConfig config = Config();
  config.model_path = testing::TempDir() + absl::StrCat("headgate-half-precision-", ::getpid(), ".gguf");
  EXPECT_TRUE(WriteHalfPrecision(TestModel(), config.model_path));
  return config;
}

class LlamaEngineTest : public testing::Test {
 protected:
  void SetUp() override {
    if (TestModel().empty()) GTEST_SKIP() << "no model file: run tools/setup or set HEADGATE_TEST_MODEL";
  }

  void StartEngine(const LlamaConfig& config, const EngineConfig& engine_config = {}) {
    auto backend = MakeLlamaBackend(config);
    ASSERT_TRUE(backend.ok()) << backend.status();
    auto engine = Engine::Start(engine_config, std::make_unique<RecordingBackend>(*std::move(backend), records_),
                                metrics_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    raw_ = std::make_unique<RawLlama>(config.model_path, kContext, kBatch, kSequences, kThreads);
    if (config.model_path != TestModel()) ::unlink(config.model_path.c_str());  // both have it open
  }

  std::shared_ptr<Answer> Submit(const std::string& question) { return Submit(Ask(question)); }
  std::shared_ptr<Answer> Submit(const v1::GenerateRequest& request) {
    auto answer = std::make_shared<Answer>();
    const auto id = engine_->Submit(request, absl::InfiniteDuration(), answer);
    EXPECT_TRUE(id.ok()) << id.status();
    return answer;
  }

  // Of record `i`, teacher-forced alone.
  float WorstGap(size_t i) {
    const std::vector<float> gaps = raw_->Gaps(records_[i]->prompt, records_[i]->answer);
    return gaps.empty() ? 0 : *std::max_element(gaps.begin(), gaps.end());
  }
  double Count(const std::string& name) {
    return metrics_.GetCounter(name, "", {{"model_name", engine_->info().model}, {"engine", "0"}}).Value();
  }

  // All questions at once; then the worst gap of each answer, teacher-forced alone.
  std::vector<float> BatchedGaps(const LlamaConfig& config, size_t requests) {
    StartEngine(config);
    if (HasFatalFailure()) return {};
    std::vector<std::shared_ptr<Answer>> answers;
    for (const std::string& question : Questions(requests)) answers.push_back(Submit(question));
    std::vector<float> worst;
    for (size_t i = 0; i < answers.size(); ++i) {
      EXPECT_TRUE(answers[i]->Wait().ok()) << kQuestions[i];
      worst.push_back(WorstGap(i));
    }
    return worst;
  }

  Metrics metrics_;
  std::vector<std::shared_ptr<Record>> records_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<RawLlama> raw_;
};

TEST_F(LlamaEngineTest, AloneEqualsLibllamaTokenForToken) {
  const LlamaConfig config = Config();
  StartEngine(config);
  raw_ = std::make_unique<RawLlama>(config.model_path, kContext, kBatch, kSequences, kThreads,
                                    RawLlama::Attention::kBackends);
  for (const std::string& question : Questions(8)) {
    SCOPED_TRACE(question);
    const auto answer = Submit(question);
    ASSERT_TRUE(answer->Wait().ok());
    const Record& record = *records_.back();
    EXPECT_EQ(record.answer, raw_->Greedy(record.prompt, kAnswer));
    EXPECT_FALSE(record.answer.empty());
    EXPECT_FALSE(answer->text().empty());
  }
}

// Sampled, and asked again: beside what other requests left in the cache, and with a head of its own that is cached.
TEST_F(LlamaEngineTest, ASeedGivesTheSameAnswerWhenAlone) {
  StartEngine(Config());
  std::vector<std::vector<Token>> first;
  const auto ask = [&](const std::string& question) {
    v1::GenerateRequest request = Ask(question);
    request.mutable_sampling()->set_temperature(1);
    request.mutable_sampling()->set_seed(20261123);
    request.set_max_tokens(2 * kAnswer);
    EXPECT_TRUE(Submit(request)->Wait().ok());
    return records_.back()->answer;
  };
  for (const std::string& question : Questions(6)) first.push_back(ask(question));
  for (size_t i = 0; i < first.size(); ++i) EXPECT_EQ(ask(kQuestions[i]), first[i]) << kQuestions[i];
  EXPECT_GT(Count("vllm:prefix_cache_hits_total"), 0);
}

TEST_F(LlamaEngineTest, BatchedChoicesLieWithinHalfANatOfTheBest) {
  const std::vector<float> worst = BatchedGaps(WideConfig(), kSequences);
  ASSERT_EQ(worst.size(), static_cast<size_t>(kSequences));
  for (size_t i = 0; i < worst.size(); ++i) EXPECT_LE(worst[i], kGapMax) << kQuestions[i];
}

// The same system prompt for all: computed once, shared, and the answers keep to the criterion.
TEST_F(LlamaEngineTest, SharedPrefixesKeepToTheCriterion) {
  StartEngine(WideConfig());
  std::vector<std::shared_ptr<Answer>> answers;
  for (int round = 0; round < 2; ++round) {
    for (const std::string& question : Questions(4)) {
      v1::GenerateRequest request = Ask(question);
      *request.add_messages() = request.messages(0);
      request.mutable_messages(0)->set_role(v1::ROLE_SYSTEM);
      request.mutable_messages(0)->set_content("You are the keeper of a lock on a canal. You answer in one sentence.");
      answers.push_back(std::make_shared<Answer>());
      ASSERT_TRUE(engine_->Submit(request, absl::InfiniteDuration(), answers.back()).ok());
    }
    for (const auto& answer : answers) ASSERT_TRUE(answer->Wait().ok());
  }
  EXPECT_GT(Count("vllm:prefix_cache_hits_total"), 100);
  for (size_t i = 0; i < records_.size(); ++i) EXPECT_LE(WorstGap(i), kGapMax);
}

// Cells for a few of the answers: the others give way, are kept in host memory, and come back.
TEST_F(LlamaEngineTest, AnswersThatGaveWayKeepToTheCriterion) {
  LlamaConfig config = WideConfig();
  config.context_tokens = 512;
  config.cache_sequences = 0;
  StartEngine(config, {.answer_cells = 2, .swap_bytes_max = 64 << 20});
  std::vector<std::shared_ptr<Answer>> answers;
  for (const std::string& question : Questions(kSequences)) answers.push_back(Submit(question));
  for (const auto& answer : answers) ASSERT_TRUE(answer->Wait().ok());
  EXPECT_GT(Count("headgate_engine_swaps_in_total"), 0);
  EXPECT_EQ(Count("headgate_engine_swaps_in_total"), Count("headgate_engine_swaps_out_total"));
  for (size_t i = 0; i < records_.size(); ++i) EXPECT_LE(WorstGap(i), kGapMax) << kQuestions[i];
}

TEST_F(LlamaEngineTest, GuessedAnswersKeepToTheCriterion) {
  StartEngine(WideConfig());
  std::vector<std::shared_ptr<Answer>> answers;
  for (const char* const text : {"one two three four five six seven eight nine ten eleven twelve",
                                 "the lock is open and the boat moves out of the lock",
                                 "a b c d e f g h i j k l m n o"}) {
    v1::GenerateRequest request = Ask(absl::StrCat("Repeat this text three times: ", text));
    request.set_max_tokens(40);
    request.set_prompt_lookup(true);
    answers.push_back(Submit(request));
  }
  for (const auto& answer : answers) ASSERT_TRUE(answer->Wait().ok());
  EXPECT_GT(Count("vllm:spec_decode_num_accepted_tokens_total"), 10);
  for (size_t i = 0; i < records_.size(); ++i) EXPECT_LE(WorstGap(i), kGapMax) << i;
}

// Each answer is its own adapter's, whoever stands beside it.
TEST_F(LlamaEngineTest, AdaptersTogetherKeepToTheCriterion) {
  const LlamaConfig config = WideConfig();
  std::string files[3];  // the first: no adapter
  for (uint32_t i = 1; i < 3; ++i) {
    files[i] = testing::TempDir() + absl::StrCat("headgate-adapter-", i, "-", ::getpid(), ".gguf");
    ASSERT_TRUE(WriteAdapter(TestModel(), files[i], i, 1));
  }
  StartEngine(config);
  for (const char* const name : {"1", "2"}) ASSERT_TRUE(engine_->LoadAdapter(name, files[*name - '0']).ok());
  std::vector<std::shared_ptr<Answer>> answers;
  for (size_t i = 0; i < 9; ++i) {
    v1::GenerateRequest request = Ask(kQuestions[i / 3]);
    if (i % 3 > 0) request.set_adapter(absl::StrCat(i % 3));
    answers.push_back(Submit(request));
  }
  for (const auto& answer : answers) ASSERT_TRUE(answer->Wait().ok());
  EXPECT_GT(Count("headgate_engine_adapter_switches_total"), 3);
  float of_another = 0;
  for (size_t adapter = 0; adapter < 3; ++adapter) {
    ASSERT_TRUE(raw_->UseAdapter(files[adapter]));
    for (size_t i = 0; i < records_.size(); ++i) {
      const float gap = WorstGap(i);
      if (i % 3 == adapter) {
        EXPECT_LE(gap, kGapMax) << i;
      } else {
        of_another = std::max(of_another, gap);
      }
    }
  }
  EXPECT_GT(of_another, 2 * kGapMax) << "the adapters change too little to tell a mix-up";
  for (const std::string& file : files) ::unlink(file.c_str());
}

TEST_F(LlamaEngineTest, TheCriterionNoticesSwappedCells) {
  LlamaConfig config = Config();
  config.swap_cells = true;
  config.cache_sequences = 0;  // all share the template's head otherwise
  const std::vector<float> worst = BatchedGaps(config, 4);
  ASSERT_EQ(worst.size(), 4U);
  // Each of the two swapped answers fails; the others stand beside them unharmed.
  for (size_t i = 0; i < worst.size(); ++i) {
    if (i < 2) {
      EXPECT_GT(worst[i], kGapMax) << kQuestions[i];
    } else {
      EXPECT_LE(worst[i], kFourBitNoise) << kQuestions[i];
    }
  }
}

}  // namespace
}  // namespace headgate::engine
