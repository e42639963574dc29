// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A thousand slow streams at once through the router, and what they cost it.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "tests/fakes/deepseek_account.h"
#include "tests/integration/system/system_world.h"

namespace headgate {
namespace {

constexpr int kStreams = kSanitized ? 100 : 1000;

class SlowStreamsTest : public SystemWorld {
 protected:
  // The emulator's connections are this process's.
  void SetUp() override {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ASSERT_GE(limit.rlim_cur, static_cast<rlim_t>(kStreams + 200)) << "the limit of open files is too low (ulimit -n)";
  }
};

TEST_F(SlowStreamsTest, AThousandStreamsAtOnceAreAllAnsweredAndNoneIsMixedUp) {
  RouterYaml yaml;
  yaml.cloud = absl::StrCat("  connections_max: ", kStreams + 100, "\n");
  StartSystem(yaml, {"--reference"});
  DeepSeekPlan plan;
  plan.echo = true;  // 8 bytes a token
  plan.token_interval = absl::Milliseconds(500);  // a slow machine must start the last before the first has ended
  emulator_->SetDefaultPlan(plan);
  const auto stub = Inference();
  const std::string padding(130, '.');
  const ProcessUse before = Use(*router_);
  const MonotonicTime start = RealTime().Monotonic();
  std::vector<std::unique_ptr<StreamCall>> calls;
  for (int i = 0; i < kStreams; ++i) {
    calls.push_back(std::make_unique<StreamCall>(*stub, Request(absl::StrCat("Question ", i, padding, i), 100)));
  }
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_active == kStreams; }))
      << "at once: " << emulator_->stats().chats_active;
  const ProcessUse during = Use(*router_);
  for (const auto& call : calls) call->Wait();
  const absl::Duration took = RealTime().Monotonic() - start;
  const ProcessUse after = Use(*router_);
  for (const auto& call : calls) {
    SCOPED_TRACE(call->prompt());
    ASSERT_TRUE(call->status().ok()) << call->status().error_message();
    EXPECT_EQ(call->route().target(), v1::Route::TARGET_CLOUD);
    EXPECT_EQ(call->text(), absl::StrCat(DeepSeekMarker(call->prompt()), call->prompt()));
    EXPECT_EQ(call->routes(), 1);
    EXPECT_EQ(call->finishes(), 1);
    EXPECT_EQ(call->finish().usage().completion_tokens(), 1 + (static_cast<int>(call->prompt().size()) + 7) / 8);
  }
  EXPECT_EQ(emulator_->stats().chats_total, kStreams);
  WaitForRest();
  std::cout << kStreams << " slow streams in " << absl::FormatDuration(took) << ": router " << before.rss_mib
            << " MiB before, " << during.rss_mib << " MiB during, " << after.rss_mib << " MiB after, "
            << after.cpu_seconds - before.cpu_seconds << " s CPU, " << during.open_files.value_or(-1)
            << " open files during\n";
}

}  // namespace
}  // namespace headgate
