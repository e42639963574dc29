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
      testing::TempDir(), testing::UnitTest::GetInstance()->current_test_info()->name(), ".gguf");
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

TEST_F(ModelStoreTest, OldManifestsWithMd5) {
  // md5sum of "GGUF and some weights"
  const std::string md5 = "c78f18d93a3c2ee400cbf1d64b325ae0";
  Write(model_ + ".manifest.json", absl::StrCat(R"({"md5": ")", md5, R"(", "bytes": 21})"));
  const auto manifest = ReadManifest(model_);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(VerifyModel(model_, **manifest).ok());
  Write(model_, "GGUF and same weights");
  EXPECT_THAT(std::string(VerifyModel(model_, **manifest).message()), HasSubstr("MD5"));
  // A good MD5 does not save a bad SHA-256.
  Write(model_, "GGUF and some weights");
  Write(model_ + ".manifest.json",
        absl::StrCat(R"({"md5": ")", md5, R"(", "sha256": ")", std::string(64, 'a'), R"(", "bytes": 21})"));
  EXPECT_EQ(VerifyModel(model_, **ReadManifest(model_)).code(), absl::StatusCode::kDataLoss);
}

class CopiesTest : public ModelStoreTest {
 protected:
  void SetUp() override {
    ModelStoreTest::SetUp();
    for (const std::string& copy : copies_) Write(copy, "GGUF and some weights");
    ASSERT_TRUE(Promote(served_, "tiny", copies_).ok());
  }
  // Which copy is used; what is lost goes to lost_.
  std::string Use(const std::string& refused = "", absl::Status with = absl::InternalError("not loadable")) {
    const auto manifest = ReadServedManifest(served_);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    lost_.clear();
    std::string used;
    status_ = UseGoodCopy(*manifest,
                          [&](const std::string& copy) {
                            if (copy == refused) return with;
                            used = copy;
                            return absl::OkStatus();
                          },
                          lost_);
    return used;
  }
  const std::vector<std::string> copies_ = {model_ + ".0", model_ + ".1", model_ + ".2"};
  const std::string served_ = model_ + ".served.json";
  std::vector<std::string> lost_;
  absl::Status status_;
};

TEST_F(CopiesTest, TheFirstGoodOneIsUsedAndLossesAreTold) {
  EXPECT_EQ(Use(), copies_[0]);
  EXPECT_TRUE(lost_.empty());
  Write(copies_[0], "GGUF and same weights");
  EXPECT_EQ(Use(), copies_[1]);
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_THAT(lost_[0], HasSubstr(copies_[0] + ": has SHA-256"));
  std::remove(copies_[2].c_str());  // behind the good one: looked at all the same
  EXPECT_EQ(Use(), copies_[1]);
  EXPECT_EQ(lost_.size(), 2U);
  Write(copies_[0], "GGUF and some weights");
  EXPECT_EQ(Use(copies_[0]), copies_[1]) << "a copy that does not load is passed over too";
  std::remove(copies_[1].c_str());
  EXPECT_EQ(Use(copies_[0]), "");
  EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status_.message()), HasSubstr("none of 3 copies"));
}

TEST_F(CopiesTest, AWrongKeyIsNoLostCopy) {
  EXPECT_EQ(Use(copies_[0], absl::PermissionDeniedError("another key")), "");
  EXPECT_EQ(status_.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(CopiesTest, PromotionIsWholeOrNothing) {
  Write(copies_[1], "GGUF and same weights");
  EXPECT_EQ(Promote(served_, "new", copies_).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadServedManifest(served_)->name, "tiny");
  EXPECT_FALSE(Promote(served_, "new", {}).ok());
  EXPECT_FALSE(Promote(served_, "new", {model_ + ".none"}).ok());
  ASSERT_TRUE(Promote(served_, "new", {copies_[1]}).ok());
  EXPECT_EQ(ReadServedManifest(served_)->name, "new");
  EXPECT_EQ(Use(), copies_[1]);
}

TEST_F(CopiesTest, ServedManifestsMustNameCopies) {
  EXPECT_TRUE(IsManifestPath(served_));
  EXPECT_FALSE(IsManifestPath(model_));
  EXPECT_EQ(ReadServedManifest(model_ + ".none.json").status().code(), absl::StatusCode::kNotFound);
  const std::string head = absl::StrCat(R"({"sha256": ")", std::string(64, 'a'), R"(", "bytes": 1)");
  const struct {
    const char* name;
    std::string text;
    const char* complaint;
  } rows[] = {{"none", head + "}", "copies: names no file"},
              {"empty", head + R"(, "copies": []})", "copies: names no file"},
              {"not_a_list", head + R"(, "copies": "a"})", "copies: "},
              {"not_paths", head + R"(, "copies": [1]})", "copies: "},
              {"empty_path", head + R"(, "copies": [""]})", "copies: "},
              {"nested", std::string(30000, '['), "is not a JSON object"},
              {"huge_bytes", absl::StrCat(R"({"md5": ")", std::string(32, 'a'), R"(", "bytes": 18446744073709551615})"),
               "bytes: "}};
  for (const auto& row : rows) {
    Write(served_, row.text);
    const auto manifest = ReadServedManifest(served_);
    EXPECT_EQ(manifest.status().code(), absl::StatusCode::kInvalidArgument) << row.name;
    EXPECT_THAT(std::string(manifest.status().message()), HasSubstr(row.complaint)) << row.name;
  }
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
