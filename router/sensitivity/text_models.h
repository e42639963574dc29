// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TextModels: the models that are part of the program, and one reading of a text by all of them. The weights are
// checked in (router/sensitivity/weights) and embedded; their SHA-256 is compared with the one that tools/train wrote
// down, so a wrong or damaged file is an error here and every request is sensitive.
//
// Thread-safety: immutable; Read from any thread.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "router/sensitivity/name_tagger.h"
#include "router/sensitivity/topic_model.h"

namespace headgate::router {

class TextModels {
 public:
  struct Reading {
    std::vector<NameSpan> names;
    std::array<TopicScore, kTopics> topics;  // by Topic
  };

  // DATA_LOSS when the weights are not those that were checked in.
  static absl::StatusOr<std::unique_ptr<const TextModels>> Builtin();
  // Other weights, with their SHA-256 in hex: tools/train, tests.
  static absl::StatusOr<std::unique_ptr<const TextModels>> Load(std::string_view topic, std::string_view topic_sha256,
                                                                std::string_view names, std::string_view names_sha256);

  // Offsets are bytes of `canonical`.
  Reading Read(std::string_view canonical) const;

 private:
  TextModels(TopicModel topics, NameTagger names) : topics_(std::move(topics)), names_(std::move(names)) {}
  const TopicModel topics_;
  const NameTagger names_;
};

}  // namespace headgate::router
