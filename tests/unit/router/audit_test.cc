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

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "router/audit_record.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using Lines = std::vector<std::string>;
using ::testing::HasSubstr;
const std::string kKey(32, 'k');

class Kept : public AuditStore {
 public:
  using Waiting = std::vector<std::function<void(absl::Status)>>;
  Kept(Lines& lines, const bool& broken, Waiting* waiting = nullptr)
      : lines_(lines), broken_(broken), waiting_(waiting) {}
  absl::Status Append(const std::string& line) override {
    if (broken_) return absl::UnavailableError("full");
    lines_.push_back(line);
    return absl::OkStatus();
  }
  void Sync(std::function<void(absl::Status)> done) override {
    if (waiting_ == nullptr) return done(absl::OkStatus());
    waiting_->push_back(std::move(done));
  }

 private:
  Lines& lines_;
  const bool& broken_;
  Waiting* const waiting_;
};

AuditConfig Waits() {
  AuditConfig config;
  config.durability = AuditConfig::Durability::kBeforeEgress;
  return config;
}

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
  ASSERT_EQ(world.lines.size(), 3u);
  EXPECT_THAT(world.lines[2], HasSubstr("records lost: 1"));
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(Audit, WritesAgainWithoutBeingAsked) {
  World world;
  world.broken = true;
  EXPECT_FALSE(world.Write("a").ok());
  EXPECT_FALSE(world.Write("b").ok());
  world.clock.Advance(absl::Seconds(5));
  EXPECT_FALSE(world.audit.writable());
  world.broken = false;
  world.clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(world.audit.writable());
  ASSERT_EQ(world.lines.size(), 1u);
  EXPECT_THAT(world.lines[0], HasSubstr("records lost: 2"));
  world.clock.Advance(absl::Minutes(1));
  EXPECT_EQ(world.lines.size(), 1u);
  EXPECT_EQ(world.clock.timers(), 0u);
}

TEST(Audit, AProcessWideCommitDoesNotWait) {
  World world;
  Cancellation cancellation;
  EXPECT_TRUE(world.clock.Await(world.audit.Commit(world.io.get_executor(), cancellation)).ok());
}

TEST(Audit, ACommitWaitsForTheMedium) {
  World world;
  Kept::Waiting medium;
  Lines lines;
  Audit audit(world.clock, kKey, std::make_unique<Kept>(lines, world.broken, &medium), "c", world.metrics, Waits());
  struct Row {
    const char* name;
    absl::Duration after;
    absl::Status answer;  // of the medium
    bool cancel;
    absl::StatusCode code;
    bool writable;
  };
  const absl::Status bad = absl::UnavailableError("input/output error");
  const std::vector<Row> rows = {
      {"in time", absl::Milliseconds(8), absl::OkStatus(), false, absl::StatusCode::kOk, true},
      {"an error", absl::Milliseconds(8), bad, false, absl::StatusCode::kUnavailable, false},
      {"in time again", absl::Milliseconds(8), absl::OkStatus(), false, absl::StatusCode::kOk, true},
      {"too late", absl::Seconds(3), absl::OkStatus(), false, absl::StatusCode::kUnavailable, false},
      {"the client left", absl::Milliseconds(8), absl::OkStatus(), true, absl::StatusCode::kCancelled, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    medium.clear();
    Cancellation cancellation;
    std::optional<absl::Status> result;
    Spawn(world.io, audit.Commit(world.io.get_executor(), cancellation), &result);
    world.clock.RunUntilIdle();
    EXPECT_FALSE(result.has_value());
    if (row.cancel) cancellation.Cancel(absl::CancelledError("left"));
    world.clock.Advance(row.after);
    const bool before = audit.writable();
    for (auto& done : Kept::Waiting(medium)) done(row.answer);
    EXPECT_EQ(audit.writable(), row.answer.ok()) << "the medium has spoken";
    world.clock.RunUntilIdle();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->code(), row.code);
    if (row.after > absl::Seconds(2)) EXPECT_FALSE(before) << "nothing leaves while the disk hangs";
  }
}

TEST(Audit, AFailedCommitIsTriedAgain) {
  World world;
  Kept::Waiting medium;
  Lines lines;
  Audit audit(world.clock, kKey, std::make_unique<Kept>(lines, world.broken, &medium), "c", world.metrics, Waits());
  Cancellation cancellation;
  std::optional<absl::Status> result;
  Spawn(world.io, audit.Commit(world.io.get_executor(), cancellation), &result);
  world.clock.Advance(absl::Seconds(10));  // nobody answers
  EXPECT_FALSE(audit.writable());
  EXPECT_LE(medium.size(), 2u) << "one question at a time";
  for (auto& done : Kept::Waiting(medium)) done(absl::OkStatus());
  EXPECT_TRUE(audit.writable());
}

