// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// engine-facade-bench MODEL THREADS decode|prefill COUNT [COUNT...]: how fast the engine is without a network. Prints a
// line of JSON for each count: decode with that many answers at a time, or a prompt of that many tokens alone. Answers
// never end by themselves; times are those of the choices, so text and events are inside.

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "common/clock.h"
#include "engine/backend/llama.h"
#include "engine/engine.h"

namespace headgate::engine {
namespace {

constexpr int kPromptTokens = 128;  // as llama-batched-bench -npp 128 -ntg 64
constexpr int kAnswerTokens = 64;

using Times = std::vector<MonotonicTime>;

// The model, but answers have no end, prompts are numbers of tokens, and each choice's time is written down.
class TimedBackend final : public Backend {
 public:
  explicit TimedBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  const BackendInfo& info() const override { return inner_->info(); }
  // The prompt "N SEED" has N tokens, which differ by the seed.
  std::vector<Token> Tokenize(std::string_view text, bool, bool) const override {
    const size_t blank = text.find(' ');
    int count = 1;
    int seed = 0;
    (void)absl::SimpleAtoi(std::string(text.substr(0, blank)), &count);
    (void)absl::SimpleAtoi(std::string(text.substr(blank + 1)), &seed);
    std::vector<Token> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(1000 + (seed * 7919 + i * 31) % 20000);
    return tokens;
  }
  std::string Piece(Token token) const override { return inner_->Piece(token); }
  bool IsEndOfGeneration(Token) const override { return false; }
  absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const override {
    return inner_->RenderChat(request);
  }
  absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::Sampling& sampling,
                                                       const std::string& grammar) const override {
    auto sampler = inner_->MakeSampler(sampling, grammar);
    if (!sampler.ok()) return sampler;
    times_.push_back(std::make_shared<Times>());
    return std::make_unique<TimedSampler>(*std::move(sampler), times_.back());
  }
  absl::Status Decode(absl::Span<const BatchRow> rows) override { return inner_->Decode(rows); }
  Likelihood LikelihoodOf(int32_t row_index, Token chosen, int32_t top) const override {
    return inner_->LikelihoodOf(row_index, chosen, top);
  }
  absl::StatusOr<std::vector<float>> Embed(absl::Span<const Token> tokens) override { return inner_->Embed(tokens); }
  void SetAbortCheck(std::function<bool()> check) override { inner_->SetAbortCheck(std::move(check)); }
  void Truncate(int32_t sequence, int32_t from) override { inner_->Truncate(sequence, from); }
  void Share(int32_t source, int32_t target, int32_t from, int32_t to) override {
    inner_->Share(source, target, from, to);
  }
  int32_t Length(int32_t sequence) const override { return inner_->Length(sequence); }

  // Of the requests since the last call, in order.
  std::vector<std::shared_ptr<Times>> TakeTimes() { return std::exchange(times_, {}); }

 private:
  class TimedSampler final : public Sampler {
   public:
    TimedSampler(std::unique_ptr<Sampler> inner, std::shared_ptr<Times> times)
        : inner_(std::move(inner)), times_(std::move(times)) {}
    Token Sample(int32_t row) override {
      const Token token = inner_->Sample(row);
      times_->push_back(RealTime().Monotonic());
      return token;
    }

   private:
    std::unique_ptr<Sampler> inner_;
    std::shared_ptr<Times> times_;
  };

  std::unique_ptr<Backend> inner_;
  mutable std::vector<std::shared_ptr<Times>> times_;
};

// Counts ends.
class Ends : public AnswerEvents {
 public:
  void OnDelta(v1::Delta) override {}
  void OnFinish(v1::Finish) override { End(); }
  void OnError(absl::Status status) override {
    std::cerr << "engine-facade-bench: " << status << std::endl;
    End();
  }
  void Wait(int count) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return count_ >= count; });
    count_ = 0;
  }

 private:
  void End() {
    std::lock_guard lock(mutex_);
    ++count_;
    ended_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable ended_;
  int count_ = 0;
};

class Bench {
 public:
  Bench(std::unique_ptr<Engine> engine, TimedBackend& backend) : engine_(std::move(engine)), backend_(backend) {}

  double Decode(int answers) {
    Run(answers, kPromptTokens, kAnswerTokens);
    MonotonicTime begin = absl::ZeroDuration();  // the last one's first token
    MonotonicTime end = absl::InfiniteDuration();
    const auto times = backend_.TakeTimes();
    for (const auto& of : times) {
      begin = std::max(begin, of->front());
      end = std::min(end, of->back());
    }
    int tokens = 0;
    for (const auto& of : times) {
      tokens += static_cast<int>(std::count_if(of->begin(), of->end(), [&](auto t) { return t > begin && t <= end; }));
    }
    return tokens / absl::ToDoubleSeconds(end - begin);
  }

  double Prefill(int tokens) {
    Run(1, tokens, 1);  // memory is touched for the first time: llama-bench does not count that either
    const MonotonicTime begin = RealTime().Monotonic();
    Run(1, tokens, 1);
    return tokens / absl::ToDoubleSeconds(backend_.TakeTimes().front()->front() - begin);
  }

 private:
  void Run(int answers, int prompt_tokens, int answer_tokens) {
    backend_.TakeTimes();
    for (int i = 0; i < answers; ++i) {
      v1::GenerateRequest request;
      request.set_prompt(absl::StrCat(prompt_tokens, " ", ++seed_));
      request.mutable_sampling()->set_temperature(0);
      request.set_max_tokens(answer_tokens);
      const auto id = engine_->Submit(request, absl::InfiniteDuration(), ends_);
      if (!id.ok()) ends_->OnError(id.status());
    }
    ends_->Wait(answers);
  }

  std::unique_ptr<Engine> engine_;
  TimedBackend& backend_;
  std::shared_ptr<Ends> ends_ = std::make_shared<Ends>();
  int seed_ = 0;
};

int Main(const std::vector<std::string>& arguments) {
  LlamaConfig config;
  config.context_tokens = 8192;
  config.sequences_max = 32;
  if (arguments.size() < 5 || !absl::SimpleAtoi(arguments[2], &config.threads)) {
    std::cerr << "usage: engine-facade-bench MODEL THREADS decode|prefill COUNT..." << std::endl;
    return 2;
  }
  config.model_path = arguments[1];
  auto llama = MakeLlamaBackend(config);
  if (!llama.ok()) {
    std::cerr << "engine-facade-bench: " << llama.status() << std::endl;
    return 1;
  }
  auto backend = std::make_unique<TimedBackend>(*std::move(llama));
  TimedBackend& timed = *backend;
  Metrics metrics;
  auto engine = Engine::Start({.step_target = absl::ZeroDuration(), .warm_up = true}, std::move(backend), metrics);
  if (!engine.ok()) {
    std::cerr << "engine-facade-bench: " << engine.status() << std::endl;
    return 1;
  }
  Bench bench(*std::move(engine), timed);
  for (size_t i = 4; i < arguments.size(); ++i) {
    int count = 1;
    (void)absl::SimpleAtoi(arguments[i], &count);
    const double rate = arguments[3] == "decode" ? bench.Decode(count) : bench.Prefill(count);
    std::cout << "{\"count\": " << count << ", \"tokens_per_second\": " << rate << "}" << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace headgate::engine

int main(int argc, char** argv) { return headgate::engine::Main({argv, argv + argc}); }
