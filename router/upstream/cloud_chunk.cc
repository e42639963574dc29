// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Strict RFC 8259: cloud_wire_test.cc compares it with nlohmann's parser on chunks and on broken ones.
#include "router/upstream/cloud_chunk.h"

#include <charconv>
#include <cstdint>
#include <utility>

#include "common/utf8.h"

namespace headgate::router {
namespace {

constexpr int kDepthMax = 16;

class Scanner {
 public:
  // `part` of a choice: delta or message.
  Scanner(std::string_view text, std::string_view part)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), part_(part) {}
  bool with_choice() const { return choice_; }

  std::optional<PlainChunk> Read() {
    PlainChunk chunk;
    const bool good = Object(0, [&](std::string_view key) {
      if (key == "error") return Null();
      if (key == "usage") return Once(usage_) && (Null() || Usage(chunk.usage.emplace()));
      if (key == "choices") return Once(choices_) && (Null() || Choices(chunk));
      return Skip(1);
    });
    Blanks();
    if (!good || at_ != end_) return std::nullopt;
    return chunk;
  }

 private:
  static bool Once(bool& seen) { return !std::exchange(seen, true); }

  bool Choices(PlainChunk& chunk) {
    if (!Take('[')) return false;
    if (Take(']')) return true;
    choice_ = true;
    const bool good = Object(2, [&](std::string_view key) {
      if (key == part_) return Once(delta_) && (Null() || Delta(chunk));
      if (key == "finish_reason") return Once(finish_) && TextOrNull(chunk.finish_reason);
      return Skip(3);
    });
    return good && Take(']');
  }
  bool Delta(PlainChunk& chunk) {
    return Object(3, [&](std::string_view key) {
      if (key == "content") return Once(content_) && Content(chunk);
      if (key == "reasoning_content") return Once(reasoning_) && TextOrNull(chunk.reasoning_content);
      if (key == "tool_calls") return Null();
      return Skip(4);
    });
  }

  bool Usage(PlainUsage& usage) {
    return Object(1, [&](std::string_view key) {
      if (key == "prompt_tokens") return Count(usage.prompt_tokens);
      if (key == "completion_tokens") return Count(usage.completion_tokens);
      if (key == "prompt_cache_hit_tokens") return Count(usage.prompt_cache_hit_tokens);
      if (key == "prompt_tokens_details") return Once(cached_) && Detail("cached_tokens", usage.cached_tokens);
      if (key == "completion_tokens_details") {
        return Once(reasoned_) && Detail("reasoning_tokens", usage.reasoning_tokens);
      }
      return Skip(2);
    });
  }
  bool Detail(std::string_view name, int64_t& count) {
    if (Null()) return true;
    return Object(2, [&](std::string_view key) { return key == name ? Count(count) : Skip(3); });
  }
  // Given twice it is not plain, unless it is 0: then the second counts for both parsers.
  bool Count(int64_t& count) {
    if (count != 0) return false;
    if (Null()) return true;
    Blanks();
    const char* const begin = at_;
    if (at_ == end_ || *at_ == '-' || !Number()) return false;
    return std::from_chars(begin, at_, count).ec == std::errc();
  }

  bool Content(PlainChunk& chunk) {
    if (Null()) return true;
    Blanks();
    const auto at = static_cast<size_t>(at_ - begin_) + 1;
    if (!Text(&chunk.content)) return false;
    const bool as_it_stands = static_cast<size_t>(at_ - begin_) - 1 - at == chunk.content.size();
    if (as_it_stands) chunk.content_at = at;  // every escape is longer than its meaning
    return true;
  }

