// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Large requests are read on other threads: a small one does not wait for them, one for which there is no room counts
// as sensitive, and one that is cancelled leaves.
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "tests/fakes/time_scale.h"
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

// Useful for: detectors that stop at a large text until they are let go on, on whatever thread they are.
class HeldDetectors : public Detectors {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false, waited_too_long = false;
    int held = 0;  // now

    void Open() {
      const std::lock_guard<std::mutex> lock(mutex);
      open = true;
      changed.notify_all();
    }
    void WaitUntilHeld() {
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [this] { return held > 0; });
    }
  };
  explicit HeldDetectors(Gate& gate) : gate_(gate) {}
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override {
    if (text.text().size() < kInspectAsideBytes) return std::vector<Detection>();
    std::unique_lock<std::mutex> lock(gate_.mutex);
    ++gate_.held;
    gate_.changed.notify_all();
    const auto patience = std::chrono::seconds(60 * TimeScale());
    gate_.waited_too_long |= !gate_.changed.wait_for(lock, patience, [this] { return gate_.open; });
    --gate_.held;
    return std::vector<Detection>();
  }

 private:
  Gate& gate_;
};

// One request on its way.
struct Asked {
  Asked(World& world, const v1::GenerateRequest& request) : head(world.Head()), prompt(request) {
    Spawn(world.io, world.router->Generate(head, prompt, client, cancellation), &status);
    world.clock.RunUntilIdle();
  }
  RequestHead head;
  Prompt prompt;
  Client client;
  Cancellation cancellation;
  std::optional<absl::Status> status;
};

class InspectionTest : public testing::Test {
 protected:
  // Its detectors stop at what is large.
  void Hold(World& world) {
    auto guard = OutputGuard::Make(world.config.output_guard);
    ASSERT_TRUE(guard.ok()) << guard.status();
    auto held = std::make_unique<Classification>(world.config.sensitivity, std::make_unique<HeldDetectors>(gate_));
    world.router->Apply(std::make_shared<const Rules>(
        Rules{world.config, Screening(world.config.limits, world.config.input_filter), std::move(held),
              Policy(world.config.policy), *std::move(guard)}));
  }
  // What the threads have done comes back on the executor; while nothing does, time goes on.
  static void Finish(World& world, const Asked& asked) {
    const auto done = [&] { return asked.status.has_value(); };
    while (!world.clock.RunUntil(done, absl::ZeroDuration())) {
      world.io.restart();
      if (world.io.run_one_for(std::chrono::milliseconds(50)) == 0) world.clock.RunUntil(done, absl::Seconds(1));
    }
  }
  static v1::GenerateRequest Large() {
    std::string text;
    while (text.size() < kInspectAsideBytes) text += "Why is the sky blue? ";
    return World::Everyday(text);
  }

  HeldDetectors::Gate gate_;
};

TEST_F(InspectionTest, ASmallRequestDoesNotWaitForALargeOne) {
  World world({}, /*inspect_threads=*/1);
  Hold(world);
  Asked large(world, Large());
  gate_.WaitUntilHeld();
  EXPECT_FALSE(large.status);
  const Client small = world.Ask(World::Everyday());
  EXPECT_TRUE(small.status.ok()) << small.status;
  EXPECT_FALSE(large.status);
  EXPECT_FALSE(gate_.waited_too_long);
  gate_.Open();
  Finish(world, large);
  EXPECT_TRUE(large.status->ok()) << *large.status;
  EXPECT_EQ(world.cloud.calls(), 2);  // neither is sensitive
}

TEST_F(InspectionTest, NorForAnExplainOfALargeOne) {
  World world({}, /*inspect_threads=*/1);
  Hold(world);
  v1::ExplainRequest explain;
  *explain.mutable_request() = Large();
  Cancellation cancellation;
  std::optional<absl::StatusOr<v1::ExplainResponse>> answer;
  Spawn(world.io, world.router->Explain(explain, cancellation), &answer);
  world.clock.RunUntilIdle();
  gate_.WaitUntilHeld();
  EXPECT_FALSE(answer);
  const Client small = world.Ask(World::Everyday());
  EXPECT_TRUE(small.status.ok()) << small.status;
  // A reload meanwhile: it goes on with the rules that it began with.
  world.router->Apply(*Rules::Make(world.config));
  gate_.Open();
  const auto done = [&] { return answer.has_value(); };
  while (!world.clock.RunUntil(done, absl::ZeroDuration())) {
    world.io.restart();
    if (world.io.run_one_for(std::chrono::milliseconds(50)) == 0) world.clock.RunUntil(done, absl::Seconds(1));
  }
  ASSERT_TRUE(answer->ok()) << answer->status();
  EXPECT_EQ((*answer)->route().target(), v1::Route::TARGET_CLOUD);
  EXPECT_EQ(world.cloud.calls(), 1);  // the small one
}

TEST_F(InspectionTest, OneForWhichThereIsNoRoomIsSensitive) {
  World world({}, /*inspect_threads=*/1, /*inspect_waiting=*/1);
  Hold(world);
  Asked first(world, Large());
  gate_.WaitUntilHeld();
  Asked second(world, Large());
  const Client third = world.Ask(Large());
  EXPECT_TRUE(third.status.ok()) << third.status;
  EXPECT_EQ(world.cloud.calls(), 0);
  EXPECT_NE(world.Records("decision")[0]["findings"].dump().find("NOT_INSPECTABLE:busy"), std::string::npos);
  gate_.Open();
  Finish(world, first);
  Finish(world, second);
}

TEST_F(InspectionTest, WhatIsNotReadIsBlockedByAFilterThatBlocks) {
  World world([](RouterConfig& config) { config.input_filter.xss = InputFilterConfig::Action::kBlock; },
              /*inspect_threads=*/1, /*inspect_waiting=*/1);
  Hold(world);
  Asked first(world, Large());
  gate_.WaitUntilHeld();
  Asked second(world, Large());
  const Client third = world.Ask(Large());
  EXPECT_EQ(third.status.code(), absl::StatusCode::kPermissionDenied);
  gate_.Open();
  Finish(world, first);
  Finish(world, second);
}

TEST_F(InspectionTest, OneThatWaitsIsCancelledAtOnceOneThatIsReadWhenItHasBeen) {
  World world({}, /*inspect_threads=*/1);
  Hold(world);
  Asked read(world, Large());
  gate_.WaitUntilHeld();
  Asked waiting(world, Large());
  for (Asked* asked : {&waiting, &read}) {
    asked->cancellation.Cancel(absl::CancelledError("the client left"));
    world.clock.RunUntilIdle();
  }
  ASSERT_TRUE(waiting.status);
  EXPECT_EQ(waiting.status->code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(read.status);  // a thread reads it
  gate_.Open();
  Finish(world, read);
  EXPECT_EQ(read.status->code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(world.cloud.calls(), 0);
}

}  // namespace
}  // namespace headgate::router
