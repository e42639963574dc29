// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Detectors on arbitrary bytes: they finish, findings lie inside the text and are bounded, and a resident ID set apart
// at the end is always found, whatever comes before it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "router/sensitivity/detectors.h"

namespace {

using headgate::router::CanonicalText;
using headgate::router::Detection;

const headgate::router::Detectors& TheDetectors() {
  static const std::unique_ptr<headgate::router::Detectors> detectors = [] {
    headgate::router::SensitivityConfig config;
    config.keyword_lists = {{"list", headgate::v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {"abc", "机密", "bc d"}}};
    return *headgate::router::MakePatternDetectors(config);
  }();
  return *detectors;
}

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = std::string(reinterpret_cast<const char*>(data), size) + "。号11010519491231002X号";
  const auto detections = TheDetectors().Scan(CanonicalText::Make(text));
  Check(detections.ok() && detections->size() <= 64 * 8);
  for (const Detection& detection : *detections) {
    Check(detection.span.begin >= 0 && detection.span.begin < detection.span.end &&
          detection.span.end <= static_cast<int32_t>(text.size()));
  }
  const auto ids = std::count_if(detections->begin(), detections->end(),
                                 [](const Detection& detection) { return detection.type == "CN_RESIDENT_ID"; });
  // Unless 64 others came first.
  Check(ids == 64 || std::any_of(detections->begin(), detections->end(), [&](const Detection& detection) {
          return detection.type == "CN_RESIDENT_ID" && detection.span.end == static_cast<int32_t>(text.size()) - 3;
        }));
  return 0;
}
