// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Parts of the llama backend that need no model.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/backend/cores.h"
#include "engine/backend/llama_json.h"
#include "engine/backend/llama_vocab.h"
#include "engine/backend/thread_count.h"

namespace headgate::engine {
namespace {

class CoresTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path full(root_ + path);
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  std::string root_ = absl::StrCat(testing::TempDir(), "headgate_cgroup_", getpid());
};

TEST_F(CoresTest, NoQuota) {
  EXPECT_EQ(QuotaCores("0::/\n", root_), 0);
  Write("/cpu.max", "max 100000\n");
  EXPECT_EQ(QuotaCores("0::/\n", root_), 0);
}

TEST_F(CoresTest, VersionTwoTakesTheTightestUpToTheRoot) {
  Write("/kubepods/cpu.max", "250000 100000\n");
  Write("/kubepods/pod/cpu.max", "max 100000\n");
  EXPECT_EQ(QuotaCores("0::/kubepods/pod\n", root_), 3);
  Write("/kubepods/pod/cpu.max", "50000 100000\n");
  EXPECT_EQ(QuotaCores("0::/kubepods/pod\n", root_), 1);
  EXPECT_EQ(QuotaCores("", root_), 0);
}

TEST_F(CoresTest, VersionOne) {
  Write("/cpu/cpu.cfs_quota_us", "-1\n");
  Write("/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(QuotaCores("3:cpu,cpuacct:/\n", root_), 0);
  Write("/cpu/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(QuotaCores("3:cpu,cpuacct:/\n", root_), 4);
}

TEST_F(CoresTest, AtLeastOneCore) { EXPECT_GE(UsableCores(), 1); }

// Windows one after the other: what this thread had of each, and the threads that follow.
TEST(ThreadCountTest, OneFewerForEachNeighbour) {
  constexpr double kWindow = ThreadCount::kWindowSeconds;
  struct Window {
    double ran;
    double waited;
    int threads;
  };
  const struct {
    const char* name;
    int most;
    std::vector<Window> windows;
  } rows[] = {
      {"alone", 2, {{.25, .002, 2}, {.25, .01, 2}}},
      {"callers on the same cores", 2, {{.22, .03, 2}, {.22, .03, 2}}},
      {"a neighbour for a moment", 2, {{.15, .1, 2}, {.25, 0, 2}, {.15, .1, 2}, {.25, 0, 2}}},
      {"a neighbour on two cores", 2, {{.15, .1, 2}, {.15, .1, 1}, {.25, 0, 1}}},
      {"one on sixteen", 16, {{.235, .015, 16}, {.235, .015, 15}, {.249, .001, 15}}},
      {"four on sixteen", 16, {{.2, .05, 16}, {.2, .05, 12}}},
      {"one more comes", 4, {{.2, .05, 4}, {.2, .05, 3}, {.19, .06, 2}}},
      {"more than there are threads", 4, {{.01, .24, 4}, {.01, .24, 1}, {.01, .24, 1}}},
      {"one thread has nothing to give", 1, {{.1, .15, 1}, {.1, .15, 1}}},
      {"no time at all", 2, {{0, .25, 2}, {0, .25, 2}}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    ThreadCount count(row.most);
    CpuTimes times;
    for (const Window& window : row.windows) {
      EXPECT_FALSE(count.Ran(kWindow / 2));
      EXPECT_TRUE(count.Ran(kWindow / 2));
      times.ran += window.ran;
      times.waited += window.waited;
      EXPECT_EQ(count.Look(times), window.threads);
    }
  }
}

TEST(ThreadCountTest, AllAreTriedAgain) {
  constexpr double kWindow = ThreadCount::kWindowSeconds;
  ThreadCount count(2);
  CpuTimes times;
  const auto look = [&](double waited) {
    times.ran += kWindow - waited;
    times.waited += waited;
    count.Ran(kWindow);
    return count.Look(times);
  };
  const auto seconds_with_one = [&] {
    int windows = 1;
    while (look(0) == 1) ++windows;
    return windows * kWindow;
  };
  look(.1);
  ASSERT_EQ(look(.1), 1);
  for (const double seconds : {1, 2, 4, 8, 8}) {
    EXPECT_EQ(seconds_with_one(), seconds);
    EXPECT_EQ(look(.1), 1) << "still there";
  }
  EXPECT_EQ(seconds_with_one(), 8);
  EXPECT_EQ(look(0), 2) << "gone";
  EXPECT_EQ(look(.1), 2);
  EXPECT_EQ(look(.1), 1);
  EXPECT_EQ(seconds_with_one(), 1);
}

TEST(ThreadCountTest, TheKernelTells) {
  const auto times = CpuTimesOfThread();
  if (!times) GTEST_SKIP() << "no schedstat on this machine";
  EXPECT_GT(times->ran, 0);
  EXPECT_GE(times->waited, 0);
}

TEST(JsonDepthTest, CountsBracketsOutsideStrings) {
  EXPECT_EQ(JsonDepth(""), 0);
  EXPECT_EQ(JsonDepth(R"({"a":[1,{"b":2}]})"), 3);
  EXPECT_EQ(JsonDepth(R"({"[[[":"{{\"[["})"), 1);
  EXPECT_EQ(JsonDepth("]]]]["), 0);
  EXPECT_EQ(JsonDepth(std::string(100000, '[')), 100000);
}

TEST(FreeMarksTest, AvoidsBlocksThatOccur) {
  EXPECT_EQ(LlamaVocab::FreeMarks({}), U'\U000F0000');
  EXPECT_EQ(LlamaVocab::FreeMarks({"plain 🐉"}), U'\U000F0000');
  EXPECT_EQ(LlamaVocab::FreeMarks({"x\U000F00FF", "\U000F0100"}), U'\U000F0200');
}

TEST(FreeMarksTest, GivesUpWhenAllAreTaken) {
  std::string all;
  for (char32_t c = 0xF0000; c <= 0x10FFFF; c += 64) {
    all += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
            static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  }
  EXPECT_EQ(LlamaVocab::FreeMarks({all}), std::nullopt);
}

}  // namespace
}  // namespace headgate::engine
