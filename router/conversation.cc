// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/conversation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"

namespace headgate::router {
namespace {

constexpr size_t kDistinctiveBytes = 64;  // a shorter answer (`Yes.`) is anybody's

constexpr size_t kAnswerBytesMax = 1 << 20;
constexpr int kToolCallsMax = 128;

// Clients trim what they keep.
std::string_view Trimmed(const std::string& text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  return {trimmed.data(), trimmed.size()};
}

size_t TextBytes(const v1::Message& message) {
  size_t bytes = Trimmed(message.content()).size();
  for (const v1::ToolCall& call : message.tool_calls()) bytes += call.name().size() + call.arguments().size();
  return bytes;
}

v1::Finding MakeFinding(std::string_view why, v1::SensitivityLevel level, std::string field) {
  v1::Finding finding;
  finding.set_type(absl::StrCat("CONVERSATION:", std::string(why)));
  finding.set_level(level);
  finding.set_score(1);
  finding.set_field(std::move(field));
  return finding;
}

void Raise(v1::Finding finding, Sensitivity& sensitivity) {
  sensitivity.level = std::max(sensitivity.level, finding.level());
  sensitivity.findings.push_back(std::move(finding));
}

}  // namespace

std::string_view Name(Conversation::Known known) {
  switch (known) {
    case Conversation::Known::kNothing:
      return "nothing";
    case Conversation::Known::kClean:
      return "clean";
    case Conversation::Known::kSensitive:
      return "sensitive";
    case Conversation::Known::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Conversation::Conversation(const Clock& clock, const ConversationConfig& config, std::string key, Metrics& metrics)
    : clock_(clock),
      config_(config),
      key_(std::move(key)),
      entries_gauge_(metrics.GetGauge("headgate_router_conversation_entries", "Remembered turns and sessions")) {}

void Conversation::Apply(const ConversationConfig& config) {
  config_ = config;
  Evict();
}

// Every part with its length: no two lists of parts read the same.
std::string Conversation::Digest(std::string_view kind, const std::vector<std::string_view>& parts) const {
  std::string all(kind);
  for (const std::string_view part : parts) {
    absl::StrAppend(&all, ":", part.size(), ":", absl::string_view(part.data(), part.size()));
  }
  return HmacSha256(key_, all);
}

// Thinking text, ids and names are left out: clients drop or change them.
std::string Conversation::MessageDigest(const v1::Message& message) const {
  const std::string role = absl::StrCat(static_cast<int>(message.role()));
  std::vector<std::string_view> parts = {role, Trimmed(message.content())};
  for (const v1::ToolCall& call : message.tool_calls()) {
    parts.push_back(call.name());
    parts.push_back(Trimmed(call.arguments()));
  }
  return Digest("message", parts);
}

std::string Conversation::SessionKey(const TenantConfig& tenant, const Prompt& prompt) const {
  return Digest("session", {tenant.name, prompt.content().session()});
}
std::string Conversation::TurnKey(const TenantConfig& tenant, const v1::Message& turn,
                                  const std::string& digest) const {
  return TextBytes(turn) < kDistinctiveBytes ? "" : Digest("turn", {tenant.name, digest});
}
std::string Conversation::PairKey(const TenantConfig& tenant, const std::string& before,
                                  const std::string& digest) const {
  return Digest("pair", {tenant.name, before, digest});
}

const Conversation::Mark* Conversation::Find(const std::string& key) {
  const auto found = key.empty() ? by_key_.end() : by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const Marks::iterator mark = found->second;
  if (mark->expires <= clock_.Monotonic()) return nullptr;  // its place goes with the next eviction
  Marks& marks = mark->sensitive ? sensitive_ : clean_;
  marks.splice(marks.begin(), marks, mark);
  mark->expires = clock_.Monotonic() + config_.ttl;
  return &*mark;
}

const Conversation::Mark* Conversation::FindTurn(const TenantConfig& tenant, const std::string& before,
                                                 const v1::Message& turn, const std::string& digest) {
  if (const Mark* pair = Find(PairKey(tenant, before, digest))) return pair;
  return Find(TurnKey(tenant, turn, digest));
}

Conversation::Known Conversation::Recall(const TenantConfig& tenant, const Prompt& prompt, Sensitivity& sensitivity) {
  const v1::GenerateRequest& content = prompt.content();
  Known known = Known::kNothing;
  const auto sensitive = [&](const Mark& mark, const std::string& field) {
    known = Known::kSensitive;
    Raise(MakeFinding("sensitive", std::max(mark.level, sensitivity.threshold), field), sensitivity);
  };
  if (!content.session().empty()) {
    if (const Mark* mark = Find(SessionKey(tenant, prompt)); mark != nullptr && mark->sensitive) {
      sensitive(*mark, "session");
    }
  }
  std::string chain, before;
  int unknown = -1;
  for (int i = 0; i < content.messages_size() && known != Known::kSensitive; ++i) {
    const v1::Message& message = content.messages(i);
    const bool last = i + 1 == content.messages_size();
    if (last && message.role() != v1::ROLE_ASSISTANT) break;  // what is new has no mark
    const std::string field = absl::StrCat("messages[", i, "]");
    const std::string digest = MessageDigest(message);
    if (message.role() == v1::ROLE_ASSISTANT) {
      const Mark* turn = FindTurn(tenant, before, message, digest);
      if (turn == nullptr && unknown < 0) unknown = i;
      if (turn != nullptr && turn->sensitive) sensitive(*turn, field);
      if (known == Known::kNothing) known = Known::kClean;
    }
    before = digest;
    if (known == Known::kSensitive || last) continue;
    chain = Digest("chain", {tenant.name, chain, before});
    if (const Mark* mark = Find(chain)) sensitive(*mark, field);
  }
  if (known == Known::kSensitive || unknown < 0) return known;
  if (config_.unknown_history == ConversationConfig::UnknownHistory::kLocal) {
    Raise(MakeFinding("unknown", sensitivity.threshold, absl::StrCat("messages[", unknown, "]")), sensitivity);
  }
  return Known::kUnknown;
}

void Conversation::RememberSensitive(const TenantConfig& tenant, const Prompt& prompt, v1::SensitivityLevel level) {
  if (!prompt.content().session().empty()) Put(SessionKey(tenant, prompt), true, level);
  std::string chain;
  for (const v1::Message& message : prompt.content().messages()) {
    chain = Digest("chain", {tenant.name, chain, MessageDigest(message)});
  }
  if (!chain.empty()) Put(chain, true, level);
}

void Conversation::Collect(const v1::Delta& delta, v1::Message& answer) {
  answer.set_role(v1::ROLE_ASSISTANT);
  if (answer.content().size() < kAnswerBytesMax) answer.mutable_content()->append(delta.content());
  for (const v1::ToolCallDelta& piece : delta.tool_calls()) {
    if (piece.index() < 0 || piece.index() >= kToolCallsMax) continue;
    while (answer.tool_calls_size() <= piece.index()) answer.add_tool_calls();
    v1::ToolCall& call = *answer.mutable_tool_calls(piece.index());
    if (!piece.name().empty()) call.set_name(piece.name());
    if (call.arguments().size() < kAnswerBytesMax) call.mutable_arguments()->append(piece.arguments());
  }
}

void Conversation::RememberAnswer(const TenantConfig& tenant, const Prompt& prompt, const v1::Message& answer,
                                  bool sensitive, v1::SensitivityLevel level) {
  const auto& messages = prompt.content().messages();
  if (messages.empty() || (answer.content().empty() && answer.tool_calls().empty())) return;
  const std::string digest = MessageDigest(answer);
  Put(PairKey(tenant, MessageDigest(messages[messages.size() - 1]), digest), sensitive, level);
  Put(TurnKey(tenant, answer, digest), sensitive, level);
}

// What was sensitive once is not called clean later.
void Conversation::Put(const std::string& key, bool sensitive, v1::SensitivityLevel level) {
  if (key.empty()) return;
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    const Mark& mark = *found->second;
    const bool live = mark.expires > clock_.Monotonic();
    if (live && mark.sensitive) {
      sensitive = true;
      level = std::max(level, mark.level);
    }
    (mark.sensitive ? sensitive_ : clean_).erase(found->second);
    by_key_.erase(found);
  }
  Marks& marks = sensitive ? sensitive_ : clean_;
  marks.push_front({key, sensitive, level, clock_.Monotonic() + config_.ttl});
  by_key_.emplace(key, marks.begin());
  Evict();
}

void Conversation::Evict() {
  const auto most = static_cast<size_t>(std::max<int64_t>(config_.entries_max / 2, 1));
  for (Marks* marks : {&clean_, &sensitive_}) {
    while (!marks->empty() && (marks->size() > most || marks->back().expires <= clock_.Monotonic())) {
      by_key_.erase(marks->back().key);
      marks->pop_back();
    }
  }
  entries_gauge_.Set(static_cast<double>(by_key_.size()));
}

}  // namespace headgate::router
