// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CanonicalText, its decoded views and the seams of a conversation on arbitrary bytes: offsets stay inside and never go
// back, folding twice changes nothing, and what is made of a text is at most so many times as long.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "router/screening_seams.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/decoded_views.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

using headgate::router::CanonicalText;

// Whatever is encoded in whatever: all views together are bounded by what they were made from.
void CheckViews(const CanonicalText& text, size_t original_bytes) {
  headgate::router::DecodeBudget budget = headgate::router::DecodeBudgetFor(text.text().size());
  const size_t most = budget.bytes_left;
  size_t bytes = 0;
  for (const auto& view : headgate::router::DecodeViews(text, budget)) {
    bytes += view.text.size();
    Check(view.origin.size() == view.text.size() + 1);
    for (size_t i = 1; i < view.origin.size(); ++i) Check(view.origin[i - 1] <= view.origin[i]);
    Check(view.origin.back() <= original_bytes);
  }
  // Half for what rules alone read; nothing for a text that its view stands for, twice at most.
  Check(bytes <= 2 * (most - budget.bytes_left) + 2 * text.text().size());
}

// The text as messages, cut at its line ends: all seams together are as long as the budget says.
void CheckSeams(std::string_view original) {
  headgate::v1::GenerateRequest request;
  size_t bytes = 0;
  while (request.messages_size() < 8 && !original.empty()) {
    const size_t end = std::min(original.find('\n'), original.size() - 1) + 1;
    headgate::v1::Message& message = *request.add_messages();
    message.set_role(request.messages_size() % 2 == 0 ? headgate::v1::ROLE_ASSISTANT : headgate::v1::ROLE_USER);
    const CanonicalText canonical = CanonicalText::Make(original.substr(0, end));
    message.set_content(std::string(canonical.text()));
    bytes += canonical.text().size();
    original.remove_prefix(end);
  }
  std::vector<CanonicalText> texts;
  texts.reserve(8);
  for (const auto& message : request.messages()) texts.push_back(CanonicalText::Make(message.content()));
  const auto canonical_of = [&](const std::string& field) -> const CanonicalText* {
    for (int i = 0; i < request.messages_size(); ++i) {
      if (field == "messages[" + std::to_string(i) + "].content") return &texts[static_cast<size_t>(i)];
    }
    return nullptr;
  };
  size_t made = 0;
  headgate::router::DecodeBudget budget = headgate::router::DecodeBudgetFor(bytes);
  const size_t most = budget.bytes_left;
  for (const auto& seam_text : headgate::router::MakeSeams(request, canonical_of, budget)) {
    made += seam_text.text.size();
    int32_t last = 0;
    for (const auto& seam : seam_text.seams) {
      Check(last <= seam.begin && seam.begin <= seam.at && seam.at <= static_cast<int32_t>(seam_text.text.size()) &&
            seam.before <= seam.after);
      last = seam.at;
    }
  }
  Check(made + budget.bytes_left == most);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view original(reinterpret_cast<const char*>(data), size);
  const CanonicalText text = CanonicalText::Make(original);
  const CanonicalText again = CanonicalText::Make(text.text());
  Check(again.text() == text.text() && again.valid_utf8());
  int32_t previous = 0;
  for (size_t i = 0; i < text.text().size(); ++i) {
    const CanonicalText::Span span = text.Original(i, i + 1);
    Check(previous <= span.begin && span.begin < span.end && span.end <= static_cast<int32_t>(size));
    previous = span.begin;
  }
  Check(text.joined().size() <= text.text().size());
  for (size_t i = 0; i < text.joined().size(); ++i) {
    Check(text.joined()[i] == text.text()[text.TextOffsetOfJoined(i)]);
    const CanonicalText::Span span = text.OriginalOfJoined(0, i + 1);
    Check(span.begin < span.end && span.end <= static_cast<int32_t>(size));
  }
  Check(text.text().size() <= 4 * size);
  CheckViews(text, size);
  CheckSeams(original);
  return 0;
}
