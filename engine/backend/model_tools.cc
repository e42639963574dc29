// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/model_tools.h"

#include <gguf.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "engine/backend/cores.h"
#include "engine/backend/llama_file.h"
#include "engine/backend/llama_log.h"
#include "engine/encrypted_model.h"
#include "engine/model_store.h"

namespace headgate::engine {
namespace {

constexpr size_t kMetadataBytesMax = 120;
constexpr int32_t kWindow = 1024;      // tokens of context for the perplexity
constexpr int32_t kBatch = 256;
constexpr int32_t kDecodeTokens = 48;  // timed one by one
constexpr size_t kTextTokensMax = 65536;

const std::pair<const char*, llama_ftype> kTypes[] = {
    {"F32", LLAMA_FTYPE_ALL_F32},          {"F16", LLAMA_FTYPE_MOSTLY_F16},       {"BF16", LLAMA_FTYPE_MOSTLY_BF16},
    {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},     {"Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K},     {"Q5_K_M", LLAMA_FTYPE_MOSTLY_Q5_K_M},
    {"Q5_K_S", LLAMA_FTYPE_MOSTLY_Q5_K_S}, {"Q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},     {"Q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M}, {"Q4_K_S", LLAMA_FTYPE_MOSTLY_Q4_K_S}, {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},
    {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},     {"Q3_K_M", LLAMA_FTYPE_MOSTLY_Q3_K_M}, {"Q3_K_S", LLAMA_FTYPE_MOSTLY_Q3_K_S},
    {"Q2_K", LLAMA_FTYPE_MOSTLY_Q2_K},
};

std::string Cut(std::string text) {
  if (text.size() > kMetadataBytesMax) text = text.substr(0, kMetadataBytesMax) + "...";
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

// Empty for lists.
std::string Value(const gguf_context* gguf, int64_t key) {
  switch (gguf_get_kv_type(gguf, key)) {
    case GGUF_TYPE_UINT8: return absl::StrCat(static_cast<int>(gguf_get_val_u8(gguf, key)));
    case GGUF_TYPE_INT8: return absl::StrCat(static_cast<int>(gguf_get_val_i8(gguf, key)));
    case GGUF_TYPE_UINT16: return absl::StrCat(gguf_get_val_u16(gguf, key));
    case GGUF_TYPE_INT16: return absl::StrCat(gguf_get_val_i16(gguf, key));
    case GGUF_TYPE_UINT32: return absl::StrCat(gguf_get_val_u32(gguf, key));
    case GGUF_TYPE_INT32: return absl::StrCat(gguf_get_val_i32(gguf, key));
    case GGUF_TYPE_UINT64: return absl::StrCat(gguf_get_val_u64(gguf, key));
    case GGUF_TYPE_INT64: return absl::StrCat(gguf_get_val_i64(gguf, key));
    case GGUF_TYPE_FLOAT32: return absl::StrCat(gguf_get_val_f32(gguf, key));
    case GGUF_TYPE_FLOAT64: return absl::StrCat(gguf_get_val_f64(gguf, key));
    case GGUF_TYPE_BOOL: return gguf_get_val_bool(gguf, key) ? "true" : "false";
    case GGUF_TYPE_STRING: return Cut(gguf_get_val_str(gguf, key));
    default: return "";
  }
}

struct FreeGguf {
  void operator()(gguf_context* context) const { gguf_free(context); }
};

// The text's tokens in windows: the sum of -ln p of each token but a window's first, and their number.
class Evaluation {
 public:
  Evaluation(llama_model* model, LlamaContext context)
      : vocab_(llama_model_get_vocab(model)), context_(std::move(context)), batch_(llama_batch_init(kBatch, 0, 1)) {}
  ~Evaluation() { llama_batch_free(batch_); }
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

  std::vector<llama_token> Tokens(const std::string& text) const {
    std::vector<llama_token> tokens(text.size() + 8);
    const int32_t count = llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                                         static_cast<int32_t>(tokens.size()), true, false);
    tokens.resize(static_cast<size_t>(std::max(count, 0)));
    return tokens;
  }
  absl::Status Perplexity(const std::vector<llama_token>& tokens, ModelFigures& figures) {
    double sum = 0;
    int64_t judged = 0;
    absl::Duration took;
    for (size_t begin = 0; begin + 1 < tokens.size(); begin += kWindow) {
      llama_memory_clear(llama_get_memory(context_.get()), false);
      const size_t end = std::min(tokens.size(), begin + kWindow);
      for (size_t at = begin; at < end; at += kBatch) {
        const auto rows = static_cast<int32_t>(std::min<size_t>(kBatch, end - at));
        const MonotonicTime start = RealTime().Monotonic();
        RETURN_IF_ERROR(Decode(&tokens[at], rows, static_cast<int32_t>(at - begin), /*outputs=*/true));
        took += RealTime().Monotonic() - start;
        for (int32_t i = 0; i < rows && at + static_cast<size_t>(i) + 1 < end; ++i) {
          sum -= LogProbability(i, tokens[at + static_cast<size_t>(i) + 1]);
          ++judged;
        }
      }
    }
    figures.tokens = static_cast<int64_t>(tokens.size());
    figures.perplexity = std::exp(sum / static_cast<double>(std::max<int64_t>(judged, 1)));
    figures.prefill_tokens_per_second = static_cast<double>(tokens.size()) / absl::ToDoubleSeconds(took);
    return std::isfinite(figures.perplexity) ? absl::OkStatus()
                                             : absl::InternalError("the model's scores are no numbers");
  }
  absl::Status TimeDecode(const std::vector<llama_token>& tokens, ModelFigures& figures) {
    llama_memory_clear(llama_get_memory(context_.get()), false);
    const auto count = std::min<int32_t>(kDecodeTokens, static_cast<int32_t>(tokens.size()));
    const MonotonicTime start = RealTime().Monotonic();
    for (int32_t i = 0; i < count; ++i) RETURN_IF_ERROR(Decode(&tokens[static_cast<size_t>(i)], 1, i, true));
    figures.decode_tokens_per_second = count / absl::ToDoubleSeconds(RealTime().Monotonic() - start);
    return absl::OkStatus();
  }

 private:
  absl::Status Decode(const llama_token* tokens, int32_t rows, int32_t position, bool outputs) {
    batch_.n_tokens = rows;
    for (int32_t i = 0; i < rows; ++i) {
      batch_.token[i] = tokens[i];
      batch_.pos[i] = position + i;
      batch_.n_seq_id[i] = 1;
      batch_.seq_id[i][0] = 0;
      batch_.logits[i] = outputs ? 1 : 0;
    }
    const int32_t code = llama_decode(context_.get(), batch_);
    return code == 0 ? absl::OkStatus() : absl::InternalError(absl::StrCat("llama_decode: ", code));
  }
  double LogProbability(int32_t row, llama_token token) const {
    const float* const logits = llama_get_logits_ith(context_.get(), row);
    const int32_t size = llama_vocab_n_tokens(vocab_);
    const double best = *std::max_element(logits, logits + size);
    double sum = 0;
    for (int32_t i = 0; i < size; ++i) sum += std::exp(logits[i] - best);
    return logits[token] - best - std::log(sum);
  }

  const llama_vocab* vocab_;
  LlamaContext context_;
  llama_batch batch_;
};

absl::StatusOr<ModelFigures> Evaluate(const std::string& path, const std::string& key, const std::string& text,
                                      int threads) {
  InitLlama();
  const LlamaLoadLog log;
  ASSIGN_OR_RETURN(const LlamaModel model, LoadLlamaModel(path, key, llama_model_default_params()));
  llama_context_params params = llama_context_default_params();
  params.n_ctx = kWindow;
  params.n_batch = kBatch;
  params.n_ubatch = kBatch;
  params.n_threads = threads > 0 ? threads : UsableCores();
  params.n_threads_batch = params.n_threads;
  params.no_perf = true;
  LlamaContext context(llama_init_from_model(model.get(), params));
  if (context == nullptr) return absl::InvalidArgumentError(absl::StrCat(path, ": no context can be made of it"));
  Evaluation evaluation(model.get(), std::move(context));
  std::vector<llama_token> tokens = evaluation.Tokens(text);
  if (tokens.size() < 2) return absl::InvalidArgumentError("the text has too few tokens to judge a model by");
  tokens.resize(std::min(tokens.size(), kTextTokensMax));
  ModelFigures figures;
  std::error_code error;
  figures.bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  RETURN_IF_ERROR(evaluation.TimeDecode(tokens, figures));  // warms up too
  RETURN_IF_ERROR(evaluation.Perplexity(tokens, figures));
  RETURN_IF_ERROR(evaluation.TimeDecode(tokens, figures));
  return figures;
}

absl::Status CheckNew(const std::string& to) {
  std::error_code error;
  return std::filesystem::exists(to, error) ? absl::AlreadyExistsError(absl::StrCat(to, ": exists")) : absl::OkStatus();
}

// Whatever libllama or the file system throws.
absl::Status Guarded(const std::string& path, const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(path, ": ", error.what()));
  }
}

}  // namespace

