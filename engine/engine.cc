// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "engine/decode_loop.h"
#include "engine/embedding_loop.h"
#include "engine/engine_metrics.h"
#include "engine/sequence.h"
#include "engine/validation.h"

namespace headgate::engine {
namespace {

// Of n answers the first error is the request's: what comes after it is dropped, and the others are cancelled.
class OneErrorEvents : public AnswerEvents {
 public:
  OneErrorEvents(std::shared_ptr<AnswerEvents> events, std::function<void()> cancel_all)
      : events_(std::move(events)), cancel_all_(std::move(cancel_all)) {}
  void OnDelta(v1::Delta delta) override {
    if (events_) events_->OnDelta(std::move(delta));
  }
  void OnFinish(v1::Finish finish) override {
    if (events_) events_->OnFinish(std::move(finish));
  }
  void OnError(absl::Status status) override {
    if (!events_) return;
    cancel_all_();
    std::exchange(events_, nullptr)->OnError(std::move(status));
  }

 private:
  std::shared_ptr<AnswerEvents> events_;
  const std::function<void()> cancel_all_;
};

std::string Grammar(const v1::GenerateRequest& request, const SequenceOptions& options) {
  if (request.response_format().type() == v1::ResponseFormat::TYPE_GRAMMAR) {
    return request.response_format().json_schema();
  }
  return options.chat ? options.chat->grammar : std::string();
}

// Everything about a request that needs no turn of the decode thread happens on the caller's: validation, template,
// tokens, sampler. The rest is DecodeLoop's.
class DecodingEngine : public Engine {
 public:
  DecodingEngine(const EngineConfig& config, std::unique_ptr<Backend> backend, Metrics& metrics, const Clock& clock)
      : config_(config),
        clock_(clock),
        backend_(std::move(backend)),
        metrics_(metrics, backend_->info()),
        embeddings_(*backend_, clock),
        loop_(config, *backend_, metrics_, clock) {}
  ~DecodingEngine() override { metrics_.Clear(); }

  absl::StatusOr<uint64_t> Submit(v1::GenerateRequest request, MonotonicTime deadline,
                                  std::shared_ptr<AnswerEvents> events, std::string tenant) override;
  uint64_t Embed(v1::EmbedRequest request, MonotonicTime deadline, EmbeddingLoop::Done done) override;
  void Cancel(uint64_t request) override;
  absl::StatusOr<int64_t> CountTokens(const v1::CountTokensRequest& request) const override;
  absl::Status LoadAdapter(const std::string& name, const std::string& file) override;
  absl::Status UnloadAdapter(const std::string& name) override;
  std::vector<std::string> Adapters() const override;
  BackendInfo info() const override { return backend_->info(); }
  v1::Load CurrentLoad() const override { return loop_.CurrentLoad(); }
  bool Healthy() const override { return loop_.Ready() && loop_.TurnAge() <= config_.step_age_max; }
  void Drain() override { loop_.Drain(); }
  bool Drained() const override { return loop_.Drained(); }
  void RefreshMetrics() override;

 private:
  absl::Status CheckModel(const std::string& model) const;
  absl::StatusOr<std::shared_ptr<const Adapter>> FindAdapter(const std::string& name) const;
  absl::Status CheckTokenIds(const v1::GenerateRequest& request) const;
  // Of text that cannot fit in any way: it is not even cut into tokens, which takes seconds for megabytes.
  absl::Status CheckBytes(const v1::GenerateRequest& request) const;
  // Fills prompt, chat and parsed.
  absl::Status Render(const v1::GenerateRequest& request, SequenceOptions& options) const;
  absl::Status FitIntoContext(const v1::GenerateRequest& request, SequenceOptions& options) const;

