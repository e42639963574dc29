// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using Lines = std::vector<std::string>;
using ::testing::HasSubstr;
const std::string kKey(32, 'k');

class Kept : public AuditStore {
 public:
  Kept(Lines& lines, const bool& broken) : lines_(lines), broken_(broken) {}
  absl::Status Append(const std::string& line) override {
    if (broken_) return absl::UnavailableError("full");
    lines_.push_back(line);
    return absl::OkStatus();
  }

 private:
  Lines& lines_;
  const bool& broken_;
};

struct World {
  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  Lines lines;
  bool broken = false;
  Audit audit{clock, kKey, std::make_unique<Kept>(lines, broken), "chain", metrics};

  absl::Status Write(const std::string& request_id) {
    v1::AuditRecord record;
    record.set_kind(v1::AuditRecord::KIND_DECISION);
    record.set_request_id(request_id);
    record.set_tenant("a");
    record.mutable_route()->set_target(v1::Route::TARGET_LOCAL);
    record.mutable_route()->add_reasons("sensitive");
    return audit.Write(std::move(record));
  }
};

TEST(Audit, AnyChangeToTheChainIsFound) {
  World world;
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(world.Write(absl::StrCat("req-", i)).ok());
  struct Row {
    const char* name;
    std::function<void(Lines&)> change;
    const char* complaint;  // null: good
  };
  const std::vector<Row> rows = {
      {"untouched", [](Lines&) {}, nullptr},
      {"empty", [](Lines& l) { l.clear(); }, nullptr},
      {"cut after a record", [](Lines& l) { l.resize(3); }, nullptr},  // shows as a missing chain_end
      {"changed target", [](Lines& l) { l[2].replace(l[2].find("\"local\""), 7, "\"cloud\""); }, "line 3: changed"},
      {"changed mac", [](Lines& l) { l[2][l[2].size() - 3] ^= 1; }, "line 3: changed"},
      {"first dropped", [](Lines& l) { l.erase(l.begin()); }, "line 1: a record before it is missing"},
      {"dropped in the middle", [](Lines& l) { l.erase(l.begin() + 3); }, "line 4: a record before it is missing"},
      {"two swapped", [](Lines& l) { std::swap(l[1], l[2]); }, "line 2: a record before it is missing"},
      {"repeated", [](Lines& l) { l.insert(l.begin() + 1, l[0]); }, "line 2: a record before it is missing"},
      {"cut in a record", [](Lines& l) { l[5].resize(l[5].size() / 2); }, "line 6: not a complete record"},
      {"cut before the last brace", [](Lines& l) { l[5].pop_back(); }, "line 6"},
      {"not a record", [](Lines& l) { l[0] = "{}"; }, "line 1: not a complete record"},
      {"blank", [](Lines& l) { l[0].clear(); }, "line 1: not a complete record"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Lines lines = world.lines;
    row.change(lines);
    const absl::Status status = VerifyAuditChain(kKey, lines);
    if (row.complaint == nullptr) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(status.message()), HasSubstr(row.complaint));
    }
  }
  EXPECT_FALSE(VerifyAuditChain(std::string(32, 'x'), world.lines).ok()) << "another key";
}

TEST(Audit, AnotherChainsRecordDoesNotFit) {
  World world, other;
  ASSERT_TRUE(world.Write("a").ok());
  ASSERT_TRUE(other.Write("b").ok() && other.Write("c").ok());
  EXPECT_FALSE(VerifyAuditChain(kKey, {world.lines[0], other.lines[1]}).ok());
}

