// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_vocab.h"

#include <algorithm>
#include <array>

#include <llama.h>

namespace headgate::engine {
namespace {

// Private-use planes 15 and 16, in blocks: one block holds a mark for each first character of a control token.
constexpr char32_t kPrivateBegin = 0xF0000;
constexpr size_t kBlock = 256;
constexpr size_t kBlocks = 2 * 0x10000 / kBlock - 1;  // the last code points of a plane are noncharacters

size_t CharLength(unsigned char lead) {
  if (lead < 0xC0) return 1;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

std::string_view CharAt(std::string_view text, size_t position) {
  return text.substr(position, CharLength(static_cast<unsigned char>(text[position])));
}

std::string Utf8(char32_t c) {  // REQUIRES: four-byte character
  return {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
          static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
}

// 0 unless a four-byte character begins there.
char32_t FourByteCharAt(std::string_view text, size_t i) {
  if (i + 4 > text.size() || static_cast<unsigned char>(text[i]) < 0xF0) return 0;
  const auto bits = [&](size_t k) { return static_cast<char32_t>(static_cast<unsigned char>(text[i + k]) & 0x3F); };
  return (static_cast<char32_t>(static_cast<unsigned char>(text[i]) & 0x07) << 18) | (bits(1) << 12) | (bits(2) << 6) |
         bits(3);
}

bool IsControl(const llama_vocab* vocab, Token token) {
  return (llama_vocab_get_attr(vocab, token) & LLAMA_TOKEN_ATTR_CONTROL) != 0;
}

std::string_view StripRight(std::string_view text) {
  const size_t end = text.find_last_not_of(" \t\r\n\v\f");
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}
std::string_view StripLeft(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n\v\f");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

}  // namespace

LlamaVocab::LlamaVocab(const llama_vocab* vocab) : vocab_(vocab) {
  constexpr int kSpecial = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN;
  const auto type = llama_vocab_type(vocab);
  const bool by_bytes = type == LLAMA_VOCAB_TYPE_BPE || type == LLAMA_VOCAB_TYPE_SPM;
  for (Token token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
    const char* text = llama_vocab_get_text(vocab, token);
    // Their spelling in the vocabulary is never shorter than what they stand for.
    if (by_bytes && text != nullptr) {
      token_bytes_max_ = std::max(token_bytes_max_, static_cast<int32_t>(std::string_view(text).size()));
    }
    if ((llama_vocab_get_attr(vocab, token) & kSpecial) == 0 || text == nullptr || *text == '\0') continue;
    controls_.push_back({text, token});
  }
  std::stable_sort(controls_.begin(), controls_.end(),
                   [](const Control& a, const Control& b) { return a.text.size() > b.text.size(); });
  for (const Control& control : controls_) {
    first_bytes_.set(static_cast<unsigned char>(control.text[0]));
    const std::string first(CharAt(control.text, 0));
    if (std::find(first_chars_.begin(), first_chars_.end(), first) == first_chars_.end() &&
        first_chars_.size() < kBlock) {
      first_chars_.push_back(first);
    }
  }
}

std::vector<Token> LlamaVocab::Raw(std::string_view text, bool add_special, bool parse_special) const {
  std::vector<Token> tokens(text.size() + 2);
  const auto length = static_cast<int32_t>(text.size());
  int32_t n = llama_tokenize(vocab_, text.data(), length, tokens.data(), static_cast<int32_t>(tokens.size()),
                             add_special, parse_special);
  if (n < 0) {
    tokens.resize(static_cast<size_t>(-n));
    n = llama_tokenize(vocab_, text.data(), length, tokens.data(), -n, add_special, parse_special);
  }
  tokens.resize(static_cast<size_t>(std::max(n, 0)));
  return tokens;
}

std::vector<Token> LlamaVocab::Tokenize(std::string_view text, bool add_special, bool parse_special) const {
  std::vector<Token> tokens = Raw(text, add_special, parse_special);
  if (parse_special) return tokens;
  // SentencePiece merging may still arrive at a control token ("<" + "s>"): spell such a one by characters.
  const size_t begin = add_special && llama_vocab_get_add_bos(vocab_) ? 1 : 0;
  const size_t end = tokens.size() - (add_special && llama_vocab_get_add_eos(vocab_) && tokens.size() > begin ? 1 : 0);
  const auto is_control = [&](Token token) { return IsControl(vocab_, token); };
  if (std::none_of(tokens.begin() + begin, tokens.begin() + end, is_control)) return tokens;
  std::vector<Token> spelled;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i < begin || i >= end || !is_control(tokens[i])) {
      spelled.push_back(tokens[i]);
      continue;
    }
    const std::string_view name = llama_vocab_get_text(vocab_, tokens[i]);
    for (size_t k = 0; k < name.size(); k += CharAt(name, k).size()) {
      std::vector<Token> one = Raw(CharAt(name, k), false, false);
      const bool space_added = one.size() > 1 && Piece(one.front()) == " ";
      spelled.insert(spelled.end(), one.begin() + (space_added ? 1 : 0), one.end());
    }
  }
  return spelled;
}

std::string LlamaVocab::Piece(Token token) const {
  std::array<char, 256> buffer;
  const bool special = spelled_.count(token) > 0;
  const int32_t n = llama_token_to_piece(vocab_, token, buffer.data(), buffer.size(), 0, special);
  if (n >= 0) return std::string(buffer.data(), static_cast<size_t>(n));
  std::string longer(static_cast<size_t>(-n), '\0');
  llama_token_to_piece(vocab_, token, longer.data(), -n, 0, special);
  return longer;
}

bool LlamaVocab::IsEndOfGeneration(Token token) const { return llama_vocab_is_eog(vocab_, token); }
int32_t LlamaVocab::size() const { return llama_vocab_n_tokens(vocab_); }

Token LlamaVocab::EndOfTurn() const {
  const Token turn = llama_vocab_eot(vocab_);
  return turn == LLAMA_TOKEN_NULL ? llama_vocab_eos(vocab_) : turn;
}

void LlamaVocab::SpellInAnswers(const std::vector<std::string>& tokens) {
  for (const std::string& text : tokens) {
    const std::vector<Token> ids = Raw(text, false, true);
    if (ids.size() == 1 && !IsEndOfGeneration(ids[0])) spelled_.insert(ids[0]);
  }
}

std::optional<char32_t> LlamaVocab::FreeMarks(const std::vector<std::string_view>& texts) {
  std::bitset<kBlocks + 1> taken;
  for (const std::string_view text : texts) {
    for (size_t i = 0; i < text.size(); ++i) {
      const char32_t c = FourByteCharAt(text, i);
      if (c >= kPrivateBegin) taken.set(std::min<size_t>((c - kPrivateBegin) / kBlock, kBlocks));
    }
  }
  for (size_t block = 0; block < kBlocks; ++block) {
    if (!taken[block] && block != 0x10000 / kBlock - 1) return kPrivateBegin + static_cast<char32_t>(block * kBlock);
  }
  return std::nullopt;
}

const LlamaVocab::Control* LlamaVocab::ControlAt(std::string_view text, size_t position) const {
  if (!first_bytes_[static_cast<unsigned char>(text[position])]) return nullptr;
  for (const Control& control : controls_) {
    if (text.compare(position, control.text.size(), control.text) == 0) return &control;
  }
  return nullptr;
}

bool LlamaVocab::SpellsControl(std::string_view text) const {
  return std::any_of(controls_.begin(), controls_.end(),
                     [&](const Control& c) { return text.find(c.text) != std::string_view::npos; });
}

std::string LlamaVocab::Guard(std::string_view text, char32_t marks) const {
  std::string guarded;
  guarded.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const std::string_view c = CharAt(text, i);
    const auto first = std::find(first_chars_.begin(), first_chars_.end(), c);
    // Two characters alike are enough: a template that removes a part of the text cannot complete a token then.
    const bool marked =
        first != first_chars_.end() &&
        std::any_of(controls_.begin(), controls_.end(), [&](const Control& control) {
          if (std::string_view(control.text).substr(0, c.size()) != c) return false;
          if (control.text.size() == c.size()) return true;
          if (i + c.size() >= text.size()) return true;  // the template might go on with the rest
          const std::string_view second = CharAt(control.text, c.size());
          return text.compare(i + c.size(), second.size(), second) == 0;
        });
    if (marked) {
      guarded += Utf8(marks + static_cast<char32_t>(first - first_chars_.begin()));
    } else {
      guarded += c;
    }
    i += c.size();
  }
  return guarded;
}

std::vector<Token> LlamaVocab::TokenizeRendered(std::string_view rendered, char32_t marks, std::string& plain) const {
  std::unordered_set<size_t> marked;  // places in `plain` that a client wrote
  plain.clear();
  for (size_t i = 0; i < rendered.size();) {
    const char32_t c = FourByteCharAt(rendered, i);
    if (c >= marks && c < marks + first_chars_.size()) {
      marked.insert(plain.size());
      plain += first_chars_[c - marks];
      i += 4;
    } else {
      plain += rendered[i++];
    }
  }
  if (marked.empty()) return Raw(plain, true, true);
  bool literal = false;
  std::vector<Match> matches;
  for (size_t i = 0; i < plain.size();) {
    const Control* control = ControlAt(plain, i);
    if (control != nullptr && marked.count(i) == 0) {
      matches.push_back({i, control});
      i += control->text.size();
    } else {
      literal = literal || control != nullptr;
      ++i;
    }
  }
  return literal ? Join(plain, matches) : Raw(plain, true, true);
}

std::vector<Token> LlamaVocab::Join(std::string_view plain, const std::vector<Match>& matches) const {
  const auto has = [&](const Match& match, int attribute) {
    return (llama_vocab_get_attr(vocab_, match.control->token) & attribute) != 0;
  };
  std::vector<Token> tokens;
  if (llama_vocab_get_add_bos(vocab_)) tokens.push_back(llama_vocab_bos(vocab_));
  size_t from = 0;
  for (size_t k = 0; k <= matches.size(); ++k) {
    const size_t to = k < matches.size() ? matches[k].begin : plain.size();
    std::string_view between = plain.substr(from, to - from);
    if (k > 0 && has(matches[k - 1], LLAMA_TOKEN_ATTR_RSTRIP)) between = StripLeft(between);
    if (k < matches.size() && has(matches[k], LLAMA_TOKEN_ATTR_LSTRIP)) between = StripRight(between);
    if (!between.empty()) {
      const std::vector<Token> part = Tokenize(between, false, false);
      tokens.insert(tokens.end(), part.begin(), part.end());
    }
    if (k < matches.size()) {
      tokens.push_back(matches[k].control->token);
      from = to + matches[k].control->text.size();
    }
  }
  if (llama_vocab_get_add_eos(vocab_)) tokens.push_back(llama_vocab_eos(vocab_));
  return tokens;
}

}  // namespace headgate::engine
