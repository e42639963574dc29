// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The promise of `headgate audit verify`, by force: a small log is written by the real writer, then every byte, line,
// file and end of it is changed, and each time something must be found.
#include "router/audit_verify.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/audit.h"
#include "router/audit_payload.h"
#include "router/audit_segments.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;  // name -> bytes
const std::string kKey(32, 'k');
const std::string kPayloadKey(32, 'p');

class AuditVerifyTest : public ::testing::Test {
 protected:
  AuditVerifyTest() {
    std::string name = (fs::temp_directory_path() / "headgate-verify-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~AuditVerifyTest() override { fs::remove_all(directory_); }

  // One run of a router: start, some requests, and an orderly end unless `killed`.
  void WriteChain(const std::string& chain, int requests, bool killed = false, const std::string& key = kKey) {
    AuditConfig config;
    config.directory = directory_;
    config.segment_bytes_max = 1300;  // a few records
    config.sync_interval = absl::Hours(1000);  // the simulated time runs away from the real thread
    auto store = OpenAuditFiles(config, chain, key, io_.get_executor(), clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    Audit audit(clock_, key, *std::move(store), chain, metrics_, config);
    audit.KeepPayloads(kPayloadKey, SeededRandom(7));
    Write(audit, v1::AuditRecord::KIND_CHAIN_START, "");
    audit.StartAnchors([this](const std::string& line) { anchors_ += line + "\n"; });
    for (int i = 0; i < requests; ++i) Write(audit, v1::AuditRecord::KIND_OUTCOME, absl::StrCat("req-", i));
    clock_.Advance(absl::Minutes(1));
    if (!killed) return Write(audit, v1::AuditRecord::KIND_CHAIN_END, "");
    // What a process that is killed leaves behind.
    killed_ = ReadAll();
  }
  void WriteKilledChain(const std::string& chain, int requests) {
    WriteChain(chain, requests, /*killed=*/true);
    WriteAll(killed_);
  }
  void Write(Audit& audit, v1::AuditRecord::Kind kind, const std::string& request) {
    clock_.Advance(absl::Seconds(1));
    v1::AuditRecord record;
    record.set_kind(kind);
    record.set_request_id(request);
    if (kind == v1::AuditRecord::KIND_OUTCOME) {
      const auto digest = audit.WritePayload(request, "input", "{\"prompt\":\"hello\"}");
      ASSERT_TRUE(digest.ok()) << digest.status();
      record.set_input_digest(*digest);
    }
    ASSERT_TRUE(audit.Write(record).ok());
  }

  Files ReadAll() const {
    Files files;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      std::ifstream in(entry.path(), std::ios::binary);
      files[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(in), {});
    }
    return files;
  }
  void WriteAll(const Files& files) const {
    for (const auto& entry : fs::directory_iterator(directory_)) fs::remove(entry.path());
    for (const auto& [name, bytes] : files) WriteFile(name, bytes);
  }
  void WriteFile(const std::string& name, const std::string& bytes) const {
    std::ofstream(fs::path(directory_) / name, std::ios::binary | std::ios::trunc) << bytes;
  }

  VerifyOptions Options() const {
    VerifyOptions options;
    options.keys = {kKey};
    if (!anchors_.empty()) options.anchors = *ReadAuditAnchors(anchors_);
    return options;
  }
  FolderVerdict Verify(const VerifyOptions& options) const {
    auto verdict = VerifyAuditFolder(directory_, options);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? *std::move(verdict) : FolderVerdict();
  }
  bool Good() const { return Verify(Options()).good(); }
  static std::string Problems(const FolderVerdict& verdict) {
    std::vector<std::string> all = verdict.problems;
    for (const auto& chain : verdict.chains) all.insert(all.end(), chain.problems.begin(), chain.problems.end());
    return absl::StrJoin(all, "\n");
  }

  std::string directory_, anchors_;
  Files killed_;
  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Metrics metrics_;
};

TEST_F(AuditVerifyTest, AWholeLogIsGood) {
  WriteChain("aa", 6);
  WriteKilledChain("bb", 2);
  std::vector<std::string> seen;
  VerifyOptions options = Options();
  options.on_record = [&seen](const v1::AuditRecord& record, const std::string& line) {
    EXPECT_TRUE(absl::StrContains(line, record.mac()));
    seen.push_back(absl::StrCat(record.chain_id(), record.sequence()));
  };
  const FolderVerdict verdict = Verify(options);
  EXPECT_TRUE(verdict.good()) << Problems(verdict);
  ASSERT_EQ(verdict.chains.size(), 2u);
  EXPECT_EQ(verdict.chains[0].records, 8);
  EXPECT_GE(verdict.chains[0].segments, 2);
  EXPECT_TRUE(verdict.chains[0].ended);
  EXPECT_GE(verdict.chains[0].anchors, 3) << "two of its own, and the head that the next chain saw";
  EXPECT_FALSE(verdict.chains[1].ended);
  EXPECT_EQ(seen.size(), 11u);
  EXPECT_EQ(seen.front(), "aa0");
}

TEST_F(AuditVerifyTest, EveryBitThatChangesIsFound) {
  WriteChain("aa", 4);
  ASSERT_TRUE(Good());
  for (const auto& [name, bytes] : ReadAll()) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << i % 8));
      WriteFile(name, changed);
      EXPECT_FALSE(Good()) << name << " byte " << i;
    }
    WriteFile(name, bytes);
  }
  EXPECT_TRUE(Good());
}

