// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The model's chat template (Jinja) over a request, and the template's format read back from an answer.
//
// Thread-safety: Render from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"
#include "engine/backend/llama_vocab.h"

struct common_chat_templates;
struct llama_model;

namespace headgate::engine {

class LlamaChat {
 public:
  // `own_template`: Jinja text instead of the model's; empty = the model's, or ChatML and a warning when it has none.
  // `vocab` must outlive the result. INVALID_ARGUMENT when the template does not parse.
  static absl::StatusOr<std::unique_ptr<LlamaChat>> Make(const llama_model* model, const LlamaVocab& vocab,
                                                         const std::string& own_template);

  absl::StatusOr<RenderedChat> Render(const v1::GenerateRequest& request) const;
  // Control tokens whose text the parser of an answer needs.
  std::vector<std::string> TokensOfAnswers() const;

 private:
  LlamaChat(std::shared_ptr<common_chat_templates> templates, const LlamaVocab& vocab)
      : templates_(std::move(templates)), vocab_(vocab) {}

  absl::StatusOr<RenderedChat> RenderMessages(const v1::GenerateRequest& request) const;

  std::shared_ptr<common_chat_templates> templates_;
  const LlamaVocab& vocab_;
};

}  // namespace headgate::engine
