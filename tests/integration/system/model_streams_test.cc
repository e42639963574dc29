// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Mixed streams through the router to the real model and to the emulator: none lost, none mixed up. What mixed up means
// for a model whose batched answers differ in the last bits: docs/decisions/0003-llama-backend.md.
#include <gmock/gmock.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "engine/backend/llama.h"
#include "tests/fakes/deepseek_account.h"
#include "tests/integration/llama/raw_llama.h"
#include "tests/integration/system/system_world.h"

namespace headgate {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kStreams = kSanitized ? 16 : 64;
constexpr int kContext = 8192, kBatch = 512, kParallel = 32, kThreads = 2;
constexpr int kAnswer = 24;
// The criterion. The weights are widened to 16 bits for it: beside four-bit weights, activations are rounded to eight,
// which alone moves choices by up to 0.7 nat when a sequence is computed in another shape (docs/decisions/0003).
constexpr float kGapMax = 0.5F;

const char* const kTopics[] = {
    "the sea",     "cats",      "bread",      "the moon",   "gravity",    "winter",     "trains",  "a violin",
    "honey bees",  "Paris",     "chess",      "volcanoes",  "rice",       "bicycles",   "glass",   "the heart",
    "dinosaurs",   "a library", "coffee",     "rainbows",   "football",   "computers",  "silk",    "the desert",
    "Shakespeare", "whales",    "a pancake",  "electricity", "the Nile",  "mushrooms",  "bridges", "sleep",
};

class ModelStreamsTest : public SystemWorld {
 protected:
  void SetUp() override {
    model_ = engine::TestModel();
    if (model_.empty()) GTEST_SKIP() << "no model file: run tools/setup or set HEADGATE_TEST_MODEL";
    const std::string wide = Path("half-precision.gguf");
    ASSERT_TRUE(engine::WriteHalfPrecision(model_, wide));
    model_ = wide;
  }

  v1::GenerateRequest Question(int i) const {
    const bool sensitive = i % 2 == 1;
    const char* topic = kTopics[static_cast<size_t>(i / 2) % std::size(kTopics)];
    v1::GenerateRequest request = Request(
        sensitive ? absl::StrCat("The member with ID ", kResidentId, " asks: what is special about ", topic, "?")
                  : absl::StrCat("Write one sentence about ", topic, "."),
        kAnswer);
    request.mutable_sampling()->set_temperature(0);
    return request;
  }

  std::string model_;
};

// Judges answers of which the text is known, each alone.
class Judge {
 public:
  explicit Judge(const std::string& model) : raw_(model, kContext, kBatch, kParallel, kThreads) {
    engine::LlamaConfig config;
    config.model_path = model;
    config.context_tokens = 512;
    auto backend = engine::MakeLlamaBackend(config);
    EXPECT_TRUE(backend.ok()) << backend.status();
    if (backend.ok()) templates_ = *std::move(backend);
  }
  // By how much the answer's worst token lies below the best, had it been the answer to `request`.
  float Worst(const v1::GenerateRequest& request, const StreamCall& answer) {
    const auto chat = templates_->RenderChat(request);
    EXPECT_TRUE(chat.ok()) << chat.status();
    const bool ended = answer.finish().reason() == v1::FINISH_REASON_STOP;
    std::vector<engine::Token> tokens = raw_.Tokenize(answer.text(), /*parse_special=*/false);
    if (ended) tokens.push_back(raw_.IdOf("<|im_end|>"));
    // The tokenizer's way to write the text is nearly always the model's: one step instead of one a token.
    const float worst = Most(raw_.Gaps(chat->tokens, tokens));
    return worst <= kGapMax ? worst : raw_.TextGap(chat->tokens, answer.text(), ended, kGapMax);
  }

 private:
  static float Most(const std::vector<float>& gaps) {
    return gaps.empty() ? 0 : *std::max_element(gaps.begin(), gaps.end());
  }

  engine::RawLlama raw_;
  std::unique_ptr<engine::Backend> templates_;
};

TEST_F(ModelStreamsTest, MixedStreamsAreAllAnsweredAndNoneIsMixedUp) {
  RouterYaml yaml;
  yaml.policy = "  cloud_qps_threshold: 32\n";  // the burst is 8: the rest of the everyday ones overflows
  StartSystem(yaml, {"--model", model_, "--context-tokens", absl::StrCat(kContext), "--parallel",
                     absl::StrCat(kParallel), "--threads", absl::StrCat(kThreads)});
  const auto stub = Inference();
  const MonotonicTime start = RealTime().Monotonic();
  std::vector<std::unique_ptr<StreamCall>> calls;
  for (int i = 0; i < kStreams; ++i) calls.push_back(std::make_unique<StreamCall>(*stub, Question(i)));
  for (const auto& call : calls) call->Wait();
  const absl::Duration took = RealTime().Monotonic() - start;

  std::vector<const StreamCall*> local;
  for (int i = 0; i < kStreams; ++i) {
    const StreamCall& call = *calls[static_cast<size_t>(i)];
    SCOPED_TRACE(call.prompt());
    ASSERT_TRUE(call.status().ok()) << call.status().error_message();
    EXPECT_EQ(call.routes(), 1);
    EXPECT_EQ(call.finishes(), 1);
    EXPECT_FALSE(call.text().empty());
    if (call.route().target() == v1::Route::TARGET_LOCAL) {
      local.push_back(&call);
      continue;
    }
    EXPECT_EQ(i % 2, 0) << "a resident ID left";
    EXPECT_THAT(call.text(), StartsWith(DeepSeekMarker(call.prompt())));
  }
  const size_t cloud = calls.size() - local.size();
  EXPECT_GE(cloud, 4U);
  EXPECT_EQ(static_cast<size_t>(emulator_->stats().chats_total), cloud);
  WaitForRest();
  engine_.reset();  // its cores are the judge's now

  Judge judge(model_);
  float worst = 0;
  for (const StreamCall* call : local) {
    const float gap = judge.Worst(call->request(), *call);
    EXPECT_LE(gap, kGapMax) << call->prompt() << "\n" << call->text();
    worst = std::max(worst, gap);
  }
  const absl::Duration judged = RealTime().Monotonic() - start - took;
  // The criterion notices an answer that belongs to another question.
  for (size_t i = 0; i + 1 < local.size() && i < 4; ++i) {
    EXPECT_GT(judge.Worst(local[i + 1]->request(), *local[i]), kGapMax) << local[i]->text();
  }
  std::cout << kStreams << " mixed streams: " << cloud << " cloud, " << local.size() << " local, in "
            << absl::FormatDuration(took) << "; worst gap " << worst << " nat, judged in "
            << absl::FormatDuration(judged) << "\n";
}

}  // namespace
}  // namespace headgate
