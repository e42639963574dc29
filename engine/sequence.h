// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Sequence: one request from its acceptance to its end: its tokens, how many of them the KV cache holds, the text that
// became certain, and the end. A request that lost its KV (preempted) starts again at 0 computed tokens and continues
// exactly where it was: the sampler and the text stay.
//
// Thread-safety: Cancel and cancelled from any thread; the rest is for whoever holds it (queue, then decode thread).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/digest.h"
#include "engine/backend/backend.h"
#include "engine/engine.h"
#include "engine/prompt_lookup.h"
#include "engine/stop_matcher.h"
#include "engine/utf8_joiner.h"

namespace headgate::engine {

struct SequenceOptions {
  uint64_t request = 0;                // grows with each request: the order of arrival too
  v1::Priority priority = v1::PRIORITY_NORMAL;
  std::string tenant;                  // shares fairly with others; its cached prefixes are its own
  std::string cache_key;               // prefixes are shared among equal ones
  MonotonicTime submitted;
  MonotonicTime deadline = absl::InfiniteDuration();
  std::vector<Token> prompt;           // not empty
  int32_t max_tokens = 1;
  std::vector<std::string> stops;
  std::vector<Token> stop_tokens;
  std::optional<int32_t> logprobs;     // wanted, with so many of the likeliest tokens
  int32_t choice = 0;                  // which of the request's answers
  std::optional<RenderedChat> chat;    // none for raw completions
  bool parsed = false;                 // what chat->parser reads goes out, not the text
  std::shared_ptr<const Adapter> adapter;  // none = the model alone
  bool prompt_lookup = false;
  std::unique_ptr<Sampler> sampler;
  std::shared_ptr<AnswerEvents> events;

  // All but sampler and events.
  SequenceOptions Copy() const;
};

// What a preempted sequence held, in host memory; counted in `bytes_used` while it lives.
class SwappedState {
 public:
  SwappedState(std::vector<uint8_t> bytes, int32_t tokens, std::shared_ptr<std::atomic<int64_t>> bytes_used)
      : bytes_(std::move(bytes)), tokens_(tokens), bytes_used_(std::move(bytes_used)) {
    *bytes_used_ += static_cast<int64_t>(bytes_.size());
  }
  ~SwappedState() { *bytes_used_ -= static_cast<int64_t>(bytes_.size()); }
  SwappedState(const SwappedState&) = delete;
  SwappedState& operator=(const SwappedState&) = delete;
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  int32_t tokens() const { return tokens_; }

 private:
  const std::vector<uint8_t> bytes_;
  const int32_t tokens_;
  const std::shared_ptr<std::atomic<int64_t>> bytes_used_;
};

class Sequence {
 public:
  // `backend` must outlive it.
  Sequence(SequenceOptions options, const Backend& backend);
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  uint64_t request() const { return options_.request; }
  v1::Priority priority() const { return options_.priority; }
  MonotonicTime submitted() const { return options_.submitted; }
  MonotonicTime deadline() const { return options_.deadline; }
  int32_t prompt_tokens() const { return prompt_tokens_; }
  int32_t answer_tokens() const { return size() - prompt_tokens_; }
  int32_t max_tokens() const { return options_.max_tokens; }
  const std::string& tenant() const { return options_.tenant; }
  const std::string& cache_key() const { return options_.cache_key; }
  const Adapter* adapter() const { return options_.adapter.get(); }
  // KV cells it needs at most.
  int32_t cells_most() const { return prompt_tokens_ + options_.max_tokens; }

  // All tokens, the answer's included; the first computed() of them are in the KV cache.
  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  Token token(int32_t position) const { return tokens_[static_cast<size_t>(position)]; }
  absl::Span<const Token> tokens() const { return tokens_; }
  int32_t computed() const { return computed_; }
  void SetComputed(int32_t computed) { computed_ = computed; }
  int32_t left() const { return size() - computed_; }
  // Only the answer's newest token is not computed.
  bool decoding() const { return left() == 1 && answer_tokens() > 0; }

  // Tokens that may follow the newest, at most `most`; empty where it guesses nothing (prompt_lookup.h).
  std::vector<Token> Draft(int32_t most);
  // REQUIRES: it drafted.
  PromptLookup& lookup() { return *lookup_; }

  // The next token by its sampler from an output row. Sends on the text that is certain. True when the answer is
  // complete; SendFinish is due then.
  bool Advance(int32_t row_index);
  std::optional<v1::FinishReason> finish() const { return finish_; }
  // The end event; `random` names tool calls that the format left without an id.
  v1::FinishReason SendFinish(const RandomBytes& random);
  void SendError(absl::Status status);

  // From any thread: marks it; the decode thread frees it. `now` for the time it took.
  void Cancel(MonotonicTime now);
  bool cancelled() const { return cancelled_ns_.load(std::memory_order_acquire) != 0; }
  MonotonicTime cancelled_at() const { return absl::Nanoseconds(cancelled_ns_.load()); }

  std::unique_ptr<SwappedState> swapped;  // while it waits after a preemption

  // For metrics and usage, set by the decode loop.
  int32_t tenant_index = 0;
  int32_t cached_tokens = 0;
  std::optional<MonotonicTime> admitted;
  std::optional<MonotonicTime> first_token;
  MonotonicTime last_token;

 private:
  void Send(std::string text);
  void SendCertain();
  void SendDelta(v1::Delta delta);
  void Note(int32_t row_index, Token token);
  v1::Finish ParseAndSend(const RandomBytes& random);
  int32_t TokensWithin(const std::string& part) const;

  SequenceOptions options_;
  const Backend& backend_;
  const int32_t prompt_tokens_;
  std::vector<Token> tokens_;
  int32_t computed_ = 0;
  int32_t sampled_ = 0;        // answer tokens, an end token included
  Utf8Joiner joiner_;
  StopMatcher stop_matcher_;
  std::optional<PromptLookup> lookup_;
  std::string text_;           // whole, when options_.parsed; the next three too
  size_t parse_at_ = 0;        // bytes of it
  v1::Message read_;           // by the last parse
  v1::Message sent_;           // reasoning and content that went out
  v1::Delta noted_;            // log-probabilities that wait for the next delta
  std::optional<v1::FinishReason> finish_;
  std::atomic<int64_t> cancelled_ns_{0};
};

}  // namespace headgate::engine