TEST_F(AuditVerifyTest, EveryEndThatIsCutIsFound) {
  WriteChain("aa", 3);
  WriteKilledChain("bb", 2);
  for (const auto& [name, bytes] : ReadAll()) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      WriteFile(name, bytes.substr(0, size));
      EXPECT_FALSE(Good()) << name << " cut to " << size;
    }
    WriteFile(name, bytes);
  }
}

TEST_F(AuditVerifyTest, EveryLineThatIsDroppedRepeatedOrMovedIsFound) {
  WriteChain("aa", 5);
  WriteKilledChain("bb", 3);
  for (const auto& [name, bytes] : ReadAll()) {
    if (!absl::EndsWith(name, ".jsonl") || absl::StartsWith(name, "payload-")) continue;
    const std::vector<std::string> lines = absl::StrSplit(bytes, '\n', absl::SkipEmpty());
    const auto write = [&, name = name](const std::vector<std::string>& now) {
      WriteFile(name, absl::StrCat(absl::StrJoin(now, "\n"), now.empty() ? "" : "\n"));
    };
    for (size_t i = 0; i < lines.size(); ++i) {
      auto dropped = lines, repeated = lines;
      dropped.erase(dropped.begin() + static_cast<long>(i));
      write(dropped);
      EXPECT_FALSE(Good()) << name << " without line " << i;
      repeated.insert(repeated.begin() + static_cast<long>(i), lines[i]);
      write(repeated);
      EXPECT_FALSE(Good()) << name << " with line " << i << " twice";
      if (i + 1 == lines.size()) continue;
      auto moved = lines;
      std::swap(moved[i], moved[i + 1]);
      write(moved);
      EXPECT_FALSE(Good()) << name << " with lines swapped at " << i;
    }
    WriteFile(name, bytes);
  }
}

TEST_F(AuditVerifyTest, EveryFileThatIsGoneIsFound) {
  WriteChain("aa", 5);
  WriteKilledChain("bb", 3);
  for (const auto& [name, bytes] : ReadAll()) {
    fs::remove(fs::path(directory_) / name);
    EXPECT_FALSE(Good()) << name;
    WriteFile(name, bytes);
  }
  EXPECT_TRUE(Good());
}

