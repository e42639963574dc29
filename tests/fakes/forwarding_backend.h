// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Another backend, call by call: for tests that watch or spoil a few of the calls.
//
// Thread-safety: the inner backend's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/backend/backend.h"

namespace headgate::engine {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  const BackendInfo& info() const override { return inner_->info(); }
  std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special) const override {
    return inner_->Tokenize(text, add_special, parse_special);
  }
  std::string Piece(Token token) const override { return inner_->Piece(token); }
  bool IsEndOfGeneration(Token token) const override { return inner_->IsEndOfGeneration(token); }
  absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const override {
    return inner_->RenderChat(request);
  }
  absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::Sampling& sampling,
                                                       const std::string& grammar) const override {
    return inner_->MakeSampler(sampling, grammar);
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
  absl::StatusOr<std::shared_ptr<const Adapter>> LoadAdapter(const std::string& name,
                                                             const std::string& file) override {
    return inner_->LoadAdapter(name, file);
  }
  void UseAdapter(const Adapter* adapter) override { inner_->UseAdapter(adapter); }
  absl::StatusOr<std::vector<uint8_t>> SaveState(int32_t sequence, size_t bytes_max) override {
    return inner_->SaveState(sequence, bytes_max);
  }
  absl::Status RestoreState(int32_t sequence, absl::Span<const uint8_t> state) override {
    return inner_->RestoreState(sequence, state);
  }

 protected:
  Backend& inner() const { return *inner_; }

 private:
  const std::unique_ptr<Backend> inner_;
};

}  // namespace headgate::engine
