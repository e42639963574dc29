// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The parts of RouterConfig (config.h) that guard answers on their way out and remember conversations.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::router {

struct GuardWordList {
  std::string name;
  enum class Action { kRedact, kStop, kFlag, kReplace } action = Action::kRedact;
  std::vector<std::string> words;
  std::string replacement = {};            // kReplace
};

struct GuardPattern {
  std::string name;
  GuardWordList::Action action = GuardWordList::Action::kRedact;
  std::string pattern;                     // RE2 syntax
  std::string replacement = {};
};

// What the detectors find in an answer, at `level` or above.
struct GuardPersonalData {
  GuardWordList::Action action = GuardWordList::Action::kRedact;
  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  std::string replacement = {};
};

struct OutputGuardConfig {
  std::vector<GuardWordList> word_lists;
  std::vector<GuardPattern> patterns = {};
  std::optional<GuardPersonalData> personal_data = {};  // none: off
};

struct ConversationConfig {
  // A conversation that is not known, and cannot be shown to be clean: local, or judged by its text alone.
  enum class UnknownHistory { kLocal, kClassify };
  UnknownHistory unknown_history = UnknownHistory::kLocal;
  int64_t entries_max = 100'000;           // remembered turns and sessions, about 200 bytes each
  absl::Duration ttl = absl::Hours(24);    // since last seen
};

}  // namespace headgate::router
