// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/text_models.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/weights/digests.h"
#include "router/sensitivity/weights/weights.h"

namespace headgate::router {
namespace {

absl::Status CheckDigest(const char* name, std::string_view bytes, std::string_view sha256) {
  if (Hex(Sha256(bytes)) == sha256) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(name, ": the weights are not the ones that were checked in"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const TextModels>> TextModels::Builtin() {
  return Load(TopicWeights(), kTopicSha256, NameWeights(), kNameSha256);
}

absl::StatusOr<std::unique_ptr<const TextModels>> TextModels::Load(std::string_view topic,
                                                                   std::string_view topic_sha256,
                                                                   std::string_view names,
                                                                   std::string_view names_sha256) {
  RETURN_IF_ERROR(CheckDigest("topic model", topic, topic_sha256));
  RETURN_IF_ERROR(CheckDigest("name tagger", names, names_sha256));
  ASSIGN_OR_RETURN(TopicModel topics, TopicModel::Load(topic));
  ASSIGN_OR_RETURN(NameTagger tagger, NameTagger::Load(names));
  return std::unique_ptr<TextModels>(new TextModels(std::move(topics), std::move(tagger)));
}

TextModels::Reading TextModels::Read(std::string_view canonical) const {
  Reading reading;
  constexpr size_t kUnitSteps = 70;
  std::vector<Unit> units = SplitUnits(canonical);
  ReadingWork::Spend(kUnitSteps * units.size());
  reading.names = names_.Tag(units);
  reading.topics = reading.names.empty() ? topics_.Score(units) : topics_.Score(ReplaceNames(units, reading.names));
  return reading;
}

}  // namespace headgate::router
