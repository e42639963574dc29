// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A disk that hangs, behind the audit's files: this program's fdatasync waits for as long as a test wants.
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "router/audit.h"
#include "tests/fakes/manual_clock.h"

namespace {

struct Disk {
  std::mutex mutex;
  std::condition_variable changed;
  bool hangs = false;
  int waiting = 0;
} disk;

}  // namespace

extern "C" int fdatasync(int fd) {
  {
    std::unique_lock lock(disk.mutex);
    ++disk.waiting;
    disk.changed.notify_all();
    disk.changed.wait(lock, [] { return !disk.hangs; });
    --disk.waiting;
  }
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace headgate::router {
namespace {

class AuditStallTest : public ::testing::Test {
 protected:
  AuditStallTest() {
    std::filesystem::remove_all(config_.directory);
    auto files = OpenAuditFiles(config_, "chain", std::string(32, 'k'), io_.get_executor(), clock_);
    if (files.ok()) files_ = *std::move(files);
  }
  ~AuditStallTest() override {
    Hang(false);
    files_.reset();
    std::filesystem::remove_all(config_.directory);
  }
  static AuditConfig Config() {
    AuditConfig config;
    config.directory = (std::filesystem::temp_directory_path() / absl::StrCat("headgate_stall_", getpid())).string();
    return config;
  }
  static void Hang(bool hangs) {
    const std::lock_guard lock(disk.mutex);
    disk.hangs = hangs;
    disk.changed.notify_all();
  }
  static void WaitForFlush() {
    std::unique_lock lock(disk.mutex);
    disk.changed.wait(lock, [] { return disk.waiting > 0; });
  }
  absl::Status Append() { return files_->Append(absl::StrCat("{\"line\":", ++lines_, "}")); }
  // Runs what the disk's thread has handed over until `done`.
  void RunUntil(const bool& done) {
    auto busy = boost::asio::make_work_guard(io_);
    io_.restart();
    while (!done) io_.run_one();
    clock_.RunUntilIdle();
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
  const AuditConfig config_ = Config();
  std::unique_ptr<AuditStore> files_;
  int lines_ = 0;
};

TEST_F(AuditStallTest, AFlushThatTakesTooLongStopsTheWritingUntilItEnds) {
  ASSERT_NE(files_, nullptr);
  Hang(true);
  ASSERT_TRUE(Append().ok());
  bool flushed = false;
  absl::Status status = absl::UnknownError("not yet");
  files_->Sync([&](const absl::Status& synced) { flushed = true, status = synced; });
  WaitForFlush();
  clock_.Advance(absl::Milliseconds(2400));
  EXPECT_TRUE(Append().ok()) << "slow, not hung";
  clock_.Advance(absl::Milliseconds(200));
  const absl::Status refused = Append();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_NE(refused.message().find("does not answer"), std::string::npos) << refused;
  EXPECT_TRUE(absl::IsUnavailable(files_->AppendPayload("{}")));
  clock_.Advance(absl::Minutes(10));
  EXPECT_TRUE(absl::IsUnavailable(Append()));
  EXPECT_FALSE(flushed);
  Hang(false);
  RunUntil(flushed);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Append().ok());
  EXPECT_TRUE(files_->AppendPayload("{}").ok());
}

// Each flush has its own time: many slow ones are no hung one.
TEST_F(AuditStallTest, EveryFlushIsTimedByItself) {
  ASSERT_NE(files_, nullptr);
  for (int i = 0; i < 4; ++i) {
    Hang(true);
    ASSERT_TRUE(Append().ok());
    bool flushed = false;
    files_->Sync([&](const absl::Status&) { flushed = true; });
    WaitForFlush();
    clock_.Advance(absl::Seconds(2));
    EXPECT_TRUE(Append().ok());
    Hang(false);
    RunUntil(flushed);
  }
}

}  // namespace
}  // namespace headgate::router
