// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/file_watch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  FileWatchTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / absl::StrCat("headgate_file_watch_test.", getpid());
  boost::asio::io_context io_;
  ManualClock clock_{io_};
  int changes_ = 0;
};

TEST_F(FileWatchTest, SeesEachChangeOnce) {
  const std::string a = Write("a", "1");
  const std::string b = Write("b", "1");
  FileWatch watch(clock_, {a, b}, FileWatch::Fingerprint({a, b}), absl::Seconds(5), [this] { ++changes_; });
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(changes_, 0);
  Write("b", "2");
  clock_.Advance(absl::Seconds(4));
  EXPECT_EQ(changes_, 0);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 1);
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(changes_, 1);
}

// A large dictionary takes seconds to compile, and is written again meanwhile.
TEST_F(FileWatchTest, SeesWhatChangedBetweenReadingAndWatching) {
  const std::string a = Write("a", "1");
  const std::string seen = FileWatch::Fingerprint({a});
  Write("a", "2");
  FileWatch watch(clock_, {a}, seen, absl::Seconds(5), [this] { ++changes_; });
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, SeesFilesVanishAndComeBack) {
  const std::string a = Write("a", "1");
  FileWatch watch(clock_, {a}, FileWatch::Fingerprint({a}), absl::Seconds(5), [this] { ++changes_; });
  fs::remove(a);
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(changes_, 1);
  Write("a", "1");
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(changes_, 2);
}

// How a mounted ConfigMap changes: the symlinked folder is swapped, the file's own path stays a link.
TEST_F(FileWatchTest, SeesAConfigMapSwap) {
  Write("v1/a", "1");
  Write("v2/a", "2");
  fs::create_directory_symlink("v1", folder_ / "data");
  fs::create_symlink("data/a", folder_ / "a");
  const std::vector<std::string> paths = {(folder_ / "a").string()};
  FileWatch watch(clock_, paths, FileWatch::Fingerprint(paths), absl::Seconds(5), [this] { ++changes_; });
  fs::create_directory_symlink("v2", folder_ / "data_tmp");
  fs::rename(folder_ / "data_tmp", folder_ / "data");
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, CheckNowDoesNotWait) {
  const std::string a = Write("a", "1");
  FileWatch watch(clock_, {a}, FileWatch::Fingerprint({a}), absl::Hours(1), [this] { ++changes_; });
  watch.CheckNow();
  EXPECT_EQ(changes_, 0);
  Write("a", "2");
  watch.CheckNow();
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, TheCallbackMayDestroyTheWatch) {
  const std::string a = Write("a", "1");
  std::unique_ptr<FileWatch> watch;
  const auto forget = [&] {
    ++changes_;
    watch.reset();
  };
  watch = std::make_unique<FileWatch>(clock_, std::vector<std::string>{a}, FileWatch::Fingerprint({a}),
                                      absl::Seconds(5), forget);
  Write("a", "2");
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(clock_.timers(), 0u);
}

}  // namespace
}  // namespace headgate