TEST_F(AuditVerifyTest, AChainThatIsGoneIsFound) {
  WriteChain("aa", 2);
  WriteChain("bb", 2);
  const Files all = ReadAll();
  for (const std::string chain : {"aa", "bb"}) {
    Files rest;
    for (const auto& [name, bytes] : all) {
      if (!absl::StrContains(name, absl::StrCat("-", chain, "-"))) rest[name] = bytes;
    }
    WriteAll(rest);
    const FolderVerdict verdict = Verify(Options());
    EXPECT_FALSE(verdict.good()) << chain;
    EXPECT_THAT(Problems(verdict), ::testing::HasSubstr(absl::StrCat("chain ", chain, " is missing as a whole")));
    // Without anchors, the chain that came after it knows it; nobody knows the last one.
    VerifyOptions blind = Options();
    blind.anchors.clear();
    EXPECT_EQ(Verify(blind).good(), chain == "bb");
  }
}

// A chain that was killed and has no anchor of its last records: the next one saw its head.
TEST_F(AuditVerifyTest, TheNextChainSawTheEndOfTheOneBefore) {
  WriteKilledChain("aa", 3);
  const std::string unanchored = anchors_;
  WriteChain("bb", 1);
  VerifyOptions options = Options();
  options.anchors.clear();
  ASSERT_TRUE(Verify(options).good());
  Files files = ReadAll();
  std::string& last = std::prev(files.lower_bound("audit-bb"))->second;
  last.resize(last.rfind('\n', last.size() - 2) + 1);
  WriteAll(files);
  EXPECT_THAT(Problems(Verify(options)), ::testing::HasSubstr("chain bb saw it: the end was cut off"));
}

TEST_F(AuditVerifyTest, AnotherKeyAndSeveralKeys) {
  const std::string other(32, 'o');
  WriteChain("aa", 2);
  WriteChain("bb", 2, /*killed=*/false, other);
  EXPECT_FALSE(Good());
  VerifyOptions options = Options();
  options.keys = {other, kKey};
  EXPECT_TRUE(Verify(options).good()) << Problems(Verify(options));
}

TEST_F(AuditVerifyTest, RetiredSegmentsMayGoWhileTheirManifestsStay) {
  WriteChain("aa", 8);
  const Files files = ReadAll();
  fs::remove(fs::path(directory_) / "audit-aa-000000.jsonl");
  VerifyOptions options = Options();
  EXPECT_FALSE(Verify(options).good());
  options.retired_before = clock_.WallTime();
  EXPECT_TRUE(Verify(options).good()) << Problems(Verify(options));
  EXPECT_THAT(Verify(options).chains[0].notes, ::testing::Contains(::testing::HasSubstr("retired, records 0 to")));
  options.retired_before = clock_.WallTime() - absl::Hours(1);
  EXPECT_FALSE(Verify(options).good()) << "it was younger";
}

// Somebody with an editor and no key tries to make a record go away and leave the rest consistent.
TEST_F(AuditVerifyTest, PatienceWithoutTheKeyDoesNotHelp) {
  WriteChain("aa", 6);
  Files files = ReadAll();
  std::string& segment = files["audit-aa-000000.jsonl"];
  const size_t first = segment.find('\n') + 1, second = segment.find('\n', first) + 1;
  segment.erase(first, second - first);
  segment = absl::StrReplaceAll(segment, {{"\"sequence\":2", "\"sequence\":1"}});
  WriteAll(files);
  EXPECT_FALSE(Good());
}

