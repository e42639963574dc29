// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/file_watch.h"

#include <sys/stat.h>
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

  std::unique_ptr<FileWatch> Watch(const std::vector<std::string>& paths, absl::Duration interval = absl::Seconds(5)) {
    auto watch = std::make_unique<FileWatch>(io_.get_executor(), clock_, interval, [this] { ++changes_; });
    watch->Watch(paths, FileWatch::Fingerprint(paths));
    return watch;
  }
  // Until what is read on another thread has come back.
  void Settle() {
    io_.restart();
    io_.run();
  }
  void Advance(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock_.Advance(absl::Seconds(1));
      Settle();
    }
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / absl::StrCat("headgate_file_watch_test.", getpid());
  boost::asio::io_context io_;
  ManualClock clock_{io_};
  int changes_ = 0;
};

TEST_F(FileWatchTest, SeesEachChangeOnce) {
  const std::string a = Write("a", "1");
  const std::string b = Write("b", "1");
  const auto watch = Watch({a, b});
  Advance(20);
  EXPECT_EQ(changes_, 0);
  Write("b", "2");
  Advance(4);
  EXPECT_EQ(changes_, 0);
  Advance(1);
  EXPECT_EQ(changes_, 1);
  Advance(60);
  EXPECT_EQ(changes_, 1);
}

// A large dictionary takes seconds to compile, and is written again meanwhile.
TEST_F(FileWatchTest, SeesWhatChangedBetweenReadingAndWatching) {
  const std::string a = Write("a", "1");
  const std::string seen = FileWatch::Fingerprint({a});
  Write("a", "2");
  const auto watch = Watch({a});
  watch->Watch({a}, seen);
  Advance(20);
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, SeesFilesVanishAndComeBack) {
  const std::string a = Write("a", "1");
  const auto watch = Watch({a});
  fs::remove(a);
  Advance(5);
  EXPECT_EQ(changes_, 1);
  Write("a", "1");
  Advance(5);
  EXPECT_EQ(changes_, 2);
}

// How a mounted ConfigMap changes: the symlinked folder is swapped, the file's own path stays a link.
TEST_F(FileWatchTest, SeesAConfigMapSwap) {
  Write("v1/a", "1");
  Write("v2/a", "2");
  fs::create_directory_symlink("v1", folder_ / "data");
  fs::create_symlink("data/a", folder_ / "a");
  const std::vector<std::string> paths = {(folder_ / "a").string()};
  const auto watch = Watch(paths);
  fs::create_directory_symlink("v2", folder_ / "data_tmp");
  fs::rename(folder_ / "data_tmp", folder_ / "data");
  Advance(5);
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, CheckNowDoesNotWait) {
  const std::string a = Write("a", "1");
  const auto watch = Watch({a}, absl::Hours(1));
  watch->CheckNow();
  Settle();
  EXPECT_EQ(changes_, 0);
  Write("a", "2");
  watch->CheckNow();
  Settle();
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, TheCallbackMayDestroyTheWatch) {
  const std::string a = Write("a", "1");
  std::unique_ptr<FileWatch> watch;
  const auto forget = [&] {
    ++changes_;
    watch.reset();
  };
  watch = std::make_unique<FileWatch>(io_.get_executor(), clock_, absl::Seconds(5), forget);
  watch->Watch({a}, FileWatch::Fingerprint({a}));
  Write("a", "2");
  Advance(60);
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(clock_.timers(), 0u);
}

// What a reload names is watched instead; what was being read for the old list meanwhile does not count.
TEST_F(FileWatchTest, OtherFilesFromNowOn) {
  const std::string a = Write("a", "1"), b = Write("b", "1");
  const auto watch = Watch({a});
  watch->CheckNow();
  watch->Watch({b}, FileWatch::Fingerprint({b}));
  Settle();
  EXPECT_EQ(changes_, 0);
  Write("a", "2");
  Advance(10);
  EXPECT_EQ(changes_, 0);
  Write("b", "2");
  Advance(10);
  EXPECT_EQ(changes_, 1);
}

// The executor goes on while they are read: a named pipe is not read before somebody writes to it.
TEST_F(FileWatchTest, ReadsBesideTheExecutor) {
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  FileWatch watch(io_.get_executor(), clock_, absl::Hours(1), [this] { ++changes_; });
  watch.Watch({pipe}, "seen");
  watch.CheckNow();
  io_.restart();
  io_.poll();
  EXPECT_EQ(changes_, 0);
  Write("pipe", "1");
  Settle();
  EXPECT_EQ(changes_, 1);
}

}  // namespace
}  // namespace headgate
