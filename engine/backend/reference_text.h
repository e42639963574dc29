// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The reference backend's vocabulary and chat format: control tokens, the 256 single bytes, and small words, so that
// answers are readable and characters still come in several tokens.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"

namespace headgate::engine::reference {

enum Control : Token {
  kEnd = 0,
  kBegin = 1,
  kSystem = 2,
  kUser = 3,
  kAssistant = 4,
  kTool = 5,
  kTools = 6,   // the list of tools follows
  kControls = 8,
};
constexpr Token kFirstByte = kControls;
constexpr Token kFirstWord = kFirstByte + 256;

constexpr int32_t kTokenBytesMax = 8;  // of text
int32_t VocabularySize();
// The word ` forever`: a prompt that has it gets an answer that does not end by itself.
Token ForeverToken();
// Characters of several bytes that the model writes byte by byte.
const std::vector<std::string>& LongCharacters();

std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special);
std::string Piece(Token token);

// Answers: `<think>TEXT</think>` is reasoning, `<call>NAME ARGUMENTS</call>` a tool call, the rest is content.
absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request);

}  // namespace headgate::engine::reference