absl::StatusOr<int> QuantizationOf(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [text, type] : kTypes) {
    if (absl::AsciiStrToUpper(name) == text) return static_cast<int>(type);
    known.emplace_back(text);
  }
  return absl::InvalidArgumentError(absl::StrCat(name, ": unknown type; there are ", absl::StrJoin(known, ", ")));
}

absl::Status QuantizeModel(const std::string& from, const std::string& to, const std::string& type, int threads) {
  ASSIGN_OR_RETURN(const int ftype, QuantizationOf(type));
  RETURN_IF_ERROR(CheckModelFile(from));
  if (IsEncryptedModel(from)) {
    return absl::InvalidArgumentError(
        absl::StrCat(from, ": is encrypted, and libllama writes plain files; quantise first, then encrypt"));
  }
  RETURN_IF_ERROR(CheckNew(to));
  InitLlama();
  const std::string fresh = to + ".new";
  const absl::Status made = Guarded(from, [&] {
    const LlamaLoadLog log;
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.nthread = threads > 0 ? threads : UsableCores();
    params.ftype = static_cast<llama_ftype>(ftype);
    params.allow_requantize = true;
    if (llama_model_quantize(from.c_str(), fresh.c_str(), &params) != 0) {
      return absl::InternalError(absl::StrCat(from, ": cannot be quantised to ", type, ": ", log.LastError()));
    }
    std::filesystem::rename(fresh, to);
    return absl::OkStatus();
  });
  std::error_code error;
  if (!made.ok()) std::filesystem::remove(fresh, error);
  return made;
}

