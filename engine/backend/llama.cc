// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/backend/cores.h"
#include "engine/backend/llama_adapters.h"
#include "engine/backend/llama_chat.h"
#include "engine/backend/llama_embedder.h"
#include "engine/backend/llama_file.h"
#include "engine/backend/llama_log.h"
#include "engine/backend/llama_sampler.h"
#include "engine/backend/llama_vocab.h"
#include "engine/backend/thread_count.h"
#include <llama.h>

namespace headgate::engine {
namespace {

// A llama_batch of fixed room.
class Batch {
 public:
  explicit Batch(int32_t rows_max) : batch_(llama_batch_init(rows_max, 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  const llama_batch& Fill(absl::Span<const BatchRow> rows) {
    batch_.n_tokens = static_cast<int32_t>(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      batch_.token[i] = rows[i].token;
      batch_.pos[i] = rows[i].position;
      batch_.n_seq_id[i] = 1;
      batch_.seq_id[i][0] = rows[i].sequence;
      batch_.logits[i] = rows[i].output ? 1 : 0;
    }
    return batch_;
  }

 private:
  llama_batch batch_;
};

// Swaps what sequences 0 and 1 remember, once per pair of sequences and after both prompts: the deliberate error of
// LlamaConfig::swap_cells.
class CellSwap {
 public:
  explicit CellSwap(int32_t spare_sequence) : spare_(spare_sequence) {}

  void BeforeDecode(llama_memory_t memory, absl::Span<const BatchRow> rows) {
    const int32_t shared = std::min(llama_memory_seq_pos_max(memory, 0), llama_memory_seq_pos_max(memory, 1)) + 1;
    if (shared == 0) done_ = false;
    if (done_ || shared == 0 || !Answers(rows, 0) || !Answers(rows, 1)) return;
    done_ = true;
    Move(memory, 0, spare_, shared);
    Move(memory, 1, 0, shared);
    Move(memory, spare_, 1, shared);
  }

 private:
  static bool Answers(absl::Span<const BatchRow> rows, int32_t sequence) {
    return std::any_of(rows.begin(), rows.end(), [&](const BatchRow& r) { return r.sequence == sequence && r.output; });
  }
  static void Move(llama_memory_t memory, int32_t from, int32_t to, int32_t positions) {
    llama_memory_seq_cp(memory, from, to, 0, positions);
    llama_memory_seq_rm(memory, from, 0, positions);
  }

  int32_t spare_;
  bool done_ = false;
};

class LlamaBackend final : public Backend {
 public:
  LlamaBackend(LlamaModel model, const LlamaConfig& config)
      : model_(std::move(model)),
        adapters_(model_.get(), config.model_key),
        vocab_(llama_model_get_vocab(model_.get())),
        config_(config) {}

  absl::Status Open();

  const BackendInfo& info() const override { return info_; }
  std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special) const override {
    return vocab_.Tokenize(text, add_special, parse_special);
  }
  std::string Piece(Token token) const override { return vocab_.Piece(token); }
  bool IsEndOfGeneration(Token token) const override { return vocab_.IsEndOfGeneration(token); }
  absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const override {
    return chat_->Render(request);
  }
  absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::Sampling& sampling,
                                                       const std::string& grammar) const override {
    return MakeLlamaSampler(context_.get(), vocab_, sampling, grammar);
  }
  absl::Status Decode(absl::Span<const BatchRow> rows) override;
  Likelihood LikelihoodOf(int32_t row_index, Token chosen, int32_t top) const override {
    return LlamaLikelihood(context_.get(), row_index, chosen, top);
  }
  absl::StatusOr<std::vector<float>> Embed(absl::Span<const Token> tokens) override { return embedder_->Embed(tokens); }
  void SetAbortCheck(std::function<bool()> check) override { abort_check_ = std::move(check); }
  void Truncate(int32_t sequence, int32_t from) override;
  void Share(int32_t source, int32_t target, int32_t from, int32_t to) override {
    llama_memory_seq_cp(memory_, source, target, from, to);
  }
  int32_t Length(int32_t sequence) const override { return llama_memory_seq_pos_max(memory_, sequence) + 1; }
  absl::StatusOr<std::shared_ptr<const Adapter>> LoadAdapter(const std::string& name, const std::string& file) override;
  void UseAdapter(const Adapter* adapter) override;
  absl::StatusOr<std::vector<uint8_t>> SaveState(int32_t sequence, size_t bytes_max) override;
  absl::Status RestoreState(int32_t sequence, absl::Span<const uint8_t> state) override;

 private:
  llama_context_params ContextParams();
  void CountThreads(double step_seconds);

