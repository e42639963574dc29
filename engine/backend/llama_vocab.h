// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Text <-> tokens of a libllama vocabulary, and the guard that keeps message text from spelling control tokens.
//
// The guard: before a chat template runs, the first character of whatever in a message begins like a control token is
// replaced by a private-use character that no message holds. After rendering they are put back, and their places are
// known: a control token that begins at such a place is the client's text, the others are the template's.
//
// Thread-safety: all const methods from any thread.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/backend/backend.h"

struct llama_vocab;

namespace headgate::engine {

class LlamaVocab {
 public:
  explicit LlamaVocab(const llama_vocab* vocab);

  std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special) const;
  std::string Piece(Token token) const;
  bool IsEndOfGeneration(Token token) const;
  Token EndOfTurn() const;
  int32_t size() const;
  // Bytes of text that one token can stand for; 0 = any number: vocabularies with one token for every unknown word.
  int32_t token_bytes_max() const { return token_bytes_max_; }

  // Control tokens whose text a parser of answers needs (<tool_call> and the like): Piece spells them.
  void SpellInAnswers(const std::vector<std::string>& tokens);

  // The first of a row of private-use characters that occur in none of the texts; nullopt = all are taken.
  static std::optional<char32_t> FreeMarks(const std::vector<std::string_view>& texts);
  std::string Guard(std::string_view text, char32_t marks) const;
  // True when the text holds the full spelling of a control token.
  bool SpellsControl(std::string_view text) const;
  // Tokens of a rendered template, BOS and EOS as the model wants them; `plain` = the text with the marks undone.
  std::vector<Token> TokenizeRendered(std::string_view rendered, char32_t marks, std::string& plain) const;

 private:
  struct Control {
    std::string text;
    Token token = 0;
  };
  struct Match {
    size_t begin = 0;
    const Control* control = nullptr;
  };
  const Control* ControlAt(std::string_view text, size_t position) const;
  std::vector<Token> Raw(std::string_view text, bool add_special, bool parse_special) const;
  std::vector<Token> Join(std::string_view plain, const std::vector<Match>& matches) const;

  const llama_vocab* vocab_;
  std::vector<Control> controls_;        // longest text first
  std::vector<std::string> first_chars_; // distinct first characters of controls_
  std::bitset<256> first_bytes_;
  std::unordered_set<Token> spelled_;
  int32_t token_bytes_max_ = 0;
};

}  // namespace headgate::engine
