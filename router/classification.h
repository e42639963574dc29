// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// classification: how sensitive is it. Declared level, tenant floor and detectors; the maximum counts, so nothing
// lowers a level. Anything but "classified, and below the threshold" is sensitive.
//
// Thread-safety: const methods from any thread (one scan scratch per thread).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "headgate/v1/inference.pb.h"
#include "headgate/v1/router.pb.h"
#include "router/config.h"
#include "router/screening.h"
#include "router/sensitivity/detectors.h"

namespace headgate::router {

enum class ClassificationState { kUnclassified, kClassified, kSkipped, kUnavailable };
std::string_view Name(ClassificationState state);

struct Sensitivity {
  ClassificationState state = ClassificationState::kUnclassified;  // fail closed: the default is not "classified"
  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_RESTRICTED;
  v1::SensitivityLevel threshold = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  std::vector<v1::Finding> findings;  // types, offsets, scores; never values
  std::string digest;                 // of the bytes that were classified

  // The only way to "no" is a finished classification below the threshold.
  bool sensitive() const { return state != ClassificationState::kClassified || level >= threshold; }
};

class Classification {
 public:
  // Compiles the detectors; INVALID_ARGUMENT names the list or pattern that does not compile.
  static absl::StatusOr<std::unique_ptr<Classification>> Make(const SensitivityConfig& config);
  // With other detectors: tests and fault injection.
  Classification(const SensitivityConfig& config, std::unique_ptr<Detectors> detectors);

  Sensitivity Classify(v1::SensitivityLevel declared, const TenantConfig& tenant, const Screened& screened) const;

 private:
  const SensitivityConfig config_;
  const std::unique_ptr<Detectors> detectors_;
};

}  // namespace headgate::router
