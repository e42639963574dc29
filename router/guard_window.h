// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The part of the output guard that needs to see more than a word: patterns, and what the detectors find. A text flows
// through a window: it is looked at whenever its length passes a multiple of kStepBytes, and the last kHoldBytes stay
// inside until they are decided. All positions are counted in bytes of the text, so how it was cut into chunks makes no
// difference. A match is let go as a whole or not at all.
//
// What is longer than kHoldBytes is found when its beginning is enough to know it (a private key, a run of letters and
// digits up to kTokenBytesMax), or not at all.
//
// Thread-safety: GuardRules const methods from any thread; a GuardWindow belongs to one text.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "router/config.h"
#include "router/sensitivity/detectors.h"

namespace headgate::router {

class GuardRules {
 public:
  using Action = GuardWordList::Action;
  struct Match {
    size_t begin = 0, end = 0;
    Action action = Action::kRedact;
    const std::string* replacement = nullptr;
    std::string name;  // for audit: the rule's, or `personal_data:<type>`
  };

  // INVALID_ARGUMENT names the pattern that does not compile. `detectors` may be null without personal_data.
  static absl::StatusOr<std::unique_ptr<const GuardRules>> Make(const OutputGuardConfig& config,
                                                                std::shared_ptr<const Detectors> detectors);
  bool empty() const { return patterns_.empty() && !personal_data_; }
  // False when every rule only flags: then nothing needs to be held back.
  bool acts() const { return acts_; }
  // Matches that begin at `from` or later (and of personal data those that reach beyond it), by where they begin. An
  // error: the text could not be read completely.
  absl::StatusOr<std::vector<Match>> Find(std::string_view text, size_t from) const;

 private:
  struct Pattern {
    std::string name;
    Action action;
    std::string replacement;
    std::unique_ptr<const RE2> expression;
  };
  std::vector<Pattern> patterns_;
  std::optional<GuardPersonalData> personal_data_;
  std::shared_ptr<const Detectors> detectors_;
  bool acts_ = false;
};

class GuardWindow {
 public:
  static constexpr size_t kStepBytes = 64;
  static constexpr size_t kHoldBytes = 256;
  static constexpr size_t kContextBytes = 256;     // already out, but still looked at
  static constexpr size_t kTokenBytesMax = 4096;   // of an unbroken run of letters and digits
  static constexpr size_t kHeldBytesMax = 8192;    // beyond it the answer is stopped

  // Takes `piece` in, returns what may go out. After a stop match: everything before it, and `stopped` is set.
  std::string Push(const GuardRules& rules, std::string_view piece, std::set<std::string>& matched, bool& stopped);
  // The text has ended.
  std::string Flush(const GuardRules& rules, std::set<std::string>& matched, bool& stopped);

 private:
  std::string Look(const GuardRules& rules, bool last, std::set<std::string>& matched, bool& stopped);
  size_t Limit(const std::vector<GuardRules::Match>& matches, size_t end, bool last) const;
  std::string Release(const std::vector<GuardRules::Match>& matches, size_t limit, std::set<std::string>& matched,
                      bool& stopped);

  std::string text_;    // context, then what is held
  size_t out_ = 0;      // bytes of text_ that have gone out
  size_t length_ = 0;   // of the whole text so far
  bool ended_ = false;
  bool redacting_ = false;  // the last byte that went out belonged to a redaction
};

}  // namespace headgate::router
