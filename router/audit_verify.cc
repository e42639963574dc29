// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One pass over each chain: its files are listed first, then read in order, each record continuing the one before.
// After something wrong the pass goes on from what it finds, so that one finding does not hide the next; only authentic
// records are handed on. What anchors and later chains claim is looked up while passing, and what was not met at the
// end is missing.
#include "router/audit_verify.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/digest.h"
#include "common/tls.h"
#include "router/audit_payload.h"
#include "router/audit_segments.h"

namespace headgate::router {
namespace {

constexpr size_t kFindingsMax = 20;
constexpr size_t kPayloadLineBytesMax = size_t{256} << 20;
constexpr size_t kManifestBytesMax = 4096;
constexpr size_t kDirectoryEntriesMax = 1'000'000;

struct ChainFiles {
  std::set<int64_t> segments, manifests, payloads;
};
using Folder = std::map<std::string, ChainFiles>;

// What somebody says about a record of a chain.
struct Claim {
  std::string mac;  // whole, or its first digits
  std::string who;
  bool met = false;
};
using Claims = std::multimap<uint64_t, Claim>;  // by sequence

bool Older(const std::string& time, absl::Time limit) {
  absl::Time at;
  std::string error;
  return absl::ParseTime(absl::RFC3339_full, time, &at, &error) && at < limit;
}

class ChainPass {
 public:
  ChainPass(const std::string& directory, const std::string& chain_id, const ChainFiles& files,
            const VerifyOptions& options, Claims* claims)
      : directory_(directory), files_(files), options_(options), claims_(claims) {
    verdict_.chain_id = chain_id;
  }

  ChainVerdict Run() {
    key_ = ChooseKey();
    ReadPayloads();
    const int64_t last = files_.segments.empty() ? -1 : *files_.segments.rbegin();
    const int64_t last_manifest = files_.manifests.empty() ? -1 : *files_.manifests.rbegin();
    for (int64_t number = 0; number <= std::max(last, last_manifest); ++number) {
      // A number that somebody made up must not make us count to it.
      if (files_.segments.count(number) == 0 && files_.manifests.count(number) == 0) {
        Problem(Path(SegmentName::Kind::kRecords, number), 0, "the segment is missing");
        int64_t next = std::max(last, last_manifest);
        for (const auto* numbers : {&files_.segments, &files_.manifests}) {
          if (const auto later = numbers->upper_bound(number); later != numbers->end()) next = std::min(next, *later);
        }
        number = next - 1;
        continue;
      }
      Segment(number, number == last);
    }
    Finish();
    return std::move(verdict_);
  }

 private:
  std::string Path(SegmentName::Kind kind, int64_t number) const {
    return FileName({kind, verdict_.chain_id, number});
  }
  std::string Full(SegmentName::Kind kind, int64_t number) const {
    return absl::StrCat(directory_, "/", Path(kind, number));
  }
  void Problem(const std::string& file, int64_t line, const std::string& what) {
    if (++verdict_.problems_total > static_cast<int64_t>(kFindingsMax)) return;
    verdict_.problems.push_back(line > 0 ? absl::StrCat(file, ":", line, ": ", what) : absl::StrCat(file, ": ", what));
  }
  void Note(const std::string& what) {
    if (verdict_.notes.size() < kFindingsMax) verdict_.notes.push_back(what);
  }

  // The key that the first authentic thing of this chain was made with.
  std::string ChooseKey() {
    for (const int64_t number : files_.segments) {
      std::string line;
      auto reader = LineReader::Open(Full(SegmentName::Kind::kRecords, number), kAuditLineBytesMax);
      if (!reader.ok()) continue;
      while ((*reader)->Read(&line) == LineReader::Next::kLine) {
        for (const std::string& key : options_.keys) {
          if (CheckAuditLine(key, line).ok()) return key;
        }
        if ((*reader)->line_number() >= 16) break;
      }
    }
    return options_.keys.empty() ? "" : options_.keys.front();
  }

  void ReadPayloads() {
    for (const int64_t number : files_.payloads) {
      const std::string file = Path(SegmentName::Kind::kPayload, number);
      auto reader = LineReader::Open(Full(SegmentName::Kind::kPayload, number), kPayloadLineBytesMax);
      if (!reader.ok()) {
        Problem(file, 0, std::string(reader.status().message()));
        continue;
      }
      std::string line;
      LineReader::Next next = LineReader::Next::kLine;
      while ((next = (*reader)->Read(&line)) == LineReader::Next::kLine) payloads_.emplace(Sha256(line), file);
      if (next != LineReader::Next::kEnd) Problem(file, (*reader)->line_number(), "cut inside a line");
    }
  }

