// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/classification.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace headgate::router {
namespace {

constexpr size_t kFindingsMax = 64;

v1::Finding MakeFinding(std::string type, v1::SensitivityLevel level, std::string field) {
  v1::Finding finding;
  finding.set_type(std::move(type));
  finding.set_level(level);
  finding.set_score(1);
  finding.set_field(std::move(field));
  return finding;
}

// A level that this build does not know is the highest one.
v1::SensitivityLevel Known(v1::SensitivityLevel level) {
  return v1::SensitivityLevel_IsValid(level) ? level : v1::SENSITIVITY_LEVEL_RESTRICTED;
}

// Levels only ever rise; findings beyond the bound still count for the level. Of the findings, the highest are kept.
class Verdict {
 public:
  explicit Verdict(Sensitivity& sensitivity) : sensitivity_(sensitivity) {}
  void Add(v1::Finding finding) {
    sensitivity_.level = std::max(sensitivity_.level, finding.level());
    auto& findings = sensitivity_.findings;
    const auto same = [&](const v1::Finding& other) {
      return other.type() == finding.type() && other.field() == finding.field() && other.begin() == finding.begin() &&
             other.end() == finding.end();
    };
    // The same value in a derived view of its field.
    if (std::any_of(findings.begin(), findings.end(), same)) return;
    if (findings.size() < kFindingsMax) {
      findings.push_back(std::move(finding));
      return;
    }
    const auto lowest = std::min_element(findings.begin(), findings.end(),
                                         [](const auto& a, const auto& b) { return a.level() < b.level(); });
    if (lowest->level() < finding.level()) *lowest = std::move(finding);
  }
  // Nothing that could be added would change it.
  bool Settled() const {
    const auto& findings = sensitivity_.findings;
    return findings.size() >= kFindingsMax && std::all_of(findings.begin(), findings.end(), [](const auto& finding) {
             return finding.level() >= v1::SENSITIVITY_LEVEL_RESTRICTED;
           });
  }

 private:
  Sensitivity& sensitivity_;
};

// A detector that throws is a detector that could not finish.
absl::StatusOr<std::vector<Detection>> ScanGuarded(const Detectors& detectors, const ScreenedField& field) {
  try {
    return field.superseded ? detectors.ScanValues(field.text) : detectors.Scan(field.text);
  } catch (...) {
    return absl::InternalError("a detector threw");
  }
}

// `invalid_utf8 messages[0].content` names the reason and, where there is one, the field.
v1::Finding NotInspectable(const std::string& reason) {
  const size_t space = reason.find(' ');
  return MakeFinding(absl::StrCat("NOT_INSPECTABLE:", reason.substr(0, space)), v1::SENSITIVITY_LEVEL_RESTRICTED,
                     space == std::string::npos ? "" : reason.substr(space + 1));
}

// What says something of a passage rather than what a value is.
bool IsOfAPassage(std::string_view type) {
  constexpr std::string_view kPassages[] = {"HEALTH_RECORD",     "FINANCE_RECORD",   "CREDENTIAL_TEXT",
                                            "INTERNAL_DOCUMENT", "PERSON_ATTRIBUTE", "ADDRESS_TEXT"};
  return std::find(std::begin(kPassages), std::end(kPassages), type) != std::end(kPassages);
}

// A value that says nothing by itself, whose label stands in the message before (`Your SSN?`): found in neither alone,
// so nothing as high is known yet.
bool LabelledOverASeam(const Detection& detection, const Sensitivity& so_far) {
  return detection.level > so_far.level && detection.level == v1::SENSITIVITY_LEVEL_RESTRICTED &&
         !IsOfAPassage(detection.type);
}

}  // namespace

std::string_view Name(ClassificationState state) {
  switch (state) {
    case ClassificationState::kUnclassified:
      return "unclassified";
    case ClassificationState::kClassified:
      return "classified";
    case ClassificationState::kSkipped:
      return "skipped";
    case ClassificationState::kUnavailable:
      return "unavailable";
  }
  return "unknown";
}

absl::StatusOr<std::unique_ptr<Classification>> Classification::Make(const SensitivityConfig& config) {
  if (config.threshold > v1::SENSITIVITY_LEVEL_CONFIDENTIAL) {
    return absl::InvalidArgumentError("threshold: must not be above confidential");
  }
  // Without its models this is not the classification that was measured: nothing is served.
  ASSIGN_OR_RETURN(std::shared_ptr<const TextModels> models, TextModels::Builtin());
  ASSIGN_OR_RETURN(std::unique_ptr<Detectors> detectors, MakePatternDetectors(config, std::move(models)));
  return std::make_unique<Classification>(config, std::move(detectors));
}

Classification::Classification(const SensitivityConfig& config, std::unique_ptr<Detectors> detectors)
    : config_(config), detectors_(std::move(detectors)) {}

Sensitivity Classification::Classify(v1::SensitivityLevel declared, const TenantConfig& tenant,
                                     const Screened& screened) const {
  Sensitivity sensitivity;
  sensitivity.digest = screened.digest;
  sensitivity.threshold = std::min(config_.threshold, v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
  sensitivity.level = v1::SENSITIVITY_LEVEL_PUBLIC;
  sensitivity.state = ClassificationState::kClassified;
  Verdict verdict(sensitivity);
  if (declared != v1::SENSITIVITY_LEVEL_UNSPECIFIED) verdict.Add(MakeFinding("DECLARED_LEVEL", Known(declared), ""));
  if (tenant.sensitivity_floor != v1::SENSITIVITY_LEVEL_UNSPECIFIED) {
    verdict.Add(MakeFinding("TENANT_FLOOR", Known(tenant.sensitivity_floor), ""));
  }
  for (const std::string& reason : screened.not_inspectable) {
    sensitivity.state = ClassificationState::kUnclassified;
    verdict.Add(NotInspectable(reason));
  }
  // Nobody screened this: an empty Screened must not read as "nothing found".
  if (screened.digest.empty()) {
    sensitivity.state = ClassificationState::kUnclassified;
    verdict.Add(NotInspectable("not_screened"));
  }
  ReadingWork work(screened.work_left);
  const ReadingWork::Use use(work);
  for (const ScreenedField& field : screened.fields) {
    if (verdict.Settled()) break;
    const absl::StatusOr<std::vector<Detection>> detections = ScanGuarded(*detectors_, field);
    if (!detections.ok()) {
      sensitivity.state = ClassificationState::kUnavailable;
      verdict.Add(MakeFinding("DETECTOR_UNAVAILABLE", v1::SENSITIVITY_LEVEL_RESTRICTED, field.field));
      break;  // the answer is settled; a broken detector should not cost the rest of the request as well
    }
    for (const Detection& detection : *detections) {
      if (field.superseded && IsOfAPassage(detection.type)) continue;
      CanonicalText::Span span = field.InField(detection.span);
      if (!field.seams.empty() && !field.Crosses(span) && !LabelledOverASeam(detection, sensitivity)) continue;
      v1::Finding finding = MakeFinding(detection.type, Known(detection.level), field.FieldOf(span));
      if (!field.seams.empty()) span = {};  // of no one text
      finding.set_score(detection.score);
      finding.set_begin(span.begin);
      finding.set_end(span.end);
      verdict.Add(std::move(finding));
    }
    if (work.spent()) break;
  }
  if (work.spent() && sensitivity.state == ClassificationState::kClassified) {
    sensitivity.state = ClassificationState::kUnclassified;
    verdict.Add(NotInspectable("read_limit"));
  }
  return sensitivity;
}

}  // namespace headgate::router