TEST(Audit, AnchorsSayWhereTheChainStands) {
  World world;
  Lines said;
  {
    Audit audit(world.clock, kKey, std::make_unique<Kept>(world.lines, world.broken), "c0ffee", world.metrics);
    v1::AuditRecord record;
    record.set_kind(v1::AuditRecord::KIND_ADMIN);
    ASSERT_TRUE(audit.Write(record).ok());
    audit.StartAnchors([&said](const std::string& line) { said.push_back(line); });
    ASSERT_EQ(said.size(), 1u);
    world.clock.Advance(absl::Minutes(5));
    EXPECT_EQ(said.size(), 1u) << "nothing new, nothing to say";
    ASSERT_TRUE(audit.Write(record).ok() && audit.Write(record).ok());
    world.clock.Advance(absl::Minutes(1));
    ASSERT_EQ(said.size(), 2u);
    ASSERT_TRUE(audit.Write(record).ok());
  }
  ASSERT_EQ(said.size(), 3u) << "the last word";
  const auto anchor = ReadAuditAnchor("2026-11-22 stdout F " + said[1]);
  ASSERT_TRUE(anchor.ok()) << anchor.status();
  EXPECT_EQ(anchor->chain_id, "c0ffee");
  EXPECT_EQ(anchor->sequence, 2u);
  EXPECT_THAT(world.lines[2], HasSubstr(anchor->mac));
}

// Every field set, with what needs an escape: the line is what nlohmann writes, whose keys are sorted, and reads back.
TEST(Audit, ALineHasSortedKeysAndAllFields) {
  const std::string ugly = "\"q\" \\ \n \x7f \xc3\xa9";
  v1::AuditRecord record;
  record.set_kind(v1::AuditRecord::KIND_OUTCOME);
  record.set_sequence(7);
  record.set_chain_id("chain");
  record.set_time("2026-01-01T00:00:00.000000Z");
  record.set_previous_mac("00");
  for (auto* text : {record.mutable_request_id(), record.mutable_tenant(), record.mutable_api(),
                     record.mutable_policy_version(), record.mutable_classification_state(),
                     record.mutable_content_digest(), record.mutable_status(), record.mutable_stage(),
                     record.mutable_detail(), record.mutable_input_digest(), record.mutable_output_digest(),
                     record.mutable_key_id(), record.mutable_currency(), record.mutable_price_version()}) {
    *text = ugly;
  }
  record.set_sensitivity(v1::SENSITIVITY_LEVEL_RESTRICTED);
  for (int i = 0; i < 2; ++i) {
    v1::Finding& finding = *record.add_findings();
    finding.set_type(ugly);
    finding.set_level(v1::SENSITIVITY_LEVEL_INTERNAL);
    finding.set_score(0.1);
    finding.set_field("messages[0].content");
    finding.set_begin(1);
    finding.set_end(2);
    v1::ChainHead& head = *record.add_predecessors();
    head.set_chain_id(ugly);
    head.set_sequence(3);
    head.set_mac("ab");
    record.mutable_route()->add_reasons(ugly);
  }
  record.set_findings_left_out(4);
  record.mutable_route()->set_target(v1::Route::TARGET_CLOUD);
  record.mutable_route()->set_endpoint(ugly);
  record.mutable_route()->set_model(ugly);
  record.mutable_usage()->set_prompt_tokens(1);
  record.mutable_usage()->set_completion_tokens(2);
  record.mutable_usage()->set_cached_tokens(3);
  record.mutable_usage()->set_reasoning_tokens(4);
  record.set_cost_micro_units(5);
  record.set_cloud_attempts(6);
  record.set_duration_us(7);
  record.set_first_token_us(8);
  record.set_text_bytes(9);
  std::string mac;
  const std::string line = WriteAuditLine(kKey, record, &mac);
  nlohmann::json sorted = nlohmann::json::parse(line);
  sorted.erase("mac");
  const std::string body = line.substr(0, line.rfind(",\"mac\":")) + "}";
  EXPECT_EQ(body, sorted.dump(-1, ' ', /*ensure_ascii=*/true));
  auto read = ReadAuditLine(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->mac(), mac);
  read->clear_mac();
  EXPECT_EQ(read->SerializeAsString(), record.SerializeAsString());
}