absl::StatusOr<ModelFacts> InspectModel(const std::string& path, const std::string& key) {
  RETURN_IF_ERROR(CheckModelFile(path));
  ModelFacts facts;
  std::error_code error;
  facts.bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  facts.encrypted = IsEncryptedModel(path);
  const absl::Status status = Guarded(path, [&]() -> absl::Status {
    InitLlama();
    const LlamaLoadLog log;
    ASSIGN_OR_RETURN(const ModelStream stream, ModelStream::Open(path, key));
    const std::unique_ptr<gguf_context, FreeGguf> gguf(
        gguf_init_from_file_ptr(stream.file(), {/*no_alloc=*/true, /*ctx=*/nullptr}));
    RETURN_IF_ERROR(stream.status());
    if (gguf == nullptr) return absl::InvalidArgumentError(absl::StrCat(path, ": not a GGUF file, or damaged"));
    facts.tensors = gguf_get_n_tensors(gguf.get());
    for (int64_t i = 0; i < gguf_get_n_kv(gguf.get()); ++i) {
      std::string value = Value(gguf.get(), i);
      if (!value.empty()) facts.metadata.emplace_back(Cut(gguf_get_key(gguf.get(), i)), std::move(value));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return facts;
}

absl::StatusOr<ModelFigures> EvaluateModel(const std::string& path, const std::string& key, const std::string& text,
                                           int threads) {
  RETURN_IF_ERROR(CheckModelFile(path));
  ModelFigures figures;
  RETURN_IF_ERROR(Guarded(path, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(figures, Evaluate(path, key, text, threads));
    return absl::OkStatus();
  }));
  return figures;
}

absl::Status CheckGate(const ModelGate& gate, const ModelFigures& before, const ModelFigures& after) {
  std::vector<std::string> broken;
  // Written so that a figure that is no number breaks its limit.
  const double rise = after.perplexity / before.perplexity - 1;
  if (!(rise <= gate.perplexity_rise_max)) {
    broken.push_back(absl::StrCat("perplexity rises by ", rise, "; at most ", gate.perplexity_rise_max));
  }
  const double size = static_cast<double>(after.bytes) / static_cast<double>(before.bytes);
  if (!(size <= gate.size_ratio_max)) {
    broken.push_back(absl::StrCat("size is ", size, " of before; at most ", gate.size_ratio_max));
  }
  const double speed = after.decode_tokens_per_second / before.decode_tokens_per_second;
  if (!(speed >= gate.decode_ratio_min)) {
    broken.push_back(absl::StrCat("decode speed is ", speed, " of before; at least ", gate.decode_ratio_min));
  }
  if (broken.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the gate is not passed: ", absl::StrJoin(broken, "; ")));
}

absl::Status RunPipeline(const Pipeline& pipeline, PipelineFigures& figures) {
  std::string name = pipeline.name;
  ASSIGN_OR_RETURN(const auto manifest, ReadManifest(pipeline.from));
  if (manifest) {
    RETURN_IF_ERROR(VerifyModel(pipeline.from, *manifest));
    figures.verified = true;
    if (name.empty()) name = manifest->name;
  }
  RETURN_IF_ERROR(QuantizeModel(pipeline.from, pipeline.to, pipeline.type, pipeline.threads));
  std::vector<std::string> made = {pipeline.to};
  const absl::Status status = Guarded(pipeline.to, [&]() -> absl::Status {
    const std::string& text = pipeline.text.empty() ? EvaluationText() : pipeline.text;
    ASSIGN_OR_RETURN(figures.before, EvaluateModel(pipeline.from, "", text, pipeline.threads));
    ASSIGN_OR_RETURN(figures.after, EvaluateModel(pipeline.to, "", text, pipeline.threads));
    RETURN_IF_ERROR(CheckGate(pipeline.gate, figures.before, figures.after));
    const std::string file = std::filesystem::path(pipeline.to).filename().string();
    for (const std::string& folder : pipeline.copies) {
      const std::string copy = (std::filesystem::path(folder) / file).string();
      RETURN_IF_ERROR(CheckNew(copy));
      made.push_back(copy);
      std::filesystem::copy_file(pipeline.to, copy);
    }
    return Promote(pipeline.served, name, made);
  });
  std::error_code error;
  if (!status.ok()) {
    for (const std::string& file : made) std::filesystem::remove(file, error);
  }
  return status;
}

}  // namespace headgate::engine