TEST_F(AuditVerifyTest, StrangeFilesAreSaidAndSurvived) {
  WriteChain("aa", 1);
  const auto bad = [this](const std::string& name, const std::string& bytes) {
    WriteFile(name, bytes);
    const bool good = Good();
    fs::remove(fs::path(directory_) / name);
    return !good;
  };
  EXPECT_TRUE(bad("audit-aa-x.jsonl", "")) << "not a number";
  EXPECT_TRUE(bad("audit-aa-000000.jsonl.bak", ""));
  EXPECT_TRUE(bad("audit-zz-000000.jsonl", std::string(3 << 20, '{'))) << "a line without end";
  EXPECT_TRUE(bad("audit-zz-000000.jsonl", std::string(100'000, '[') + "\n")) << "nested";
  EXPECT_TRUE(bad("audit-aa-999999999999.jsonl", "")) << "a number to count to";
  EXPECT_FALSE(bad("notes.txt", "mine")) << "not ours";
  fs::create_directory(fs::path(directory_) / "audit-yy-000000.jsonl");
  EXPECT_FALSE(Good()) << "a folder";
}

TEST_F(AuditVerifyTest, AnchorsFromLogsAndMetrics) {
  WriteChain("c0ffee", 3);
  EXPECT_FALSE(ReadAuditAnchors("nothing here\n").ok());
  EXPECT_FALSE(ReadAuditAnchors("headgate-audit-anchor chain=a sequence=x mac=y\n").ok());
  const std::string json = absl::StrCat("{\"log\":\"", anchors_.substr(0, anchors_.find('\n')), "\\n\"}");
  EXPECT_EQ(ReadAuditAnchors(json)->size(), 1u);
  const auto of_metrics = ReadAuditAnchors(metrics_.Text());
  ASSERT_TRUE(of_metrics.ok()) << of_metrics.status();
  ASSERT_EQ(of_metrics->size(), 1u);
  EXPECT_EQ(of_metrics->at(0).mac.size(), 12u);
  VerifyOptions options = Options();
  options.anchors = *of_metrics;
  EXPECT_TRUE(Verify(options).good()) << Problems(Verify(options));
  options.anchors[0].mac[3] ^= 1;
  EXPECT_FALSE(Verify(options).good());
}

TEST(AuditPayload, OpensOnlyWhatWasSealedAndOnlyAsThat) {
  const PayloadName name{"c0ffee", "req-1", "input"};
  const std::string chain_key = PayloadChainKey(kPayloadKey, name.chain_id);
  const std::string text = "{\"content\":\"身份证 \\u0000\"}";
  const auto line = SealPayload(chain_key, name, text, SeededRandom(1));
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_FALSE(absl::StrContains(*line, "content"));
  const auto opened = OpenPayload(kPayloadKey, *line);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->text, text);
  EXPECT_EQ(opened->name.part, "input");
  EXPECT_FALSE(OpenPayload(std::string(32, 'x'), *line).ok());
  const std::pair<const char*, const char*> renamed[] = {{"req-1", "req-2"}, {"\"input", "\"output"}, {"c0f", "c1f"}};
  for (const auto& [from, to] : renamed) {
    EXPECT_FALSE(OpenPayload(kPayloadKey, absl::StrReplaceAll(*line, {{from, to}})).ok()) << from;
  }
  const size_t data = line->find("data\":\"") + 7;
  for (size_t i = data; i < data + 40; ++i) {
    std::string changed = *line;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(OpenPayload(kPayloadKey, changed).ok()) << i;
  }
  for (const char* bad : {"", "{}", "[]", "{\"data\":\"\"}", "{\"chain_id\":1}"}) {
    EXPECT_FALSE(OpenPayload(kPayloadKey, bad).ok()) << bad;
  }
}

TEST(AuditSegments, NamesGoThereAndBack) {
  for (const char* good : {"audit-ab-000001.jsonl", "audit-a-b-1234567.jsonl", "payload-ab-000000.jsonl",
                           "audit-ab-000002.manifest.json"}) {
    const auto name = ParseFileName(good);
    ASSERT_TRUE(name.has_value()) << good;
    EXPECT_EQ(FileName(*name), good);
  }
  for (const char* bad : {"", "audit", "audit-", "audit--000001.jsonl", "audit-ab-1.jsonl", "audit-ab-000001.json",
                          "payload-ab-000000.manifest.json", "audit-ab--00001.jsonl", "audit.key"}) {
    EXPECT_FALSE(ParseFileName(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace headgate::router
