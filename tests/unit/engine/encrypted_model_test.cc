// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/encrypted_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace headgate::engine {
namespace {

using testing::HasSubstr;

constexpr uint32_t kSegment = 4096;

ModelKey Key(uint8_t fill) {
  ModelKey::Bytes bytes{};
  bytes.fill(fill);
  return ModelKey(bytes);
}

class EncryptedModelTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              absl::StrCat("encrypted_model_", testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // `size` bytes that do not repeat, encrypted in "model.enc".
  std::string Encrypted(size_t size) {
    std::string plain = "GGUF a secret that must not be seen";
    std::mt19937 random(static_cast<unsigned>(size));
    while (plain.size() < size) plain += static_cast<char>(random());
    plain.resize(size);
    Write("model", plain);
    const absl::Status status =
        EncryptModel(Path("model"), Path("model.enc"), Key(1), SeededRandom(size), kSegment);
    EXPECT_TRUE(status.ok()) << status;
    return plain;
  }
  absl::StatusOr<std::string> Whole(const ModelKey& key = Key(1)) {
    auto model = EncryptedModel::Open(Path("model.enc"), key);
    if (!model.ok()) return model.status();
    std::vector<uint8_t> text(static_cast<size_t>((*model)->size()));
    const auto read = (*model)->ReadAt(0, absl::MakeSpan(text));
    if (!read.ok()) return read.status();
    EXPECT_EQ(*read, text.size());
    return std::string(text.begin(), text.end());
  }

  std::filesystem::path folder_;
};

TEST_F(EncryptedModelTest, RoundTripsOfEverySizeAroundASegment) {
  for (const size_t size : std::vector<size_t>{1, 4095, 4096, 4097, 8192, 50000}) {
    SCOPED_TRACE(size);
    SetUp();
    const std::string plain = Encrypted(size);
    EXPECT_TRUE(IsEncryptedModel(Path("model.enc")));
    EXPECT_FALSE(IsEncryptedModel(Path("model")));
    EXPECT_EQ(Read("model.enc").find("secret"), std::string::npos);
    const auto whole = Whole();
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(*whole, plain);
  }
}

TEST_F(EncryptedModelTest, TheStreamSeeksLikeAFile) {
  const std::string plain = Encrypted(30000);
  auto model = EncryptedModel::Open(Path("model.enc"), Key(1));
  ASSERT_TRUE(model.ok());
  std::FILE* const stream = (*model)->OpenStream();
  ASSERT_NE(stream, nullptr);
  ASSERT_EQ(std::fseek(stream, 0, SEEK_END), 0);
  EXPECT_EQ(std::ftell(stream), 30000);
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const auto at = static_cast<size_t>(random() % 30001);
    const auto count = static_cast<size_t>(random() % 9000);
    std::string got(count, '\0');
    ASSERT_EQ(std::fseek(stream, static_cast<long>(at), SEEK_SET), 0);
    got.resize(std::fread(got.data(), 1, count, stream));
    ASSERT_EQ(got, plain.substr(at, count)) << at << " " << count;
  }
  std::fclose(stream);
  EXPECT_TRUE((*model)->status().ok());
}

TEST_F(EncryptedModelTest, AnotherKeyIsSaidToBeAnother) {
  Encrypted(9000);
  const auto wrong = Whole(Key(2));
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("another key"));
}

TEST_F(EncryptedModelTest, OneFlippedBitIsNoticedWhereverItIs) {
  Encrypted(9000);
  const std::string good = Read("model.enc");
  for (size_t at = 0; at < good.size(); at += at < 64 ? 1 : 97) {
    SCOPED_TRACE(at);
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    Write("model.enc", bad);
    const auto whole = Whole();
    EXPECT_FALSE(whole.ok());
    if (at < 64) continue;
    EXPECT_THAT(std::string(whole.status().message()), HasSubstr("segment "));
  }
}

