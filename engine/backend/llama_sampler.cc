// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_sampler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include <chat.h>
#include <common.h>
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/backend/gbnf_literals.h"
#include "engine/backend/llama_json.h"
#include <json.h>
#include <llama.h>
#include <llama-cpp.h>
#include <sampling.h>

namespace headgate::engine {
namespace {

class LlamaSampler final : public Sampler {
 public:
  LlamaSampler(llama_context* context, const LlamaVocab& vocab, common_sampler_ptr sampler)
      : context_(context), vocab_(vocab), sampler_(std::move(sampler)) {}

  Token Sample(int32_t row_index) override {
    // A grammar with no way on throws: end the answer rather than the process.
    try {
      if (llama_get_logits_ith(context_, row_index) == nullptr) {
        HG_LOG(Error, "sample of a row without logits row=", row_index);
        return vocab_.EndOfTurn();
      }
      const Token token = common_sampler_sample(sampler_.get(), context_, row_index);
      common_sampler_accept(sampler_.get(), token, true);
      return token;
    } catch (const std::exception&) {  // what() may quote the grammar, which is the client's
      HG_LOG(Warning, "grammar has no way on, answer ended");
      return vocab_.EndOfTurn();
    }
  }

 private:
  llama_context* context_;
  const LlamaVocab& vocab_;
  common_sampler_ptr sampler_;
};

absl::Status OutOfRange(const char* field) {
  return absl::InvalidArgumentError(absl::StrCat("sampling.", field, ": out of range"));
}

// NaN fails every comparison, so the checks are written as "inside".
absl::Status CheckRanges(const v1::Sampling& s, int32_t vocabulary) {
  const auto inside = [](float value, float low, float high) { return value >= low && value <= high; };
  if (s.has_temperature() && !inside(s.temperature(), 0, 2)) return OutOfRange("temperature");
  if (s.has_top_p() && !(inside(s.top_p(), 0, 1) && s.top_p() > 0)) return OutOfRange("top_p");
  if (s.has_top_k() && (s.top_k() < 0 || s.top_k() > 1000000)) return OutOfRange("top_k");
  if (s.has_min_p() && !inside(s.min_p(), 0, 1)) return OutOfRange("min_p");
  if (s.has_repetition_penalty() &&
      !(inside(s.repetition_penalty(), 0, 10) && std::isfinite(1 / s.repetition_penalty()))) {
    return OutOfRange("repetition_penalty");
  }
  if (s.has_presence_penalty() && !inside(s.presence_penalty(), -2, 2)) return OutOfRange("presence_penalty");
  if (s.has_frequency_penalty() && !inside(s.frequency_penalty(), -2, 2)) return OutOfRange("frequency_penalty");
  for (const auto& [token, bias] : s.logit_bias()) {
    if (token < 0 || token >= vocabulary || !inside(bias, -100, 100)) return OutOfRange("logit_bias");
  }
  return absl::OkStatus();
}

uint32_t FoldSeed(uint64_t seed) {
  const auto folded = static_cast<uint32_t>(seed ^ (seed >> 32));
  return folded == LLAMA_DEFAULT_SEED ? folded - 1 : folded;  // that one value means "random" to libllama
}

void SetNumbers(const v1::Sampling& s, common_params_sampling& params) {
  params.no_perf = true;
  if (s.has_temperature()) params.temp = s.temperature();
  if (s.has_top_p()) params.top_p = s.top_p();
  if (s.has_top_k()) params.top_k = s.top_k();
  if (s.has_min_p()) params.min_p = s.min_p();
  if (s.has_repetition_penalty()) params.penalty_repeat = s.repetition_penalty();
  if (s.has_presence_penalty()) params.penalty_present = s.presence_penalty();
  if (s.has_frequency_penalty()) params.penalty_freq = s.frequency_penalty();
  if (s.has_seed()) params.seed = FoldSeed(s.seed());
  for (const auto& [token, bias] : s.logit_bias()) params.logit_bias.push_back({token, bias});
  const bool penalties = params.penalty_repeat != 1 || params.penalty_present != 0 || params.penalty_freq != 0;
  params.samplers.clear();
  if (penalties) params.samplers.push_back(COMMON_SAMPLER_TYPE_PENALTIES);
  if (params.temp > 0) {
    params.samplers.insert(params.samplers.end(), {COMMON_SAMPLER_TYPE_TOP_K, COMMON_SAMPLER_TYPE_TOP_P,
                                                   COMMON_SAMPLER_TYPE_MIN_P});
  } else {  // the best token alone: without this the chain's end weighs the whole vocabulary, 4 % of a decode step
    params.top_k = 1;
    params.samplers.push_back(COMMON_SAMPLER_TYPE_TOP_K);
  }
  params.samplers.push_back(COMMON_SAMPLER_TYPE_TEMPERATURE);
}

llama_tokens Tokens(const LlamaVocab& vocab, const std::string& text) { return vocab.Tokenize(text, false, true); }

// A trigger word that is one token of the vocabulary triggers by its id: its text may never appear in an answer.
void SetTriggers(const LlamaVocab& vocab, const common_json& spec, common_params_sampling& params) {
  for (const auto& text : spec.at("preserved").get<std::vector<std::string>>()) {
    const llama_tokens ids = Tokens(vocab, text);
    if (ids.size() == 1) params.preserved_tokens.insert(ids[0]);
  }
  const common_json& triggers = spec.at("triggers");
  for (size_t i = 0; i < triggers.size(); ++i) {
    common_grammar_trigger trigger;
    trigger.type = static_cast<common_grammar_trigger_type>(triggers.at(i).at("type").get<int>());
    trigger.value = triggers.at(i).at("value").get<std::string>();
    trigger.token = triggers.at(i).at("token").get<int>();
    if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
      const llama_tokens ids = Tokens(vocab, trigger.value);
      if (ids.size() == 1 && params.preserved_tokens.count(ids[0]) > 0) {
        trigger.type = COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN;
        trigger.token = ids[0];
      }
    }
    params.grammar_triggers.push_back(std::move(trigger));
  }
}

void SetGrammar(const LlamaVocab& vocab, const std::string& grammar, common_params_sampling& params) {
  if (grammar.empty()) return;
  if (grammar.front() != '{') {  // GBNF never begins with a brace
    params.grammar = common_grammar(COMMON_GRAMMAR_TYPE_USER, FactorLiterals(grammar));
    return;
  }
  const common_json spec = common_json::parse(grammar);
  params.grammar = common_grammar(COMMON_GRAMMAR_TYPE_TOOL_CALLS,
                                  FactorLiterals(spec.at("gbnf").get<std::string>()));
  params.grammar_lazy = spec.at("lazy").get<bool>();
  params.generation_prompt = spec.at("generation_prompt").get<std::string>();
  SetTriggers(vocab, spec, params);
  const auto start = spec.at("thinking_start").get<std::string>();
  if (params.grammar_lazy && !start.empty()) {  // no tool call is triggered inside thinking text
    params.reasoning_budget_start = Tokens(vocab, start);
    for (const auto& end : spec.at("thinking_ends").get<std::vector<std::string>>()) {
      params.reasoning_budget_end.push_back(Tokens(vocab, end));
    }
  }
}

// common_sampler_init loses its chain when a grammar does not parse: a client could make the engine grow.
bool GrammarParses(const llama_model* model, const common_params_sampling& params) {
  const std::string& grammar = common_grammar_value(params.grammar);
  if (grammar.empty()) return true;
  const llama_sampler_ptr alone(llama_sampler_init_grammar(llama_model_get_vocab(model), grammar.c_str(), "root"));
  return alone != nullptr;
}

}  // namespace

