// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A request of messages (a zero byte begins the next one), masked as the detectors say: with the values put back it is
// what it was; and where Remains finds nothing, no value stands anywhere in what would leave.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "router/masking.h"

namespace {

using namespace headgate::router;
namespace v1 = headgate::v1;

const Classification& Rules() {
  static const auto rules = [] {
    auto detectors = MakePatternDetectors(SensitivityConfig());
    if (!detectors.ok()) std::abort();
    return std::make_unique<Classification>(SensitivityConfig(), *std::move(detectors));
  }();
  return *rules;
}

std::string Unmasked(const Masked::Values& values, const std::string& text) {
  Unmasking unmasking(values);
  Unmasking::Events events(2);
  events[0].mutable_delta()->set_content(text);
  events[1].mutable_finish();
  std::string out;
  for (const auto& event : unmasking.Filter(std::move(events))) out += event.delta().content();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  v1::GenerateRequest content;
  for (const absl::string_view text : absl::StrSplit(bytes, '\0')) {
    content.add_messages()->set_role(v1::ROLE_USER);
    content.mutable_messages(content.messages_size() - 1)->set_content(std::string(text));
  }
  const Prompt prompt(std::move(content));
  TenantConfig tenant;
  tenant.masking = true;
  const Screening screening{LimitsConfig()};
  const Sensitivity sensitivity =
      Rules().Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, tenant, screening.Screen(prompt));
  const auto masked = Masking::Mask(tenant, prompt, sensitivity);
  if (!masked) return 0;
  if (masked->values.empty() || !sensitivity.sensitive()) std::abort();
  const bool remains = Masking::Remains(masked->values, screening.Screen(masked->prompt));
  for (int i = 0; i < prompt.content().messages_size(); ++i) {
    const std::string& text = masked->prompt.content().messages(i).content();
    if (Unmasked(masked->values, text) != prompt.content().messages(i).content()) std::abort();
    for (const auto& [placeholder, value] : masked->values) {
      if (!remains && absl::StrContains(absl::AsciiStrToLower(text), absl::AsciiStrToLower(value))) std::abort();
    }
  }
  return 0;
}
