// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// screening: every string of the request becomes canonical text with a map back to the original bytes; what cannot be
// inspected is said so here and decides for "sensitive" later. What looks like an attack gets a score.
//
// Thread-safety: const methods from any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "headgate/v1/router.pb.h"
#include "router/config.h"
#include "router/prompt.h"
#include "router/screening_seams.h"
#include "router/sensitivity/attack_score.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/reading_work.h"

namespace headgate::router {

// One text to be read by the detectors: a string of the request, or a view derived from it.
struct ScreenedField {
  std::string field;  // `messages[2].content`; empty for texts put together
  CanonicalText text;
  // How the text was derived: empty (as sent), `decoded`, `unwrapped`; `seam`: put together, and perhaps decoded.
  std::string view = {};
  // Derived views: where in the field (in what was put together) each byte of the view came from, one past the end
  // included. Empty: the identity.
  std::vector<uint32_t> origin = {};
  // Of texts put together: in order.
  std::vector<Seam> seams = {};
  // What the text is about is asked elsewhere: in a later view that says the same, decoded, since codes are about
  // nothing. Only values are looked for.
  bool superseded = false;

  // The range of the field's own bytes that a detection's `span` stands for.
  CanonicalText::Span InField(CanonicalText::Span span) const;
  // The field's name for a finding at `in_field`: of texts put together `messages[1..2].content`, or `messages[2]` when
  // it lies in one of them.
  std::string FieldOf(CanonicalText::Span in_field) const;
  // False: it lies on one side of all seams, so by itself it was found in its own message already.
  bool Crosses(CanonicalText::Span in_field) const;
};

// Everything the detectors read. Content: never logged.
struct Screened {
  std::string digest;  // Prompt::digest of what was screened
  std::vector<ScreenedField> fields;
  // Of each kind the highest score at or above kAttackScoreMin, and where. Not a matter of sensitivity.
  struct Attack {
    std::string_view kind;  // of kAttackNames
    double score = 0;
    std::string field;
    InputFilterConfig::Action action = InputFilterConfig::Action::kFlag;
  };
  std::vector<Attack> attacks = {};
  int64_t work_left = ReadingWork::kFloor;   // for the detectors
  std::vector<std::string> not_inspectable;  // reasons, content-free: `invalid_utf8 messages[0].content`, `too_long`
};

// PERMISSION_DENIED when the input filter blocks what was found; names the kind.
absl::Status CheckInputFilter(const Screened& screened);
// Findings `ATTACK:<kind>` for audit and Explain; their level is unspecified, they do not raise any.
std::vector<v1::Finding> AttackFindings(const Screened& screened);
// Whether the input filter keeps the request in the cluster.
bool FilterKeepsLocal(const Screened& screened);

class Screening {
 public:
  explicit Screening(const LimitsConfig& limits, const InputFilterConfig& filter = {});
  Screened Screen(const Prompt& prompt) const;
  // For one that nobody will read (`reason`): nothing in it is known to be harmless.
  Screened Unread(const Prompt& prompt, const char* reason) const;

 private:
  void AddAttacks(const Prompt& prompt, Screened& screened) const;

  const int64_t inspect_bytes_max_;
  const std::array<InputFilterConfig::Action, kAttackNames.size()> actions_;
};

}  // namespace headgate::router