std::string EncodeGrammar(const common_chat_params& chat) {
  if (chat.grammar.empty()) return "";
  common_json triggers = common_json::array();
  for (const common_grammar_trigger& trigger : chat.grammar_triggers) {
    triggers.push_back({{"type", static_cast<int>(trigger.type)}, {"value", trigger.value}, {"token", trigger.token}});
  }
  common_json spec = common_json::object();
  spec["gbnf"] = chat.grammar;
  spec["lazy"] = chat.grammar_lazy;
  spec["generation_prompt"] = chat.generation_prompt;
  spec["triggers"] = triggers;
  spec["preserved"] = chat.preserved_tokens;
  spec["thinking_start"] = chat.thinking_start_tag;
  spec["thinking_ends"] = chat.thinking_end_tags;
  return spec.dump();
}

Likelihood LlamaLikelihood(llama_context* context, int32_t row_index, Token chosen, int32_t top) {
  Likelihood likelihood;
  const float* const logits = llama_get_logits_ith(context, row_index);
  const int32_t size = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)));
  if (logits == nullptr || chosen < 0 || chosen >= size) return likelihood;
  const float best = *std::max_element(logits, logits + size);
  double sum = 0;
  for (int32_t i = 0; i < size; ++i) sum += std::exp(static_cast<double>(logits[i] - best));
  const auto logprob = [&](Token token) { return static_cast<float>(logits[token] - best - std::log(sum)); };
  likelihood.chosen = logprob(chosen);
  std::vector<Token> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min(top, size);
  std::partial_sort(order.begin(), end, order.end(), [&](Token a, Token b) { return logits[a] > logits[b]; });
  for (auto at = order.begin(); at != end; ++at) likelihood.top.emplace_back(*at, logprob(*at));
  return likelihood;
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeLlamaSampler(llama_context* context, const LlamaVocab& vocab,
                                                          const v1::Sampling& sampling, const std::string& grammar) {
  RETURN_IF_ERROR(CheckRanges(sampling, vocab.size()));
  if (!grammar.empty() && grammar.front() != '{') RETURN_IF_ERROR(CheckGbnf(grammar));
  try {
    common_params_sampling params;
    SetNumbers(sampling, params);
    SetGrammar(vocab, grammar, params);
    const llama_model* const model = llama_get_model(context);
    common_sampler_ptr sampler(GrammarParses(model, params) ? common_sampler_init(model, params) : nullptr);
    if (sampler == nullptr && !grammar.empty()) {
      return absl::InvalidArgumentError("response_format or tools: the grammar is not supported");
    }
    if (sampler == nullptr) return absl::InvalidArgumentError("sampling: not accepted by the model");
    return std::make_unique<LlamaSampler>(context, vocab, std::move(sampler));
  } catch (const std::exception&) {  // what() may quote the grammar
    return absl::InvalidArgumentError(grammar.empty()
                                          ? "sampling: not accepted by the model"
                                          : "response_format or tools: the schema's grammar is not supported");
  }
}

}  // namespace headgate::engine
