// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One model takes over from another: nothing accepted is lost, and never more than two are in memory.

#include "engine/engine_switch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

class EngineSwitchTest : public testing::Test {
 protected:
  ~EngineSwitchTest() override { gate_.Open(); }

  // An engine whose steps pass the gate when `gated`.
  std::unique_ptr<Engine> Make(const std::string& model, bool gated) {
    ReferenceConfig config{.model = model};
    if (gated) config.on_decode = [this](int32_t) { gate_.Pass(); };
    auto engine = Engine::Start({}, MakeReferenceBackend(config), metrics_);
    EXPECT_TRUE(engine.ok());
    return *std::move(engine);
  }
  std::shared_ptr<Answer> Submit(const v1::GenerateRequest& request, uint64_t* id = nullptr) {
    auto answer = std::make_shared<Answer>();
    const auto submitted = switch_->Submit(request, kNever, answer, "");
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    if (id != nullptr) *id = *submitted;
    return answer;
  }

  StepGate gate_;
  Metrics metrics_;
  std::unique_ptr<EngineSwitch> switch_;
};

TEST_F(EngineSwitchTest, TheOldOneFinishesItsAnswersAndGoes) {
  switch_ = std::make_unique<EngineSwitch>(Make("old", true));
  const auto request = Ask("a long answer forever", 60);
  gate_.Close();
  const auto before = Submit(request);
  gate_.WaitArrived(1);
  ASSERT_TRUE(switch_->Replace(Make("new", false)).ok());
  EXPECT_EQ(switch_->info().model, "new");
  const auto after = Submit(request);
  EXPECT_TRUE(after->WaitEnd().ok());
  EXPECT_FALSE(before->ended());
  EXPECT_EQ(switch_->CurrentLoad().running(), 1) << "the old one's is counted";
  // A third one would be too many.
  EXPECT_EQ(switch_->CheckReplace().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(switch_->Replace(Make("third", false)).code(), absl::StatusCode::kFailedPrecondition);
  switch_->Sweep();  // takes nothing that still works
  gate_.Open();
  EXPECT_TRUE(before->WaitEnd().ok());
  EXPECT_EQ(before->text(), Alone(request));
  while (!switch_->CheckReplace().ok()) switch_->Sweep();
  EXPECT_TRUE(switch_->Replace(Make("third", false)).ok());
  EXPECT_EQ(switch_->info().model, "third");
}

TEST_F(EngineSwitchTest, CancelFindsItsEngine) {
  switch_ = std::make_unique<EngineSwitch>(Make("old", true));
  gate_.Close();
  uint64_t old_id = 0;
  const auto before = Submit(Ask("one forever", 5000), &old_id);
  gate_.WaitArrived(1);
  ASSERT_TRUE(switch_->Replace(Make("new", false)).ok());
  uint64_t new_id = 0;
  const auto after = Submit(Ask("two", 8), &new_id);
  EXPECT_NE(old_id, new_id) << "both engines count from 1";
  EXPECT_TRUE(after->WaitEnd().ok());
  switch_->Cancel(old_id);
  gate_.Open();
  EXPECT_EQ(before->WaitEnd().code(), absl::StatusCode::kCancelled);
}

TEST_F(EngineSwitchTest, NobodyIsRefusedWhileItChanges) {
  switch_ = std::make_unique<EngineSwitch>(Make("m0", false));
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      while (!stop) {
        const auto answer = Submit(Ask(absl::StrCat("caller ", caller), 6));
        EXPECT_TRUE(answer->WaitEnd().ok());
        v1::EmbedRequest embed;
        embed.add_input("text");
        std::promise<absl::Status> embedded;
        switch_->Embed(embed, kNever,
                       [&](absl::StatusOr<v1::EmbedResponse> made) { embedded.set_value(made.status()); });
        const absl::Status status = embedded.get_future().get();
        EXPECT_TRUE(status.ok()) << status;
        ++answered;
      }
    });
  }
  int changes = 0;
  while (changes < 20 || answered < 40) {
    switch_->Sweep();
    if (switch_->CheckReplace().ok() && switch_->Replace(Make(absl::StrCat("m", changes + 1), false)).ok()) ++changes;
  }
  stop = true;
  for (auto& caller : callers) caller.join();
  switch_->Drain();
  EXPECT_EQ(switch_->Replace(Make("late", false)).code(), absl::StatusCode::kFailedPrecondition);
  while (!switch_->Drained()) std::this_thread::yield();
}

}  // namespace
}  // namespace headgate::engine
