// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Requests as gRPC decodes them from arbitrary bytes, up to what classification is given: admission's rules never crash
// and complain briefly; screening keeps offsets inside the field, and whatever is no UTF-8 makes the request
// uninspectable.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "router/admission.h"
#include "router/prompt.h"
#include "router/screening.h"

namespace {

using namespace headgate::router;
namespace v1 = headgate::v1;

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckRequest(v1::GenerateRequest request) {
  const absl::Status valid = ValidateRequest(request, LimitsConfig());
  Check(valid.ok() || (valid.code() == absl::StatusCode::kInvalidArgument && valid.message().size() <= 512));
  const Prompt prompt(std::move(request));
  std::map<std::string, size_t> sizes;
  size_t bytes = 0;
  prompt.ForEachText([&](const std::string& field, std::string_view text) {
    Check(!field.empty() && !text.empty());
    sizes[field] = text.size();
    bytes += text.size();
  });
  Check(bytes == prompt.text_bytes());
  const Screened screened = Screening(LimitsConfig()).Screen(prompt);
  Check(screened.digest == prompt.digest());
  bool invalid = false;
  for (const ScreenedField& field : screened.fields) {
    invalid |= !field.text.valid_utf8() && field.view.empty();
    if (field.view == "seam" || !sizes.contains(field.field) || field.text.text().empty()) continue;
    const CanonicalText::Span span = field.InField(field.text.Original(0, field.text.text().size()));
    Check(span.begin >= 0 && span.begin <= span.end && static_cast<size_t>(span.end) <= sizes[field.field]);
  }
  Check(!invalid || !screened.not_inspectable.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int bytes = static_cast<int>(size);
  if (v1::GenerateRequest request; request.ParseFromArray(data, bytes)) CheckRequest(std::move(request));
  if (v1::CountTokensRequest count; count.ParseFromArray(data, bytes)) {
    v1::GenerateRequest request;
    *request.mutable_messages() = count.messages();
    *request.mutable_tools() = count.tools();
    request.set_prompt(count.prompt());
    CheckRequest(std::move(request));
  }
  return 0;
}