  void Segment(int64_t number, bool last) {
    const std::string file = Path(SegmentName::Kind::kRecords, number);
    const std::string manifest_file = Path(SegmentName::Kind::kManifest, number);
    std::optional<SegmentManifest> manifest;
    if (files_.manifests.count(number) > 0) {
      const auto text = ReadFile(Full(SegmentName::Kind::kManifest, number), kManifestBytesMax);
      auto read = text.ok() ? ReadManifest(key_, *text) : absl::StatusOr<SegmentManifest>(text.status());
      if (read.ok() && read->chain_id == verdict_.chain_id && read->number == number) manifest = *std::move(read);
      if (!manifest) Problem(manifest_file, 0, "was changed, belongs elsewhere, or was made with another key");
    }
    if (files_.segments.count(number) == 0) return MissingSegment(file, manifest);
    ++verdict_.segments;
    const uint64_t first_sequence = state_.records;
    auto reader = LineReader::Open(Full(SegmentName::Kind::kRecords, number), kAuditLineBytesMax);
    if (!reader.ok()) return Problem(file, 0, std::string(reader.status().message()));
    ReadSegment(file, **reader);
    if (!manifest) {
      if (files_.manifests.count(number) == 0 && (!last || verdict_.ended)) {
        Problem(manifest_file, 0, "the manifest of a complete segment is missing");
      }
      return;
    }
    if (manifest->first_sequence != first_sequence || manifest->records != state_.records - first_sequence ||
        manifest->bytes != (*reader)->bytes() || manifest->sha256 != (*reader)->digest().Hex() ||
        manifest->last_mac != state_.previous_mac) {
      Problem(file, 0, absl::StrCat("does not hold what its manifest says: records ", manifest->first_sequence, " to ",
                                    manifest->first_sequence + manifest->records - 1));
    }
    if (manifest->final && (!last || number < *files_.manifests.rbegin())) {
      Problem(manifest_file, 0, "says that the chain ended here, and it goes on");
    }
    sealed_ = manifest->final;
  }

  void MissingSegment(const std::string& file, const std::optional<SegmentManifest>& manifest) {
    if (!manifest) return Problem(file, 0, "the segment is missing");
    const std::string range = absl::StrCat("records ", manifest->first_sequence, " to ",
                                           manifest->first_sequence + manifest->records - 1);
    const bool fits = manifest->first_sequence == state_.records;
    if (Older(manifest->last_time, options_.retired_before) && fits) {
      Note(absl::StrCat(file, ": retired, ", range));
      const auto end = claims_->lower_bound(manifest->first_sequence + manifest->records);
      for (auto it = claims_->lower_bound(manifest->first_sequence); it != end; ++it) {
        it->second.met = true;  // cannot be looked up any more
      }
    } else {
      Problem(file, 0, absl::StrCat("the segment is missing: ", range, " until ", manifest->last_time));
    }
    state_.chain_id = verdict_.chain_id;
    state_.records = manifest->first_sequence + manifest->records;
    state_.previous_mac = manifest->last_mac;
    sealed_ = manifest->final;
    verdict_.ended = verdict_.ended || manifest->final;
  }

  void ReadSegment(const std::string& file, LineReader& reader) {
    std::string line;
    LineReader::Next next = LineReader::Next::kLine;
    while ((next = reader.Read(&line)) == LineReader::Next::kLine) {
      const int64_t number = reader.line_number();
      auto record = state_.Step(key_, line);
      if (!record.ok()) {
        Problem(file, number, std::string(record.status().message()));
        record = Resume(line);
        if (!record.ok()) continue;
      }
      Take(file, number, *record, line);
    }
    const int64_t number = reader.line_number();
    if (next == LineReader::Next::kCut) Problem(file, number, "cut inside a record");
    if (next == LineReader::Next::kTooLong) Problem(file, number + 1, "longer than any record");
    if (next == LineReader::Next::kError) Problem(file, number + 1, "cannot be read on");
  }

  // An authentic record in the wrong place: the chain is taken up again behind it.
  absl::StatusOr<v1::AuditRecord> Resume(const std::string& line) {
    if (absl::Status status = CheckAuditLine(key_, line); !status.ok()) return status;
    auto record = ReadAuditLine(line);
    if (!record.ok() || record->chain_id() != verdict_.chain_id) return absl::DataLossError("of no use");
    // Going back would count records twice.
    if (record->sequence() < state_.records) return absl::DataLossError("seen already");
    state_.records = record->sequence() + 1;
    state_.previous_mac = record->mac();
    state_.chain_id = verdict_.chain_id;
    return record;
  }

