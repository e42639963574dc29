// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the tests of evasions share: what the rules find in a request, where a text may stand in one, and the count of
// what was missed.
//
// Thread-safety: none; each is used from one thread.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "router/classification.h"
#include "router/screening.h"

namespace headgate::router {

using Text = std::string;

inline v1::Message& Say(v1::GenerateRequest& request, v1::Role role, const Text& content) {
  v1::Message& message = *request.add_messages();
  message.set_role(role);
  message.set_content(content);
  return message;
}

inline int unread = 0;  // texts that were given up rather than read: sensitive too, but not because of what they hold

using Types = std::set<Text>;

// What it is found as: the types of what was found, empty when it is not sensitive.
inline Types Found(v1::GenerateRequest request) {
  // Rules alone: a model that takes a strange text for something else proves nothing.
  static const auto classification = [] {
    SensitivityConfig config;
    config.detector_levels["CN_USCI"] = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;  // otherwise it decides nothing
    auto detectors = MakePatternDetectors(config);
    EXPECT_TRUE(detectors.ok()) << detectors.status();
    return std::make_unique<Classification>(config, *std::move(detectors));
  }();
  static const Screening screening{LimitsConfig{}};
  const Prompt prompt(std::move(request));
  const Sensitivity sensitivity =
      classification->Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, {}, screening.Screen(prompt));
  unread += sensitivity.state != ClassificationState::kClassified;
  Types types;
  for (const v1::Finding& finding : sensitivity.findings) {
    if (sensitivity.sensitive() && finding.level() >= sensitivity.threshold) types.insert(finding.type());
  }
  return types;
}
inline Types Found(const Text& text) {
  v1::GenerateRequest request;
  Say(request, v1::ROLE_USER, text);
  return Found(std::move(request));
}
// Counts what was missed, by pair, and names an example of each.
class Misses {
 public:
  // One in `allowed_of` may be missed; 0: none.
  explicit Misses(int allowed_of = 0) : allowed_of_(allowed_of) { unread = 0; }
  ~Misses() {
    EXPECT_LE(unread, 2 + tried_ / 400);
    int missed = 0;
    for (const auto& [what, count] : counts_) missed += count;
    const bool few = allowed_of_ > 0 && missed <= tried_ / allowed_of_;
    for (const auto& [what, example] : examples_) {
      if (few) {
        std::cout << what << " (" << counts_[what] << "): " << example << "\n";
      } else {
        ADD_FAILURE() << what << " (" << counts_[what] << "): " << example;
      }
    }
    EXPECT_GT(tried_, 0);
  }
  void Check(bool found, const Text& what, const Text& example) {
    ++tried_;
    if (found) return;
    ++counts_[what];
    examples_.emplace(what, example);
  }
  int tried() const { return tried_; }

 private:
  const int allowed_of_;
  int tried_ = 0;
  std::map<Text, int> counts_;
  std::map<Text, Text> examples_;
};

// How often HEADGATE_ALL_EVASIONS asks for all; 0: not at all.
inline size_t RoundsOfAll() {
  const char* rounds = std::getenv("HEADGATE_ALL_EVASIONS");
  return rounds == nullptr ? 0 : static_cast<size_t>(std::atoi(rounds));
}

// Other values each time for whoever asks for them by HEADGATE_SEED.
inline uint32_t SeedOr(uint32_t seed) {
  const char* asked = std::getenv("HEADGATE_SEED");
  return asked == nullptr ? seed : static_cast<uint32_t>(std::atoll(asked));
}

// Where a value may stand in a request, and what it is wrapped in there.
struct Place {
  const char* name;
  std::function<void(const Text& text, v1::GenerateRequest& request)> put;
};
inline Text Dump(const Text& text, bool ascii) {
  return nlohmann::json({{"query", {{"note", text}, {"limit", 3}}}}).dump(-1, ' ', ascii);
}
inline void PutArguments(const Text& arguments, v1::GenerateRequest& request) {
  Say(request, v1::ROLE_USER, "Look it up.");
  v1::ToolCall& call = *Say(request, v1::ROLE_ASSISTANT, "").add_tool_calls();
  call.set_id("call_1");
  call.set_name("lookup");
  call.set_arguments(arguments);
  Say(request, v1::ROLE_TOOL, "sunny").set_tool_call_id("call_1");
}

}  // namespace headgate::router
