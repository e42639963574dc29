// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The scheduler may not change an answer: alone, batched with others, and with others cancelled around it, it is the
// same to the last byte. The test of the test: with two sequences' cells swapped it must fail.

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

constexpr int kRequests = 40;

std::vector<v1::GenerateRequest> Requests() {
  std::mt19937 random(3);
  std::vector<v1::GenerateRequest> requests;
  for (int i = 0; i < kRequests; ++i) {
    std::string text = absl::StrCat("question ", i);
    for (uint32_t n = random() % 200; n > 0; --n) text += " the gate";
    auto request = Ask(text, 20 + static_cast<int32_t>(random() % 60));
    if (i % 3 == 0) request.mutable_sampling()->set_temperature(0.8f);
    request.mutable_sampling()->set_seed(static_cast<uint64_t>(i));
    if (i % 5 == 0) request.add_stop(" boat");
    if (i % 7 == 0) request.set_priority(v1::PRIORITY_BATCH);
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<std::string> AllAlone() {
  std::vector<std::string> answers;
  for (const auto& request : Requests()) answers.push_back(Alone(request));
  return answers;
}

// All at once, and between them one that is cancelled for each when `cancelled_around`. Few sequences and small steps,
// so that prompts come in chunks and requests wait.
std::vector<std::string> Together(ReferenceConfig config, bool cancelled_around) {
  StepGate gate;
  config.on_decode = [&gate](int32_t) { gate.Pass(); };
  gate.Close();
  Metrics metrics;
  auto engine = Engine::Start({.step_prefill_tokens = 37}, MakeReferenceBackend(config), metrics);
  EXPECT_TRUE(engine.ok());
  std::vector<std::shared_ptr<Answer>> answers;
  std::vector<std::pair<uint64_t, std::shared_ptr<Answer>>> doomed;
  for (const auto& request : Requests()) {
    if (cancelled_around) {
      auto other = std::make_shared<Answer>();
      const auto id = (*engine)->Submit(Ask(absl::StrCat(" forever ", doomed.size())), absl::InfiniteDuration(), other);
      EXPECT_TRUE(id.ok());
      doomed.emplace_back(*id, other);
    }
    answers.push_back(std::make_shared<Answer>());
    EXPECT_TRUE((*engine)->Submit(request, absl::InfiniteDuration(), answers.back()).ok());
  }
  // Of the first half some run and some wait; the others are cancelled later on, while all around them run.
  for (size_t i = 0; i < doomed.size(); i += 2) (*engine)->Cancel(doomed[i].first);
  for (size_t i = 1; i < doomed.size(); i += 2) {
    gate.Allow(2);
    gate.WaitArrived(static_cast<int>(i) + 2);
    (*engine)->Cancel(doomed[i].first);
  }
  gate.Open();
  std::vector<std::string> texts;
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer->WaitEnd().ok()) << answer->WaitEnd();
    texts.push_back(answer->text());
  }
  for (const auto& [id, answer] : doomed) EXPECT_EQ(answer->WaitEnd().code(), absl::StatusCode::kCancelled);
  const auto load = (*engine)->CurrentLoad();
  EXPECT_EQ(load.running(), 0);
  EXPECT_EQ(load.kv_cells_free(), load.kv_cells_total()) << "cells leaked";
  return texts;
}

const ReferenceConfig kSmall = {.context_tokens = 4096, .batch_tokens_max = 96, .sequences_max = 8};

TEST(Exactness, BatchedEqualsAlone) { EXPECT_EQ(Together(kSmall, false), AllAlone()); }

TEST(Exactness, CancelledAroundEqualsAlone) { EXPECT_EQ(Together(kSmall, true), AllAlone()); }

TEST(Exactness, NoticesSwappedCells) {
  ReferenceConfig swapped = kSmall;
  swapped.swap_cells = true;
  EXPECT_NE(Together(swapped, false), AllAlone()) << "the test above could not fail";
}

}  // namespace
}  // namespace headgate::engine