TEST_F(EncryptedModelTest, SegmentsCannotBeMovedOrLeftOut) {
  Encrypted(3 * kSegment);
  const std::string good = Read("model.enc");
  const size_t step = kSegment + 16;
  Write("model.enc", good.substr(0, 64) + good.substr(64 + step, step) + good.substr(64, step) +
                         good.substr(64 + 2 * step));
  EXPECT_EQ(Whole().status().code(), absl::StatusCode::kDataLoss) << "two swapped";
  Write("model.enc", good.substr(0, good.size() - step));
  EXPECT_EQ(Whole().status().code(), absl::StatusCode::kDataLoss) << "the last one missing";
  Write("model.enc", good.substr(0, 40));
  EXPECT_EQ(Whole().status().code(), absl::StatusCode::kInvalidArgument) << "half a header";
  Write("model.enc", good.substr(0, 16) + std::string(8, '\0') + good.substr(24, 40));
  EXPECT_EQ(Whole().status().code(), absl::StatusCode::kInvalidArgument) << "a header of nothing, which no tag proves";
}

TEST_F(EncryptedModelTest, AStreamOverDamageFailsAndSaysWhere) {
  Encrypted(3 * kSegment);
  std::string bad = Read("model.enc");
  bad[64 + kSegment + 16 + 5] = static_cast<char>(bad[64 + kSegment + 16 + 5] ^ 1);
  Write("model.enc", bad);
  auto model = EncryptedModel::Open(Path("model.enc"), Key(1));
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->VerifyAll().code(), absl::StatusCode::kDataLoss);
  std::FILE* const stream = (*model)->OpenStream();
  std::string got(3 * kSegment, '\0');
  EXPECT_LT(std::fread(got.data(), 1, got.size(), stream), got.size());
  EXPECT_NE(std::ferror(stream), 0);
  std::fclose(stream);
  EXPECT_THAT(std::string((*model)->status().message()), HasSubstr("segment 1 "));
}

TEST_F(EncryptedModelTest, NeverOverwrites) {
  Encrypted(100);
  EXPECT_EQ(EncryptModel(Path("model"), Path("model.enc"), Key(1), SeededRandom(1)).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(EncryptModel(Path("none"), Path("x"), Key(1), SeededRandom(1)).code(), absl::StatusCode::kNotFound);
  Write("empty", "");
  EXPECT_EQ(EncryptModel(Path("empty"), Path("x"), Key(1), SeededRandom(1)).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EncryptedModelTest, KeysComeFromFileEnvironmentOrCommand) {
  const std::string hex = "0101010101010101010101010101010101010101010101010101010101010101";
  Write("hex", hex + "\n");
  Write("raw", std::string(32, '\1'));
  Write("short", "0101");
  setenv("HEADGATE_TEST_MODEL_KEY", hex.c_str(), 1);
  setenv("HEADGATE_TEST_RAW_KEY", std::string(32, '\1').c_str(), 1);
  const struct {
    const char* name;
    std::string source;
    absl::StatusCode code;
  } rows[] = {
      {"hex_file", "file:" + Path("hex"), absl::StatusCode::kOk},
      {"raw_file", "file:" + Path("raw"), absl::StatusCode::kOk},
      {"short_file", "file:" + Path("short"), absl::StatusCode::kInvalidArgument},
      {"no_file", "file:" + Path("none"), absl::StatusCode::kNotFound},
      {"environment", "env:HEADGATE_TEST_MODEL_KEY", absl::StatusCode::kOk},
      {"raw_environment", "env:HEADGATE_TEST_RAW_KEY", absl::StatusCode::kInvalidArgument},
      {"no_environment", "env:HEADGATE_TEST_NO_SUCH_KEY", absl::StatusCode::kNotFound},
      {"command", "command:cat " + Path("hex"), absl::StatusCode::kOk},
      {"command_raw", "command:cat " + Path("raw"), absl::StatusCode::kInvalidArgument},
      {"command_fails", "command:false", absl::StatusCode::kUnavailable},
      {"nothing", "", absl::StatusCode::kInvalidArgument},
      {"unknown", hex, absl::StatusCode::kInvalidArgument},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto key = LoadModelKey(row.source);
    EXPECT_EQ(key.status().code(), row.code) << key.status();
    EXPECT_EQ(std::string(key.status().message()).find("0101"), std::string::npos) << "a message that shows the key";
    if (!key.ok()) continue;
    EXPECT_EQ(key->bytes(), Key(1).bytes());
  }
}

}  // namespace
}  // namespace headgate::engine