TEST(Audit, ARecordHasAnUpperBound) {
  World world;
  v1::AuditRecord record;
  record.set_kind(v1::AuditRecord::KIND_DECISION);
  record.set_detail(std::string(1 << 20, 'd'));
  for (int i = 0; i < 20'000; ++i) {
    v1::Finding& finding = *record.add_findings();
    finding.set_type(i == 19'999 ? "THE_ONE" : std::string(2000, 't'));
    finding.set_level(i == 19'999 ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_INTERNAL);
  }
  ASSERT_TRUE(world.audit.Write(record).ok());
  EXPECT_LT(world.lines[0].size(), kAuditLineBytesMax);
  const auto read = ReadAuditLine(world.lines[0]);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->findings_size(), kAuditFindingsMax);
  EXPECT_EQ(read->findings_left_out(), 20'000 - kAuditFindingsMax);
  EXPECT_EQ(read->findings(0).type(), "THE_ONE") << "the highest level is kept";
}

TEST(Audit, AContentDigestNeedsTheKey) {
  World world;
  Lines lines;
  const bool broken = false;
  Audit other(world.clock, std::string(32, 'x'), std::make_unique<Kept>(lines, broken), "c", world.metrics);
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

  static AuditConfig Config(const std::string& directory, int64_t segment_bytes_max = 64 << 20) {
    AuditConfig config;
    config.directory = directory;
    config.segment_bytes_max = segment_bytes_max;
    return config;
  }
  std::unique_ptr<AuditStore> Open(int64_t segment_bytes_max = 64 << 20) {
    auto store = OpenAuditFiles(Config(directory_, segment_bytes_max), "chain", kKey, io_.get_executor(), clock_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  absl::StatusCode Refused(const std::string& directory) {
    return OpenAuditFiles(Config(directory), "chain", kKey, io_.get_executor(), clock_).status().code();
  }
  // Runs the executor until `done`: the flushing thread is a real one.
  void RunUntil(const std::function<bool()>& done) {
    const auto work = boost::asio::make_work_guard(io_);
    io_.restart();
    while (!done() && io_.run_one() > 0) {
    }
  }
  std::vector<std::string> Files(const std::string& suffix = ".jsonl") const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (absl::EndsWith(entry.path().string(), suffix)) files.push_back(entry.path().filename());
    }
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
  boost::asio::io_context io_;
  ManualClock clock_{io_};
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
  EXPECT_EQ(Files(".manifest.json").size(), 4u) << "the last is not complete";
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
  EXPECT_EQ(Refused(file), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Refused(directory_ + "/none/below"), absl::StatusCode::kOk);
  ASSERT_EQ(::mkdir((directory_ + "/closed").c_str(), 0500), 0);
  if (::geteuid() != 0) {  // nothing is closed to root
    EXPECT_EQ(Refused(directory_ + "/closed"), absl::StatusCode::kUnavailable);
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

// The kernel would go on writing to a file without a name.
TEST_F(AuditFilesTest, NoticesThatItsSegmentWasDeleted) {
  const auto store = Open();
  ASSERT_TRUE(store->Append("first").ok());
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(store->Append("lost").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store->Append("lost").code(), absl::StatusCode::kUnavailable);
  std::filesystem::create_directory(directory_);
  EXPECT_TRUE(store->Append("kept").ok());
  EXPECT_EQ(Files(), Lines{"audit-chain-000001.jsonl"});
}

TEST_F(AuditFilesTest, FlushesWhatWasWrittenForAllWhoWait) {
  const auto store = Open();
  int flushed = 0;
  const auto done = [&flushed](const absl::Status& status) { flushed += status.ok() ? 1 : 100; };
  store->Sync(done);
  EXPECT_EQ(flushed, 1) << "nothing was written";
  ASSERT_TRUE(store->Append("a").ok());
  store->Sync(done);
  store->Sync(done);
  ASSERT_TRUE(store->Append("b").ok());
  store->Sync(done);  // not covered by the flush that runs
  EXPECT_EQ(flushed, 1);
  RunUntil([&] { return flushed == 4; });
  EXPECT_EQ(flushed, 4);
  // Nobody waits: it is flushed all the same, an interval after the first record.
  ASSERT_TRUE(store->Append("c").ok());
  EXPECT_EQ(clock_.NextTimer(), clock_.Monotonic() + absl::Milliseconds(10));
}

TEST_F(AuditFilesTest, SeesTheChainsThatWereThereBefore) {
  Metrics metrics;
  const auto write = [&](const std::string& chain, int records) {
    auto store = OpenAuditFiles(Config(directory_), chain, kKey, io_.get_executor(), clock_);
    Audit audit(clock_, kKey, *std::move(store), chain, metrics);
    v1::AuditRecord record;
    for (int i = 0; i < records; ++i) {
      record.set_kind(i == 0 ? v1::AuditRecord::KIND_CHAIN_START : v1::AuditRecord::KIND_ADMIN);
      EXPECT_TRUE(audit.Write(record).ok());
    }
    clock_.Advance(absl::Seconds(1));
  };
  write("aa", 3);
  write("bb", 1);
  std::ofstream(directory_ + "/audit-cc-000000.jsonl") << "{\"no\":\"record\"}\n";
  auto store = OpenAuditFiles(Config(directory_), "dd", kKey, io_.get_executor(), clock_);
  const auto heads = (*store)->Predecessors();
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0].chain_id(), "bb");
  EXPECT_EQ(heads[1].chain_id(), "aa");
  EXPECT_EQ(heads[1].sequence(), 2u);
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
