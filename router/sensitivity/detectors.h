// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Detectors: finds sensitive spans in canonical text. An interface because fault injection needs a failing one; the
// real one (MakePatternDetectors) is one Vectorscan database over all patterns, plus validators (docs/detection.md says
// how to add one).
//
// Thread-safety: Scan from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "router/config.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/text_models.h"

namespace headgate::router {

struct Detection {
  std::string type;  // `CN_RESIDENT_ID`, `BANK_CARD`, `KEYWORD:<list>`, ...
  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_RESTRICTED;
  double score = 1;          // 0..1
  CanonicalText::Span span;  // in the original text
};

class Detectors {
 public:
  virtual ~Detectors() = default;
  // The detections in one text (of each type the first 64), or why the scan could not be completed: the caller treats
  // that as sensitive.
  virtual absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const = 0;
  // The same for a text whose passages are judged elsewhere: what the models say of it is not asked.
  virtual absl::StatusOr<std::vector<Detection>> ScanValues(const CanonicalText& text) const { return Scan(text); }
};

// INVALID_ARGUMENT names the keyword list, type or level that cannot be used. With `models`, they read every text as
// well; without, rules alone decide. `clock` says when allow-lists have expired; it must outlive the detectors.
absl::StatusOr<std::unique_ptr<Detectors>> MakePatternDetectors(const SensitivityConfig& config,
                                                                std::shared_ptr<const TextModels> models = nullptr,
                                                                const Clock& clock = RealTime());

// The types that `detector_levels` may name.
std::vector<std::string> DetectorTypes();

}  // namespace headgate::router
