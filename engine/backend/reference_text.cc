// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/reference_text.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/str_cat.h"

namespace headgate::engine::reference {
namespace {

constexpr std::array<std::string_view, kControls> kControlText = {
    "<|end|>", "<|begin|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|tools|>", "<|spare|>"};

// The first one is ForeverToken.
constexpr auto kWords = std::to_array<std::string_view>({
    " forever", " the", " a", " gate", " water", " canal", " river", " lock", " opens", " closes", " rises", " falls",
    " slowly", " quickly", " at", " dawn", " night", " noon", " and", " then", " boat", " waits", " passes", " under",
    " over", " bridge", " keeper", " counts", " every", " drop", " in", " spring", " winter", " with", " care", ".",
    ",", " so", " that", " nothing", " leaves", " without", " leave", " old", " new", " stone", " wall", " holds",
    " high", " low", " tide", " wind", " from", " sea", " north", " south", " light", " lamp", " burns", " until",
    " morning", " comes", " again", " quiet"});

const std::map<std::string_view, Token>& WordTokens() {
  static const auto words = [] {
    std::map<std::string_view, Token> tokens;
    for (size_t i = 0; i < kWords.size(); ++i) tokens[kWords[i]] = kFirstWord + static_cast<Token>(i);
    return tokens;
  }();
  return words;
}

// The control token or word at the beginning of `text`, or its first byte. Sets how many bytes it takes.
Token FirstToken(std::string_view text, bool parse_special, size_t* length) {
  if (parse_special && text.front() == '<') {
    for (size_t i = 0; i < kControlText.size(); ++i) {
      if (text.substr(0, kControlText[i].size()) != kControlText[i]) continue;
      *length = kControlText[i].size();
      return static_cast<Token>(i);
    }
  }
  for (*length = std::min<size_t>(kTokenBytesMax, text.size()); *length > 0; --*length) {
    const auto word = WordTokens().find(text.substr(0, *length));
    if (word != WordTokens().end()) return word->second;
  }
  *length = 1;
  return kFirstByte + static_cast<uint8_t>(text.front());
}

Control RoleToken(v1::Role role) {
  switch (role) {
    case v1::ROLE_SYSTEM: return kSystem;
    case v1::ROLE_ASSISTANT: return kAssistant;
    case v1::ROLE_TOOL: return kTool;
    default: return kUser;
  }
}

// Control tokens come only from Control, message text only from Text: no text can spell a control token.
class Rendering {
 public:
  void Control(Token token) {
    chat_.tokens.push_back(token);
    absl::StrAppend(&chat_.text, std::string(kControlText[static_cast<size_t>(token)]));
  }
  void Text(const std::string& text) {
    const auto tokens = Tokenize(text, false, false);
    chat_.tokens.insert(chat_.tokens.end(), tokens.begin(), tokens.end());
    chat_.text += text;
  }
  RenderedChat& chat() { return chat_; }

 private:
  RenderedChat chat_;
};

// Takes `<open>inner</close>` off the beginning of `text`; an unclosed one reaches to the end.
bool TakeElement(std::string& text, const std::string& name, std::string* inner) {
  const std::string open = absl::StrCat("<", name, ">");
  const std::string close = absl::StrCat("</", name, ">");
  if (text.compare(0, open.size(), open) != 0) return false;
  const size_t end = text.find(close, open.size());
  *inner = text.substr(open.size(), end == std::string::npos ? end : end - open.size());
  text = end == std::string::npos ? "" : text.substr(end + close.size());
  return true;
}

class Parser : public AnswerParser {
 public:
  // `begun`: the part of the answer that the prompt has already.
  explicit Parser(std::string begun) : begun_(std::move(begun)) {}

  v1::Message Parse(const std::string& text, bool complete) const override {
    v1::Message message;
    message.set_role(v1::ROLE_ASSISTANT);
    std::string rest = begun_ + text;
    if (!complete) rest.resize(std::min(rest.size(), CertainBytes(rest)));
    TakeElement(rest, "think", message.mutable_reasoning_content());
    for (std::string call; TakeElement(rest, "call", &call);) {
      const size_t space = std::min(call.find(' '), call.size());
      auto* added = message.add_tool_calls();
      added->set_name(call.substr(0, space));
      added->set_arguments(call.substr(std::min(space + 1, call.size())));
    }
    message.set_content(rest);
    return message;
  }

 private:
  // All before what may become a tag.
  static size_t CertainBytes(const std::string& text) {
    constexpr std::string_view kLongestTag = "</think>";
    const size_t tag = text.rfind('<');
    return tag != std::string::npos && text.size() - tag < kLongestTag.size() ? tag : text.size();
  }

  const std::string begun_;
};

}  // namespace

int32_t VocabularySize() { return kFirstWord + static_cast<int32_t>(kWords.size()); }
Token ForeverToken() { return kFirstWord; }

const std::vector<std::string>& LongCharacters() {
  static const std::vector<std::string> characters = {"\u00e9", "\u6c34", "\u95f8", "\U0001f30a"};
  return characters;
}

std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special) {
  std::vector<Token> tokens;
  if (add_special) tokens.push_back(kBegin);
  while (!text.empty()) {
    size_t length = 0;
    tokens.push_back(FirstToken(text, parse_special, &length));
    text.remove_prefix(length);
  }
  return tokens;
}

std::string Piece(Token token) {
  if (token >= kFirstWord && token < VocabularySize()) {
    return std::string(kWords[static_cast<size_t>(token - kFirstWord)]);
  }
  if (token >= kFirstByte && token < kFirstWord) return std::string(1, static_cast<char>(token - kFirstByte));
  return "";
}

absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) {
  Rendering rendering;
  rendering.Control(kBegin);
  for (const auto& tool : request.tools()) {
    rendering.Control(kTools);
    rendering.Text(absl::StrCat(tool.name(), " ", tool.description(), " ", tool.parameters_json()));
  }
  for (const auto& message : request.messages()) {
    rendering.Control(RoleToken(message.role()));
    if (!message.reasoning_content().empty()) {
      rendering.Text(absl::StrCat("<think>", message.reasoning_content(), "</think>"));
    }
    rendering.Text(message.content());
    for (const auto& call : message.tool_calls()) {
      rendering.Text(absl::StrCat("<call>", call.name(), " ", call.arguments(), "</call>"));
    }
    rendering.Control(kEnd);
  }
  rendering.Control(kAssistant);
  RenderedChat& chat = rendering.chat();
  const auto mode = request.tool_choice().mode();
  if (request.tools_size() > 0 && mode != v1::ToolChoice::MODE_NONE) chat.plain = false;
  // A toy cannot decide to call: where a call is demanded its beginning is put into the model's mouth.
  std::string begun;
  if (mode == v1::ToolChoice::MODE_REQUIRED || mode == v1::ToolChoice::MODE_FUNCTION) {
    const auto& chosen = request.tool_choice().function_name();
    begun = absl::StrCat("<call>", chosen.empty() ? request.tools(0).name() : chosen, " ");
    rendering.Text(begun);
  }
  chat.parser = std::make_shared<Parser>(std::move(begun));
  const auto format = request.response_format().type();
  if (format != v1::ResponseFormat::TYPE_UNSPECIFIED && format != v1::ResponseFormat::TYPE_TEXT) chat.grammar = "json";
  return std::move(chat);
}

}  // namespace headgate::engine::reference