  LlamaModel model_;
  LlamaAdapters adapters_;  // after the model, before the context
  LlamaVocab vocab_;
  LlamaConfig config_;
  std::unique_ptr<LlamaChat> chat_;
  std::unique_ptr<LlamaEmbedder> embedder_;
  std::function<bool()> abort_check_;
  LlamaContext context_;
  llama_memory_t memory_ = nullptr;
  std::unique_ptr<Batch> batch_;
  std::unique_ptr<CellSwap> swap_;
  int32_t outputs_max_ = 0;
  std::optional<ThreadCount> threads_;
  BackendInfo info_;
};

std::string Metadata(const llama_model* model, const std::string& key) {
  std::array<char, 256> value{};
  return llama_model_meta_val_str(model, key.c_str(), value.data(), value.size()) < 0 ? "" : value.data();
}

std::string ModelName(const llama_model* model, const LlamaConfig& config) {
  if (!config.model_name.empty()) return config.model_name;
  const std::string name = Metadata(model, "general.name");
  return name.empty() ? std::filesystem::path(config.model_path).stem().string() : name;
}

constexpr int32_t kSequenceIdsMax = 256;  // LLAMA_MAX_SEQ

int32_t Sequences(const LlamaConfig& config) {
  return config.sequences_max + config.cache_sequences + (config.swap_cells ? 1 : 0);
}

// Recurrent state belongs to a whole sequence, and a sliding window forgets the head of a prefix.
bool CanSharePrefixes(const llama_model* model) {
  return !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model) && llama_model_n_swa(model) == 0;
}

// Recurrent state cannot forget a part of what it saw.
bool CanRewind(const llama_model* model) { return !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model); }

ggml_type GgmlType(KvType type) {
  switch (type) {
    case KvType::kQ8: return GGML_TYPE_Q8_0;
    case KvType::kQ4: return GGML_TYPE_Q4_0;
    default: return GGML_TYPE_F16;
  }
}

llama_context_params LlamaBackend::ContextParams() {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(config_.context_tokens);
  params.n_batch = static_cast<uint32_t>(config_.batch_tokens_max);
  params.n_ubatch = params.n_batch;
  params.n_seq_max = static_cast<uint32_t>(Sequences(config_));
  // One output per sequence and step, and guesses: without this bound the graph reserves logits for every row of a
  // batch. Fewer than n_seq_max ends the process.
  params.n_outputs_max = std::max(params.n_seq_max, std::min(params.n_batch, params.n_seq_max +
                                                             static_cast<uint32_t>(config_.draft_rows)));
  params.type_k = params.type_v = GgmlType(config_.kv_type);
  outputs_max_ = static_cast<int32_t>(params.n_outputs_max);
  params.n_threads = config_.threads > 0 ? config_.threads : UsableCores();
  params.n_threads_batch = params.n_threads;
  // Quantised values cannot do without.
  params.flash_attn_type = config_.kv_type == KvType::kF16 ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.kv_unified = true;
  params.no_perf = true;
  params.abort_callback = [](void* data) {
    const auto& check = static_cast<LlamaBackend*>(data)->abort_check_;
    return check && check();
  };
  params.abort_callback_data = this;
  return params;
}

