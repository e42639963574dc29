// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Parts of the llama backend that need no model.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "engine/backend/cores.h"
#include "engine/backend/llama_json.h"
#include "engine/backend/llama_vocab.h"

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