  void Blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }
  bool Take(char c) {
    Blanks();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word) {
    Blanks();
    if (static_cast<size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool Null() { return Word("null"); }
  bool TextOrNull(std::string& out) { return Null() || Text(&out); }

  template <typename Member>
  bool Object(int depth, Member member) {
    if (depth > kDepthMax || !Take('{')) return false;
    if (Take('}')) return true;
    do {
      Blanks();
      const char* const begin = at_ + 1;
      if (!Text(nullptr)) return false;
      const std::string_view key(begin, static_cast<size_t>(at_ - begin) - 1);
      if (key.find('\\') != std::string_view::npos || !Take(':') || !member(key)) return false;
    } while (Take(','));
    return Take('}');
  }

  // Any value, checked and dropped.
  bool Skip(int depth) {
    Blanks();
    if (at_ == end_ || depth > kDepthMax) return false;
    switch (*at_) {
      case '{': return Object(depth, [&](std::string_view) { return Skip(depth + 1); });
      case '[': return Array(depth);
      case '"': return Text(nullptr);
      case 't': return Word("true");
      case 'f': return Word("false");
      case 'n': return Null();
      default: return Number();
    }
  }
  bool Array(int depth) {
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      if (!Skip(depth + 1)) return false;
    } while (Take(','));
    return Take(']');
  }
  // Whole numbers of at most 15 digits: others are rare, and may be out of a double's range.
  bool Number() {
    if (at_ != end_ && *at_ == '-') ++at_;
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    const auto digits = at_ - begin;
    return digits > 0 && digits <= 15 && (digits == 1 || *begin != '0') &&
           (at_ == end_ || (*at_ != '.' && *at_ != 'e' && *at_ != 'E'));
  }

  // A string; appended to `out` unless null.
  bool Text(std::string* out) {
    if (!Take('"')) return false;
    const char* begin = at_;
    const auto flush = [&] {
      if (out != nullptr) out->append(begin, static_cast<size_t>(at_ - begin));
    };
    while (at_ += PlainBytes({at_, static_cast<size_t>(end_ - at_)}), at_ != end_) {
      const auto c = static_cast<uint8_t>(*at_);
      if (c == '"') {
        flush();
        ++at_;
        return true;
      }
      if (c < 0x20) return false;
      if (c == '\\') {
        flush();
        if (!Escape(out)) return false;
        begin = at_;
      } else {
        const size_t bytes = CharacterBytes({at_, static_cast<size_t>(end_ - at_)});
        if (bytes == 0) return false;
        at_ += bytes;
      }
    }
    return false;
  }
  bool Escape(std::string* out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (end_ - at_ < 2) return false;
    const size_t which = kNames.find(at_[1]);
    if (which == std::string_view::npos) return false;
    if (out != nullptr) out->push_back(kMeanings[which]);
    at_ += 2;
    return true;
  }
  const char* const begin_;
  const char* at_;
  const char* const end_;
  const std::string_view part_;
  bool choice_ = false, usage_ = false, cached_ = false, reasoned_ = false;
  bool choices_ = false, delta_ = false, finish_ = false, content_ = false, reasoning_ = false;
};

// What may stand between two quotes without a change of meaning.
bool IsPlainText(std::string_view text) {
  while (text.remove_prefix(PlainBytes(text)), !text.empty()) {
    const size_t bytes = static_cast<uint8_t>(text[0]) < 0x80 ? 0 : CharacterBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace

std::optional<PlainChunk> ReadPlainChunk(std::string_view json) { return Scanner(json, "delta").Read(); }

std::optional<PlainChunk> ReadPlainAnswer(std::string_view json) {
  Scanner scanner(json, "message");
  auto answer = scanner.Read();
  return scanner.with_choice() ? answer : std::nullopt;
}

std::optional<PlainChunk> ChunkReader::Read(std::string_view json) {
  const bool known = !before_.empty() && json.size() >= before_.size() + after_.size() &&
                     json.substr(0, before_.size()) == before_ &&
                     json.substr(json.size() - after_.size()) == after_;
  if (known) {
    const std::string_view text = json.substr(before_.size(), json.size() - before_.size() - after_.size());
    if (IsPlainText(text)) return PlainChunk{std::string(text), "", "", std::nullopt, before_.size()};
  }
  std::optional<PlainChunk> chunk = ReadPlainChunk(json);
  if (chunk && chunk->content_at != std::string::npos && chunk->reasoning_content.empty() &&
      chunk->finish_reason.empty() && !chunk->usage) {
    before_ = json.substr(0, chunk->content_at);
    after_ = json.substr(chunk->content_at + chunk->content.size());
  }
  return chunk;
}

}  // namespace headgate::router