absl::Status LlamaBackend::Open() {
  const std::string& path = config_.model_path;
  const std::string architecture = Metadata(model_.get(), "general.architecture");
  if (!llama_model_has_decoder(model_.get()) || llama_model_has_encoder(model_.get()) ||
      Metadata(model_.get(), architecture + ".attention.causal") == "false" || vocab_.size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a text generation model (", architecture, ")"));
  }
  auto chat = LlamaChat::Make(model_.get(), vocab_, config_.chat_template);
  if (!chat.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", chat.status().message()));
  chat_ = *std::move(chat);
  vocab_.SpellInAnswers(chat_->TokensOfAnswers());

  if (!CanSharePrefixes(model_.get())) config_.cache_sequences = 0;
  config_.cache_sequences = std::min(config_.cache_sequences, kSequenceIdsMax - (Sequences(config_) -
                                                                                 config_.cache_sequences));
  const llama_context_params params = ContextParams();
  context_.reset(llama_init_from_model(model_.get(), params));
  if (context_ == nullptr) return absl::InternalError(absl::StrCat(path, ": no context, see the log at debug level"));
  memory_ = llama_get_memory(context_.get());
  if (memory_ == nullptr) return absl::InvalidArgumentError(absl::StrCat(path, ": the model keeps no context"));

  info_.model = ModelName(model_.get(), config_);
  info_.context_tokens = static_cast<int32_t>(llama_n_ctx(context_.get()));
  info_.context_tokens_per_sequence_max =
      std::min<int32_t>(static_cast<int32_t>(llama_n_ctx_seq(context_.get())), llama_model_n_ctx_train(model_.get()));
  info_.batch_tokens_max = static_cast<int32_t>(llama_n_batch(context_.get()));
  info_.sequences_max = config_.sequences_max;
  info_.cache_sequences = config_.cache_sequences;
  info_.vocabulary = vocab_.size();
  info_.token_bytes_max = vocab_.token_bytes_max();
  info_.outputs_max = outputs_max_;
  info_.rewinds = CanRewind(model_.get());
  info_.embedding_tokens_max = std::min(config_.embedding_tokens, llama_model_n_ctx_train(model_.get()));
  threads_.emplace(params.n_threads);
  embedder_ = std::make_unique<LlamaEmbedder>(model_.get(), info_.embedding_tokens_max);
  batch_ = std::make_unique<Batch>(info_.batch_tokens_max);
  if (config_.swap_cells) swap_ = std::make_unique<CellSwap>(Sequences(config_) - 1);
  HG_LOG(Info, "model loaded name=", info_.model, " context_tokens=", info_.context_tokens,
         " batch_tokens_max=", info_.batch_tokens_max, " sequences_max=", info_.sequences_max,
         " threads=", params.n_threads);
  return absl::OkStatus();
}

absl::Status LlamaBackend::Decode(absl::Span<const BatchRow> rows) {
  const auto outputs = std::count_if(rows.begin(), rows.end(), [](const BatchRow& row) { return row.output; });
  // libllama ends the process on either.
  if (rows.empty() || rows.size() > static_cast<size_t>(info_.batch_tokens_max) || outputs > outputs_max_) {
    return absl::InternalError(absl::StrCat("batch of ", rows.size(), " rows, ", outputs, " outputs: outside limits"));
  }
  if (swap_ != nullptr) swap_->BeforeDecode(memory_, rows);
  const MonotonicTime start = RealTime().Monotonic();
  const int32_t code = llama_decode(context_.get(), batch_->Fill(rows));
  CountThreads(absl::ToDoubleSeconds(RealTime().Monotonic() - start));
  switch (code) {
    case 0: return absl::OkStatus();
    case 1: return absl::ResourceExhaustedError("no KV room for the batch");
    case 2: return absl::AbortedError("decode given up");
    default: return absl::InternalError(absl::StrCat("llama_decode: ", code));
  }
}

void LlamaBackend::CountThreads(double step_seconds) {
  if (!threads_->Ran(step_seconds)) return;
  const auto times = CpuTimesOfThread();
  if (!times) return;
  const int32_t threads = threads_->Look(*times);
  if (threads == llama_n_threads(context_.get())) return;
  HG_LOG(Debug, "cores are shared with other processes: threads=", threads);
  llama_set_n_threads(context_.get(), threads, threads);
}

absl::StatusOr<std::shared_ptr<const Adapter>> LlamaBackend::LoadAdapter(const std::string& name,
                                                                         const std::string& file) {
  return adapters_.Load(name, file);
}

void LlamaBackend::UseAdapter(const Adapter* adapter) { adapters_.Use(context_.get(), adapter); }

absl::StatusOr<std::vector<uint8_t>> LlamaBackend::SaveState(int32_t sequence, size_t bytes_max) {
  const size_t bytes = llama_state_seq_get_size(context_.get(), sequence);
  if (bytes > bytes_max) return absl::ResourceExhaustedError("the state is larger than allowed");
  std::vector<uint8_t> state(bytes);
  const size_t written = llama_state_seq_get_data(context_.get(), state.data(), state.size(), sequence);
  if (written == 0) return absl::InternalError("llama_state_seq_get_data failed");
  state.resize(written);
  return state;
}

absl::Status LlamaBackend::RestoreState(int32_t sequence, absl::Span<const uint8_t> state) {
  if (llama_state_seq_set_data(context_.get(), state.data(), state.size(), sequence) != 0) return absl::OkStatus();
  llama_memory_seq_rm(memory_, sequence, -1, -1);
  return absl::ResourceExhaustedError("no KV room for the state");
}

void LlamaBackend::Truncate(int32_t sequence, int32_t from) {
  if (!llama_memory_seq_rm(memory_, sequence, from, -1)) {
    // Recurrent models cannot forget a part; the engine only relies on whole removal for them.
    HG_LOG(Warning, "cannot remove a part of a sequence sequence=", sequence, " from=", from);
  }
}

absl::Status CheckConfig(const LlamaConfig& config) {
  if (config.sequences_max < 1 || config.sequences_max + (config.swap_cells ? 1 : 0) > kSequenceIdsMax) {
    return absl::InvalidArgumentError("sequences_max: outside 1..256");
  }
  if (config.cache_sequences < 0) return absl::InvalidArgumentError("cache_sequences: below 0");
  if (config.draft_rows < 0 || config.draft_rows > 1024) {
    return absl::InvalidArgumentError("draft_rows: outside 0..1024");
  }
  if (config.embedding_tokens < 0) return absl::InvalidArgumentError("embedding_tokens: below 0");
  if (config.batch_tokens_max < 1) return absl::InvalidArgumentError("batch_tokens_max: below 1");
  if (config.context_tokens < 1) return absl::InvalidArgumentError("context_tokens: below 1");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> MakeLlamaBackend(const LlamaConfig& config) {
  RETURN_IF_ERROR(CheckConfig(config));
  RETURN_IF_ERROR(CheckModelFile(config.model_path));
  InitLlama();
  const LlamaLoadLog log;
  try {
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = config.gpu_layers;
    ASSIGN_OR_RETURN(LlamaModel model, LoadLlamaModel(config.model_path, config.model_key, params));
    auto backend = std::make_unique<LlamaBackend>(std::move(model), config);
    RETURN_IF_ERROR(backend->Open());
    return backend;
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(config.model_path, ": ", error.what()));
  }
}

}  // namespace headgate::engine