TEST(Audit, AFailedWriteLeavesTheChainWhereItWas) {
  World world;
  ASSERT_TRUE(world.Write("a").ok());
  world.broken = true;
  EXPECT_EQ(world.Write("b").code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(world.audit.writable());
  world.broken = false;
  ASSERT_TRUE(world.Write("c").ok());
  EXPECT_TRUE(world.audit.writable());
  EXPECT_EQ(world.lines.size(), 2u);
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(Audit, AContentDigestNeedsTheKey) {
  World world;
  Lines lines;
  const bool broken = false;
  const Audit other(world.clock, std::string(32, 'x'), std::make_unique<Kept>(lines, broken), "c", world.metrics);
  EXPECT_EQ(world.audit.ContentDigest("d"), world.audit.ContentDigest("d"));
  EXPECT_NE(world.audit.ContentDigest("d"), other.ContentDigest("d"));
}

class AuditFilesTest : public ::testing::Test {
 protected:
  AuditFilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "headgate-audit-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~AuditFilesTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<AuditStore> Open(int64_t segment_bytes_max = 64 << 20) {
    auto store = OpenAuditFiles({directory_, "", segment_bytes_max}, "chain");
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) files.push_back(entry.path().filename());
    std::sort(files.begin(), files.end());
    return files;
  }
  Lines Read() const {
    Lines lines;
    for (const std::string& file : Files()) {
      std::ifstream in(std::filesystem::path(directory_) / file);
      for (std::string line; std::getline(in, line);) lines.push_back(line);
    }
    return lines;
  }
  std::string directory_;
};

TEST_F(AuditFilesTest, StartsANewSegmentBeforeOneGrowsTooLarge) {
  const auto store = Open(100);
  Lines written;
  for (int i = 0; i < 10; ++i) {
    written.push_back(absl::StrCat(i, std::string(39, 'x')));  // 41 bytes with the newline: two a segment
    ASSERT_TRUE(store->Append(written.back()).ok());
  }
  const std::vector<std::string> files = Files();
  ASSERT_EQ(files.size(), 5u);
  EXPECT_EQ(files[0], "audit-chain-000000.jsonl");
  EXPECT_EQ(files[4], "audit-chain-000004.jsonl");
  EXPECT_EQ(Read(), written);
  for (const std::string& file : files) {
    struct stat info {};
    ASSERT_EQ(::stat((directory_ + "/" + file).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_LE(info.st_size, 100);
  }
}

TEST_F(AuditFilesTest, NeverWritesIntoAFileThatIsThere) {
  ASSERT_TRUE(Open()->Append("first").ok());
  EXPECT_EQ(Open()->Append("second").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read(), Lines{"first"});
}

TEST_F(AuditFilesTest, SaysWhyADirectoryCannotBeUsed) {
  const std::string file = directory_ + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(OpenAuditFiles({file, "", 1000}, "chain").ok());
  EXPECT_FALSE(OpenAuditFiles({directory_ + "/none/below", "", 1000}, "chain").ok());
  ASSERT_EQ(::mkdir((directory_ + "/closed").c_str(), 0500), 0);
  const auto closed = OpenAuditFiles({directory_ + "/closed", "", 1000}, "chain");
  if (::geteuid() != 0) {  // nothing is closed to root
    EXPECT_EQ(closed.status().code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(AuditFilesTest, RecoversWhenTheDirectoryComesBack) {
  const auto store = Open();
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(store->Append("lost").code(), absl::StatusCode::kUnavailable);
  std::filesystem::create_directory(directory_);
  EXPECT_TRUE(store->Append("kept").ok());
  EXPECT_EQ(Read(), Lines{"kept"});
}

// The disk fills up in the middle of a line: a file size limit does the same to write(2), a short count and then an
// error.
TEST_F(AuditFilesTest, CutsOffAHalfWrittenLine) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto store = Open();
  ASSERT_TRUE(store->Append(std::string(49, 'a')).ok());
  rlimit small = before;
  small.rlim_cur = 70;  // 50 bytes are there
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status full = store->Append(std::string(49, 'b'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(full.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read(), Lines{std::string(49, 'a')});
  EXPECT_TRUE(store->Append(std::string(49, 'c')).ok());
  EXPECT_EQ(Read(), (Lines{std::string(49, 'a'), std::string(49, 'c')}));
}

}  // namespace
}  // namespace headgate::router
