// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace headgate::engine {
namespace {

using testing::HasSubstr;

class ModelStoreTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  void SetUp() override {
    Write(model_, "GGUF and some weights");
    std::remove((model_ + ".manifest.json").c_str());
  }
  const std::string model_ = absl::StrCat(
      testing::TempDir(), "/", testing::UnitTest::GetInstance()->current_test_info()->name(), ".gguf");
};

TEST_F(ModelStoreTest, WritesReadsVerifies) {
  ASSERT_TRUE(WriteManifest(model_, "tiny").ok());
  const auto manifest = ReadManifest(model_);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_TRUE(manifest->has_value());
  EXPECT_EQ((*manifest)->name, "tiny");
  EXPECT_EQ((*manifest)->bytes, 21);
  EXPECT_TRUE(VerifyModel(model_, **manifest).ok());
}

TEST_F(ModelStoreTest, NoManifestIsNoError) {
  const auto manifest = ReadManifest(model_);
  ASSERT_TRUE(manifest.ok());
  EXPECT_FALSE(manifest->has_value());
}

TEST_F(ModelStoreTest, NoticesOneChangedByteAndAnotherSize) {
  ASSERT_TRUE(WriteManifest(model_, "tiny").ok());
  const auto manifest = ReadManifest(model_);
  Write(model_, "GGUF and same weights");
  const auto changed = VerifyModel(model_, **manifest);
  EXPECT_EQ(changed.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(changed.message()), HasSubstr("SHA-256"));
  Write(model_, "GGUF");
  EXPECT_THAT(std::string(VerifyModel(model_, **manifest).message()), HasSubstr("has 4 bytes; its manifest says 21"));
  EXPECT_EQ(VerifyModel(model_ + ".none", **manifest).code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelStoreTest, BadManifestsNameFileAndKey) {
  const std::string digest(64, 'a');
  const struct {
    const char* name;
    std::string text;
    const char* complaint;
  } rows[] = {
      {"not_json", "{", "is not a JSON object"},
      {"array", "[]", "is not a JSON object"},
      {"no_digest", R"({"bytes": 1})", "sha256: "},
      {"short_digest", R"({"sha256": "ab", "bytes": 1})", "sha256: "},
      {"digest_not_hex", absl::StrCat(R"({"sha256": ")", std::string(64, 'z'), R"(", "bytes": 1})"), "sha256: "},
      {"negative", absl::StrCat(R"({"sha256": ")", digest, R"(", "bytes": -1})"), "bytes: "},
      {"name_number", absl::StrCat(R"({"sha256": ")", digest, R"(", "bytes": 1, "name": 2})"), "name: "},
      {"unknown_key", absl::StrCat(R"({"sha256": ")", digest, R"(", "bytes": 1, "size": 2})"), "size: unknown key"},
      {"huge", std::string(70000, ' '), "larger than"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    Write(model_ + ".manifest.json", row.text);
    const auto manifest = ReadManifest(model_);
    ASSERT_EQ(manifest.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(manifest.status().message()), HasSubstr(".gguf.manifest.json: "));
    EXPECT_THAT(std::string(manifest.status().message()), HasSubstr(row.complaint));
  }
}

}  // namespace
}  // namespace headgate::engine
