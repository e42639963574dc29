// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/screening.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/decoded_views.h"

namespace headgate::router {
namespace {

// So much of the work is left to the detectors: what was sent they look through in any case.
int64_t ForDetectors(int64_t work) { return work / 5; }

constexpr size_t kJsonWithin = 8;  // of the beginning

// Adds `field` and the views of it.
void AddText(ScreenedField field, DecodeBudget& budget, Screened& screened) {
  size_t last = screened.fields.size();  // of those that say it all
  screened.fields.push_back(std::move(field));
  for (DecodedView& decoded : DecodeViews(screened.fields[last].text, budget)) {
    const ScreenedField& plain = screened.fields[last];
    ScreenedField view{plain.field, std::move(decoded.canonical),
                       plain.view == "seam" ? plain.view : std::string(decoded.name), std::move(decoded.origin),
                       plain.seams, /*superseded=*/!decoded.whole && decoded.name != "decoded"};
    if (decoded.whole) {
      screened.fields[last].superseded = true;
      last = screened.fields.size();
    }
    screened.fields.push_back(std::move(view));
  }
}

// Where nothing can be split, there is no seam.
bool MayHoldSeams(const v1::GenerateRequest& content) {
  if (content.messages_size() != 1) return content.messages_size() > 1;
  const v1::Message& message = content.messages(0);
  return !message.name().empty() || !message.reasoning_content().empty() || !message.tool_calls().empty() ||
         std::string_view(message.content()).substr(0, kJsonWithin).find_first_of("{[") != std::string_view::npos;
}

void AddSeams(const v1::GenerateRequest& content, DecodeBudget& budget, Screened& screened) {
  if (!MayHoldSeams(content)) return;
  std::unordered_map<std::string, size_t> as_sent;
  for (size_t i = 0; i < screened.fields.size(); ++i) {
    if (screened.fields[i].view.empty()) as_sent.emplace(screened.fields[i].field, i);
  }
  const auto canonical_of = [&](const std::string& field) {
    const auto found = as_sent.find(field);
    return found == as_sent.end() ? nullptr : &screened.fields[found->second].text;
  };
  for (SeamText& text : MakeSeams(content, canonical_of, budget)) {
    AddText({"", CanonicalText::Make(text.text), "seam", {}, std::move(text.seams)}, budget, screened);
  }
}

}  // namespace

CanonicalText::Span ScreenedField::InField(CanonicalText::Span span) const {
  if (origin.empty()) return span;
  const auto at = [this](int32_t i) { return static_cast<int32_t>(origin[static_cast<size_t>(i)]); };
  if (span.begin == span.end) return {at(span.begin), at(span.begin)};
  int32_t last = span.end;  // several bytes of a view may come from one place: go on to where the next begins
  while (static_cast<size_t>(last) + 1 < origin.size() && at(last) == at(span.end - 1)) ++last;
  return {at(span.begin), at(last)};
}

bool ScreenedField::Crosses(CanonicalText::Span in_field) const {
  return std::any_of(seams.begin(), seams.end(),
                     [&](const Seam& seam) { return seam.at > in_field.begin && seam.at < in_field.end; });
}

std::string ScreenedField::FieldOf(CanonicalText::Span in_field) const {
  if (seams.empty()) return field;
  int first = seams.front().before, last = first;
  for (const Seam& seam : seams) {
    if (seam.begin <= in_field.begin) first = seam.before;
    if (seam.at <= in_field.begin) first = seam.after;
    if (seam.begin < in_field.end) last = seam.before;
    if (seam.at < in_field.end) last = seam.after;
  }
  if (first == last) return absl::StrCat("messages[", first, "]");
  return absl::StrCat("messages[", first, "..", last, "].content");
}

absl::Status CheckInputFilter(const Screened& screened) {
  for (const Screened::Attack& attack : screened.attacks) {
    if (attack.action != InputFilterConfig::Action::kBlock) continue;
    return absl::PermissionDeniedError(absl::StrCat("the input filter blocks this: ", std::string(attack.kind)));
  }
  return absl::OkStatus();
}

std::vector<v1::Finding> AttackFindings(const Screened& screened) {
  std::vector<v1::Finding> findings;
  for (const Screened::Attack& attack : screened.attacks) {
    v1::Finding& finding = findings.emplace_back();
    finding.set_type(absl::StrCat("ATTACK:", std::string(attack.kind)));
    finding.set_score(attack.score);
    finding.set_field(attack.field);
  }
  return findings;
}

bool FilterKeepsLocal(const Screened& screened) {
  return std::any_of(screened.attacks.begin(), screened.attacks.end(), [](const Screened::Attack& attack) {
    return attack.action == InputFilterConfig::Action::kLocal;
  });
}

Screening::Screening(const LimitsConfig& limits, const InputFilterConfig& filter)
    : inspect_bytes_max_(limits.inspect_bytes_max),
      actions_{filter.sql_injection, filter.xss, filter.command_injection, filter.prompt_injection} {
  ScoreAttacks("");  // compiles its phrases: not at the expense of the first request
}

// What users, tools and documents say. The system's text is the application's own, the assistant's the model's; both
// may speak of attacks.
void Screening::AddAttacks(const Prompt& prompt, Screened& screened) const {
  if (std::all_of(actions_.begin(), actions_.end(),
                  [](auto action) { return action == InputFilterConfig::Action::kOff; })) {
    return;
  }
  std::set<std::string> trusted;
  for (int i = 0; i < prompt.content().messages_size(); ++i) {
    const v1::Role role = prompt.content().messages(i).role();
    if (role != v1::ROLE_SYSTEM && role != v1::ROLE_ASSISTANT) continue;
    trusted.insert(absl::StrCat("messages[", i, "].content"));
  }
  std::array<Screened::Attack, kAttackNames.size()> highest;
  for (const ScreenedField& field : screened.fields) {
    if (field.view == "seam" || trusted.contains(field.field)) continue;
    constexpr size_t kByteSteps = 3;
    ReadingWork::Spend(kByteSteps * field.text.text().size());
    const AttackScores scores = ScoreAttacks(field.text.text());
    for (size_t kind = 0; kind < scores.size(); ++kind) {
      if (scores[kind] > highest[kind].score) highest[kind] = {kAttackNames[kind], scores[kind], field.field};
    }
  }
  for (size_t kind = 0; kind < highest.size(); ++kind) {
    if (actions_[kind] == InputFilterConfig::Action::kOff || highest[kind].score < kAttackScoreMin) continue;
    highest[kind].action = actions_[kind];
    screened.attacks.push_back(std::move(highest[kind]));
  }
}

Screened Screening::Unread(const Prompt& prompt, const char* reason) const {
  Screened screened;
  screened.digest = prompt.digest();
  screened.not_inspectable.push_back(reason);
  for (size_t kind = 0; kind < actions_.size(); ++kind) {
    if (actions_[kind] == InputFilterConfig::Action::kOff) continue;
    screened.attacks.push_back({kAttackNames[kind], 1, "", actions_[kind]});
  }
  return screened;
}

Screened Screening::Screen(const Prompt& prompt) const {
  Screened screened;
  screened.digest = prompt.digest();
  // Reading costs time: text beyond the limit is not read at all, and the request is sensitive for it.
  if (prompt.text_bytes() > static_cast<size_t>(std::max<int64_t>(inspect_bytes_max_, 0))) {
    screened.not_inspectable.push_back("too_long");
  }
  size_t left = static_cast<size_t>(std::max<int64_t>(inspect_bytes_max_, 0));
  DecodeBudget budget = DecodeBudgetFor(std::min(left, prompt.text_bytes()));
  const int64_t most = ReadingWork::For(std::min(left, prompt.text_bytes())), kept = ForDetectors(most);
  ReadingWork work(most - kept);
  const ReadingWork::Use use(work);
  prompt.ForEachText([&](const std::string& field, std::string_view text) {
    if (text.size() > left) return;
    left -= text.size();
    CanonicalText canonical = CanonicalText::Make(text);
    if (!canonical.valid_utf8()) screened.not_inspectable.push_back(absl::StrCat("invalid_utf8 ", field));
    AddText({field, std::move(canonical)}, budget, screened);
  });
  AddSeams(prompt.content(), budget, screened);
  if (budget.exhausted || work.spent()) screened.not_inspectable.push_back("read_limit");
  if (budget.too_deep) screened.not_inspectable.push_back("decode_limit");
  AddAttacks(prompt, screened);
  screened.work_left = kept + std::max<int64_t>(work.left(), 0);
  return screened;
}

}  // namespace headgate::router
