// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CanonicalText and its decoded views on arbitrary bytes: offsets stay inside and never go back, folding twice changes
// nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/decoded_views.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using headgate::router::CanonicalText;
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
  headgate::router::DecodeBudget budget{1 << 16};
  for (const auto& view : headgate::router::DecodeViews(text, budget)) {
    Check(view.origin.size() == view.text.size() + 1);
    for (size_t i = 1; i < view.origin.size(); ++i) Check(view.origin[i - 1] <= view.origin[i]);
    Check(view.origin.back() <= size);
  }
  return 0;
}
