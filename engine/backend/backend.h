// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Backend: the model under the scheduler. Two stand behind it: `reference` (a deterministic toy model, exact under any
// batching: the oracle of the scheduler's tests) and `llama` (libllama).
//
// Thread-safety: Tokenize, Piece, RenderChat, MakeSampler and info from any thread; the rest,
// Sampler::Sample included, from the decode thread only. LoadAdapter says its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::engine {

using Token = int32_t;

struct BackendInfo {
  std::string model;              // served name
  int32_t context_tokens = 0;     // KV cells in all, shared by the sequences
  int32_t context_tokens_per_sequence_max = 0;
  int32_t batch_tokens_max = 0;   // rows in one Decode: never exceeded (libllama aborts the process)
  int32_t sequences_max = 0;      // sequence ids 0..sequences_max-1: most in one step
  int32_t cache_sequences = 0;    // further ids after those, for cached prefixes; 0 = the model cannot share any
  int32_t outputs_max = 0;        // output rows in one Decode: never exceeded; 0 = as many as rows
  bool rewinds = false;           // Truncate may remove a part of a sequence
  int32_t vocabulary = 0;
  int32_t token_bytes_max = 0;    // of text, that one token can stand for; 0 = any number
  int32_t embedding_tokens_max = 0;  // in one Embed; 0 = the model makes no embeddings
};

// A LoRA adapter that a backend has loaded. Its memory goes when nobody holds it any more; nobody may hold it longer
// than the backend lives.
struct Adapter {
  std::string name;
  int32_t id = 0;                 // 1.. in the order of loading, never used twice: a new file is a new adapter
};

// One row of a step.
struct BatchRow {
  Token token = 0;
  int32_t position = 0;
  int32_t sequence = 0;
  bool output = false;            // logits wanted
};

// How likely tokens were by the model alone, before anything of the request's sampling. Natural logarithms.
struct Likelihood {
  float chosen = 0;
  std::vector<std::pair<Token, float>> top;  // best first
};

// Chooses tokens for one sequence; keeps penalties, grammar and random state.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // The next token from the logits of output row `row_index` (index into the rows of the last Decode).
  // Accepts it (penalties, grammar) before returning.
  virtual Token Sample(int32_t row_index) = 0;
};

// Reads content, reasoning and tool calls from an answer's text, by the format of the template it answers.
//
// Thread-safety: const.
class AnswerParser {
 public:
  virtual ~AnswerParser() = default;
  // `complete` = false: the text goes on. What may yet turn out to be the begin of a tag or a call is left out then.
  virtual v1::Message Parse(const std::string& text, bool complete) const = 0;
};

struct RenderedChat {
  std::string text;               // special tokens as text; for display and tests only
  // The prompt: what goes into the model. Special tokens are the template's only, never spelled by message text.
  std::vector<Token> tokens;
  std::vector<std::string> stops; // extra stop strings of the template
  std::string grammar;            // opaque, for MakeSampler: response_format and tool_choice; empty = none
  std::shared_ptr<const AnswerParser> parser;
  // The answer's text is its content as it stands. False when the format can hold reasoning or tool calls: only what
  // the parser reads goes out then.
  bool plain = true;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const BackendInfo& info() const = 0;

  // REQUIRES: valid UTF-8. `parse_special`: text such as <|im_end|> becomes its special token; only for rendered
  // templates and never for user text inside them (the template's own job; see chat_template in docs).
  virtual std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special) const = 0;
  // Bytes of one token; may be part of a UTF-8 character; empty for control tokens.
  virtual std::string Piece(Token token) const = 0;
  virtual bool IsEndOfGeneration(Token token) const = 0;

  // The model's own chat template over messages and tools. INVALID_ARGUMENT names the field.
  virtual absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const = 0;

  // INVALID_ARGUMENT when the grammar or a bias does not fit the model.
  virtual absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::Sampling& sampling,
                                                               const std::string& grammar) const = 0;

  // Computes the rows; OK, RESOURCE_EXHAUSTED (no KV room, nothing changed), ABORTED (stopped by the abort check, some
  // rows may have been computed) or INTERNAL. REQUIRES: rows.size() <= batch_tokens_max.
  virtual absl::Status Decode(absl::Span<const BatchRow> rows) = 0;
  // Of output row `row_index` of the last Decode, with the `top` likeliest tokens.
  virtual Likelihood LikelihoodOf(int32_t row_index, Token chosen, int32_t top) const = 0;
  // The mean of the tokens' vectors. Beside Decode, from one thread at a time. REQUIRES: 1..embedding_tokens_max.
  virtual absl::StatusOr<std::vector<float>> Embed(absl::Span<const Token> tokens) = 0;
  // Polled during Decode where the backend can; true = give up.
  virtual void SetAbortCheck(std::function<bool()> check) = 0;
  // Frees positions [from, end) of a sequence.
  virtual void Truncate(int32_t sequence, int32_t from) = 0;
  // Positions [from, to) of `source` belong to `target` too: the same cells, nothing is computed or copied.
  // REQUIRES: target holds exactly `from` positions.
  virtual void Share(int32_t source, int32_t target, int32_t from, int32_t to) = 0;
  // Positions held: 0..n-1 -> n.
  virtual int32_t Length(int32_t sequence) const = 0;

  // From any thread. NOT_FOUND, INVALID_ARGUMENT (no adapter, or for another model), UNIMPLEMENTED.
  virtual absl::StatusOr<std::shared_ptr<const Adapter>> LoadAdapter(const std::string& name, const std::string& file) {
    return absl::UnimplementedError(name + ": this backend takes no adapters (" + file + ")");
  }
  // The adapter of every row from here on; nullptr = none. What was computed under another is of no use to it.
  virtual void UseAdapter(const Adapter* /*adapter*/) {}

  // What the sequence holds, byte by byte as it stands in the cache. RESOURCE_EXHAUSTED above `bytes_max`.
  virtual absl::StatusOr<std::vector<uint8_t>> SaveState(int32_t /*sequence*/, size_t /*bytes_max*/) {
    return absl::UnimplementedError("this backend saves no state");
  }
  // Puts a saved state into an empty sequence. On an error the sequence is empty.
  virtual absl::Status RestoreState(int32_t /*sequence*/, absl::Span<const uint8_t> /*state*/) {
    return absl::UnimplementedError("this backend restores no state");
  }
};

}  // namespace headgate::engine