  void Take(const std::string& file, int64_t number, const v1::AuditRecord& record, const std::string& line) {
    if (record.chain_id() != verdict_.chain_id) return Problem(file, number, "belongs to another chain");
    if (verdict_.ended) Problem(file, number, "a record after the chain's end");
    if ((record.sequence() == 0) != (record.kind() == v1::AuditRecord::KIND_CHAIN_START)) {
      Problem(file, number, "a chain begins with chain_start, and only begins with it");
    }
    ++verdict_.records;
    if (verdict_.first_time.empty()) verdict_.first_time = record.time();
    if (record.time() < verdict_.last_time) ++clock_went_back_;
    verdict_.last_time = record.time();
    verdict_.ended = verdict_.ended || record.kind() == v1::AuditRecord::KIND_CHAIN_END;
    const auto [begin, end] = claims_->equal_range(record.sequence());
    for (auto it = begin; it != end; ++it) {
      Claim& claim = it->second;
      claim.met = true;
      ++verdict_.anchors;
      if (!absl::StartsWith(record.mac(), claim.mac)) {
        Problem(file, number, absl::StrCat("is not the record that ", claim.who, " saw"));
      }
    }
    for (const std::string& digest : {record.input_digest(), record.output_digest()}) {
      if (digest.empty()) continue;
      if (payload_digests_.insert(digest).second && payloads_.count(absl::HexStringToBytes(digest)) == 0 &&
          !Older(record.time(), options_.retired_before)) {
        Problem(file, number, "its payload is missing or was changed");
      }
    }
    if (options_.on_record) options_.on_record(record, line);
  }

  void Finish() {
    for (const auto& [sequence, claim] : *claims_) {
      if (!claim.met) {
        Problem(verdict_.chain_id, 0, absl::StrCat("record ", sequence, " is missing, and ", claim.who,
                                                   " saw it: the end was cut off"));
      }
    }
    if (sealed_ && !verdict_.ended) {
      Problem(verdict_.chain_id, 0, "its last manifest says that it ended, and there is no chain_end");
    }
    for (const auto& [digest, file] : payloads_) {
      if (payload_digests_.count(Hex(digest)) > 0) continue;
      Note(absl::StrCat(file, ": holds a payload that no record names"));
      break;
    }
    if (clock_went_back_ > 0) Note(absl::StrCat("the clock went back ", clock_went_back_, " times"));
    if (!verdict_.ended) Note("not ended: running, killed, or cut after its last anchor");
    const auto more = verdict_.problems_total - static_cast<int64_t>(verdict_.problems.size());
    if (more > 0) verdict_.problems.push_back(absl::StrCat("and ", more, " more"));
  }

  const std::string& directory_;
  const ChainFiles& files_;
  const VerifyOptions& options_;
  Claims* const claims_;
  std::map<std::string, std::string> payloads_;              // raw SHA-256 of a line -> file
  std::set<std::string> payload_digests_;                    // hex, named by records
  ChainVerdict verdict_;
  ChainState state_;
  std::string key_;
  bool sealed_ = false;
  int64_t clock_went_back_ = 0;
};

absl::StatusOr<Folder> ListFolder(const std::string& directory, std::vector<std::string>* problems) {
  Folder folder;
  std::error_code error;
  size_t entries = 0;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (++entries > kDirectoryEntriesMax) return absl::OutOfRangeError(absl::StrCat(directory, ": too many files"));
    const std::string file = it->path().filename().string();
    const auto name = ParseFileName(file);
    if (!name) {
      if (absl::StartsWith(file, "audit-") || absl::StartsWith(file, "payload-")) {
        problems->push_back(absl::StrCat(file, ": not the name of an audit file"));
      }
      continue;
    }
    ChainFiles& chain = folder[name->chain_id];
    auto& numbers = name->kind == SegmentName::Kind::kRecords    ? chain.segments
                    : name->kind == SegmentName::Kind::kManifest ? chain.manifests
                                                                 : chain.payloads;
    numbers.insert(name->number);
  }
  if (error) return absl::NotFoundError(absl::StrCat(directory, ": ", error.message()));
  return folder;
}

// The authentic first record of a chain; empty when there is none.
v1::AuditRecord FirstRecord(const std::string& directory, const std::string& chain_id,
                            const std::vector<std::string>& keys) {
  const std::string path =
      absl::StrCat(directory, "/", FileName({SegmentName::Kind::kRecords, chain_id, /*number=*/0}));
  std::string line;
  auto reader = LineReader::Open(path, kAuditLineBytesMax);
  if (!reader.ok() || (*reader)->Read(&line) != LineReader::Next::kLine) return {};
  const auto authentic = [&line](const std::string& key) { return CheckAuditLine(key, line).ok(); };
  if (std::none_of(keys.begin(), keys.end(), authentic)) return {};
  auto record = ReadAuditLine(line);
  return record.ok() ? *std::move(record) : v1::AuditRecord();
}

// `headgate_router_audit_anchor_sequence{chain="C"} 12` and `..._mac{chain="C"} 281474976710655`.
void ReadMetric(const std::string& line, std::map<std::string, AuditAnchor>* anchors) {
  for (const char* name : {"headgate_router_audit_anchor_sequence", "headgate_router_audit_anchor_mac"}) {
    if (!absl::StartsWith(line, absl::StrCat(name, "{"))) continue;
    const size_t chain = line.find("chain=\"");
    const size_t close = line.find("\"", chain == std::string::npos ? 0 : chain + 7);
    const size_t value = line.rfind("} ");
    double number = -1;
    if (chain == std::string::npos || close == std::string::npos || value == std::string::npos ||
        !absl::SimpleAtod(line.substr(value + 2), &number) || !(number >= 0 && number < 1e15)) {
      return;
    }
    AuditAnchor& anchor = (*anchors)[line.substr(chain + 7, close - chain - 7)];
    const bool mac = absl::EndsWith(name, "_mac");
    if (!mac) anchor.sequence = static_cast<uint64_t>(number);
    if (mac) anchor.mac = absl::StrCat(absl::Hex(static_cast<uint64_t>(number), absl::kZeroPad12));
  }
}

}  // namespace