  const EngineConfig config_;
  const Clock& clock_;
  const std::unique_ptr<Backend> backend_;
  EngineMetrics metrics_;
  std::atomic<uint64_t> next_request_{1};
  std::atomic<bool> adapters_seen_{false};
  mutable std::mutex adapters_mutex_;
  std::map<std::string, std::shared_ptr<const Adapter>> adapters_;
  EmbeddingLoop embeddings_;
  DecodeLoop loop_;  // last: its thread uses the others
};

absl::Status DecodingEngine::CheckModel(const std::string& model) const {
  if (model.empty() || model == backend_->info().model) return absl::OkStatus();
  return absl::NotFoundError("model: this engine does not serve it; it serves " + backend_->info().model);
}

absl::Status DecodingEngine::Render(const v1::GenerateRequest& request, SequenceOptions& options) const {
  if (request.messages().empty()) {
    options.prompt = backend_->Tokenize(request.prompt(), /*add_special=*/true, /*parse_special=*/false);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(options.chat, backend_->RenderChat(request));
  options.prompt = options.chat->tokens;
  options.parsed = !options.chat->plain || request.tools_size() > 0;
  return absl::OkStatus();
}

absl::Status DecodingEngine::CheckBytes(const v1::GenerateRequest& request) const {
  const BackendInfo& info = backend_->info();
  size_t bytes = request.prompt().size();
  for (const auto& message : request.messages()) bytes += message.content().size();
  const auto most = static_cast<size_t>(info.token_bytes_max) *
                    static_cast<size_t>(std::min(info.context_tokens, info.context_tokens_per_sequence_max));
  if (most == 0 || bytes <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(request.messages().empty() ? "prompt" : "messages", ": ", bytes,
                                                 " bytes of text; no more than ", most,
                                                 " could fit into this engine's context"));
}

absl::Status DecodingEngine::FitIntoContext(const v1::GenerateRequest& request, SequenceOptions& options) const {
  const BackendInfo& info = backend_->info();
  const int32_t context = std::min(info.context_tokens, info.context_tokens_per_sequence_max);
  const auto tokens = static_cast<int64_t>(options.prompt.size());
  const char* const field = request.messages().empty() ? "prompt" : "messages";
  if (tokens == 0) return absl::InvalidArgumentError(absl::StrCat(field, ": has no tokens"));
  if (tokens >= context) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": the prompt has ", tokens, " tokens; at most ", context - 1,
                                                   " leave room for an answer in this engine's context"));
  }
  const int32_t wanted = request.has_max_tokens() ? request.max_tokens() : config_.max_tokens_default;
  options.max_tokens = std::min(wanted, context - static_cast<int32_t>(tokens));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Adapter>> DecodingEngine::FindAdapter(const std::string& name) const {
  if (name.empty()) return std::shared_ptr<const Adapter>();
  const std::lock_guard lock(adapters_mutex_);
  const auto found = adapters_.find(name);
  if (found != adapters_.end()) return found->second;
  return absl::NotFoundError("adapter: this engine has not loaded it");
}

absl::Status DecodingEngine::LoadAdapter(const std::string& name, const std::string& file) {
  RETURN_IF_ERROR(ValidateAdapterName(name));
  {
    const std::lock_guard lock(adapters_mutex_);
    if (adapters_.size() >= kAdaptersMax && !adapters_.contains(name)) {
      return absl::ResourceExhaustedError(absl::StrCat("name: at most ", kAdaptersMax, " adapters"));
    }
  }
  ASSIGN_OR_RETURN(auto adapter, backend_->LoadAdapter(name, file));
  const std::lock_guard lock(adapters_mutex_);
  adapters_[name] = std::move(adapter);
  adapters_seen_ = true;
  return absl::OkStatus();
}

absl::Status DecodingEngine::UnloadAdapter(const std::string& name) {
  const std::lock_guard lock(adapters_mutex_);
  return adapters_.erase(name) > 0 ? absl::OkStatus() : absl::NotFoundError("name: no such adapter is loaded");
}

std::vector<std::string> DecodingEngine::Adapters() const {
  const std::lock_guard lock(adapters_mutex_);
  std::vector<std::string> names;
  for (const auto& [name, adapter] : adapters_) names.push_back(name);
  return names;
}

absl::Status DecodingEngine::CheckTokenIds(const v1::GenerateRequest& request) const {
  const auto outside = [this](const char* field, Token token) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", token, " is no token of the model; it has ", backend_->info().vocabulary));
  };
  for (const Token token : request.stop_token_ids()) {
    if (token < 0 || token >= backend_->info().vocabulary) return outside("stop_token_ids", token);
  }
  for (const auto& [token, bias] : request.sampling().logit_bias()) {
    if (token < 0 || token >= backend_->info().vocabulary) return outside("sampling.logit_bias", token);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> DecodingEngine::Submit(v1::GenerateRequest request, MonotonicTime deadline,
                                                std::shared_ptr<AnswerEvents> events, std::string tenant) {
  SequenceOptions options;
  options.submitted = clock_.Monotonic();
  if (deadline <= options.submitted) return absl::DeadlineExceededError("the deadline passed before the request came");
  RETURN_IF_ERROR(CheckModel(request.model()));
  RETURN_IF_ERROR(ValidateGenerate(request));
  RETURN_IF_ERROR(CheckTokenIds(request));
  ASSIGN_OR_RETURN(options.adapter, FindAdapter(request.adapter()));
  RETURN_IF_ERROR(CheckBytes(request));
  RETURN_IF_ERROR(Render(request, options));
  RETURN_IF_ERROR(FitIntoContext(request, options));
  options.priority = request.priority();
  options.tenant = tenant.empty() ? request.user() : std::move(tenant);
  if (!config_.share_between_tenants) options.cache_key = options.tenant;
  // What was computed under one adapter is of no use under another. Ids are never used twice.
  if (options.adapter) absl::StrAppend(&options.cache_key, std::string(1, '\0'), options.adapter->id);
  options.prompt_lookup = request.prompt_lookup() && backend_->info().rewinds;
  options.deadline = deadline;
  options.stops.assign(request.stop().begin(), request.stop().end());
  options.stop_tokens.assign(request.stop_token_ids().begin(), request.stop_token_ids().end());
  if (request.has_logprobs()) options.logprobs = request.logprobs();

  const int32_t choices = std::max(request.n(), 1);
  const uint64_t first = next_request_.fetch_add(static_cast<uint64_t>(choices));
  if (choices > 1) {
    const auto cancel_all = [this, first, choices] {
      for (int32_t i = 0; i < choices; ++i) loop_.Cancel(first + static_cast<uint64_t>(i));
    };
    events = std::make_shared<OneErrorEvents>(std::move(events), cancel_all);
  }
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (int32_t i = 0; i < choices; ++i) {
    SequenceOptions one = options.Copy();
    v1::Sampling sampling = request.sampling();
    if (sampling.has_seed()) sampling.set_seed(sampling.seed() + static_cast<uint64_t>(i));
    ASSIGN_OR_RETURN(one.sampler, backend_->MakeSampler(sampling, Grammar(request, options)));
    one.request = first + static_cast<uint64_t>(i);
    one.choice = i;
    one.events = events;
    sequences.push_back(std::make_unique<Sequence>(std::move(one), *backend_));
  }
  RETURN_IF_ERROR(loop_.Add(std::move(sequences)));
  metrics_.request_params_n.Observe(choices);
  if (request.has_max_tokens()) metrics_.request_params_max_tokens.Observe(request.max_tokens());
  return first;
}

uint64_t DecodingEngine::Embed(v1::EmbedRequest request, MonotonicTime deadline, EmbeddingLoop::Done done) {
  const uint64_t id = next_request_++;
  if (absl::Status status = CheckModel(request.model()); !status.ok()) {
    done(std::move(status));
  } else {
    embeddings_.Embed(id, std::move(request), deadline, std::move(done));
  }
  return id;
}

void DecodingEngine::Cancel(uint64_t request) {
  loop_.Cancel(request);
  embeddings_.Cancel(request);
}

absl::StatusOr<int64_t> DecodingEngine::CountTokens(const v1::CountTokensRequest& request) const {
  RETURN_IF_ERROR(CheckModel(request.model()));
  RETURN_IF_ERROR(ValidateCountTokens(request));
  v1::GenerateRequest generate;
  *generate.mutable_messages() = request.messages();
  generate.set_prompt(request.prompt());
  *generate.mutable_tools() = request.tools();
  SequenceOptions options;
  RETURN_IF_ERROR(Render(generate, options));
  return static_cast<int64_t>(options.prompt.size());
}

void DecodingEngine::RefreshMetrics() {
  const v1::Load load = loop_.CurrentLoad();
  metrics_.waiting.Set(load.waiting());
  metrics_.running.Set(load.running());
  metrics_.kv_usage.Set(loop_.CellsUsed());
  metrics_.prefill_rate.Set(load.prefill_tokens_per_second());
  metrics_.decode_rate.Set(load.decode_tokens_per_second());
  metrics_.draining.Set(load.draining() ? 1 : 0);
  metrics_.swapped_bytes.Set(static_cast<double>(loop_.SwappedBytes()));
  metrics_.last_step_age.Set(absl::ToDoubleSeconds(loop_.TurnAge()));
  if (!adapters_seen_) return;  // as vLLM, which has it only with LoRA
  const auto [running, waiting] = loop_.AdaptersInUse();
  metrics_.ShowAdapters(running, waiting, clock_.WallTime());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Start(const EngineConfig& config, std::unique_ptr<Backend> backend,
                                                      Metrics& metrics, const Clock& clock) {
  const BackendInfo& info = backend->info();
  if (info.sequences_max < 1 || info.batch_tokens_max < 1 || info.context_tokens < 2 ||
      info.context_tokens_per_sequence_max < 2) {
    return absl::InvalidArgumentError("backend: needs a sequence, a batch row and two tokens of context at least");
  }
  if (config.queue_max < 1) return absl::InvalidArgumentError("queue_max: must be at least 1");
  if (config.step_prefill_tokens < 1) return absl::InvalidArgumentError("step_prefill_tokens: must be at least 1");
  if (config.answer_cells < 1) return absl::InvalidArgumentError("answer_cells: must be at least 1");
  if (config.batch_rank_rows < 0) return absl::InvalidArgumentError("batch_rank_rows: must be at least 0");
  if (config.swap_bytes_max < 0) return absl::InvalidArgumentError("swap_bytes_max: must be at least 0");
  if (config.prefix_cache_tokens < -1) return absl::InvalidArgumentError("prefix_cache_tokens: must be at least -1");
  if (config.max_tokens_default < 1) return absl::InvalidArgumentError("max_tokens_default: must be at least 1");
  return std::make_unique<DecodingEngine>(config, std::move(backend), metrics, clock);
}

}  // namespace headgate::engine