absl::StatusOr<v1::AuditRecord> ChainState::Step(const std::string& key, std::string_view line) {
  if (absl::Status status = CheckAuditLine(key, line); !status.ok()) return status;
  auto record = ReadAuditLine(line);
  if (!record.ok()) return record;
  if (record->previous_mac() != previous_mac) return absl::DataLossError("a record before it is missing");
  if (record->sequence() != records) return absl::DataLossError("out of order");
  if (!chain_id.empty() && record->chain_id() != chain_id) return absl::DataLossError("belongs to another chain");
  chain_id = record->chain_id();
  previous_mac = record->mac();
  ++records;
  return record;
}

bool FolderVerdict::good() const {
  return problems.empty() && std::all_of(chains.begin(), chains.end(), [](const ChainVerdict& chain) {
           return chain.problems_total == 0;
         });
}

absl::StatusOr<FolderVerdict> VerifyAuditFolder(const std::string& directory, const VerifyOptions& options) {
  FolderVerdict verdict;
  auto folder = ListFolder(directory, &verdict.problems);
  if (!folder.ok()) return folder.status();
  if (folder->empty() && options.anchors.empty()) {
    return absl::NotFoundError(absl::StrCat(directory, ": holds no audit segments"));
  }
  std::map<std::string, Claims> claims;
  for (const AuditAnchor& anchor : options.anchors) {
    claims[anchor.chain_id].emplace(anchor.sequence, Claim{anchor.mac, "an anchor"});
  }
  // Later chains speak about earlier ones, so that is read first.
  for (const auto& [chain_id, files] : *folder) {
    const v1::AuditRecord first = FirstRecord(directory, chain_id, options.keys);
    for (const v1::ChainHead& head : first.predecessors()) {
      claims[head.chain_id()].emplace(head.sequence(), Claim{head.mac(), absl::StrCat("chain ", chain_id)});
    }
  }
  for (const auto& [chain_id, files] : *folder) {
    verdict.chains.push_back(ChainPass(directory, chain_id, files, options, &claims[chain_id]).Run());
  }
  for (const auto& [chain_id, about] : claims) {
    if (folder->count(chain_id) > 0) continue;
    const auto& [sequence, claim] = *about.begin();
    verdict.problems.push_back(
        absl::StrCat("chain ", chain_id, " is missing as a whole, and ", claim.who, " saw its record ", sequence));
  }
  std::sort(verdict.chains.begin(), verdict.chains.end(), [](const ChainVerdict& a, const ChainVerdict& b) {
    return std::tie(a.first_time, a.chain_id) < std::tie(b.first_time, b.chain_id);
  });
  return verdict;
}

absl::StatusOr<std::vector<AuditAnchor>> ReadAuditAnchors(std::string_view text) {
  std::vector<AuditAnchor> anchors;
  std::map<std::string, AuditAnchor> metrics;
  int64_t number = 0;
  for (const auto line : absl::StrSplit(std::string(text), '\n')) {
    ++number;
    ReadMetric(std::string(line), &metrics);
    auto anchor = ReadAuditAnchor(std::string(line));
    if (absl::IsNotFound(anchor.status())) continue;
    if (!anchor.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", anchor.status().message()));
    }
    anchors.push_back(*std::move(anchor));
  }
  for (auto& [chain_id, anchor] : metrics) {
    if (anchor.mac.empty()) continue;
    anchor.chain_id = chain_id;
    anchors.push_back(std::move(anchor));
  }
  if (anchors.empty()) return absl::InvalidArgumentError("holds no anchor");
  return anchors;
}

}  // namespace headgate::router
