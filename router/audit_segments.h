// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What is in an audit folder: names of files, the manifest of a complete segment, and how to read a file that may hold
// anything, line by line.
//   audit-<chain>-<number>.jsonl            records
//   audit-<chain>-<number>.manifest.json    what is in the segment of this number, with a mac
//   payload-<chain>-<number>.jsonl          encrypted content (router/audit_payload.h)
//
// Thread-safety: functions from any thread; the classes none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace headgate::router {

struct SegmentName {
  enum class Kind { kRecords, kManifest, kPayload } kind = Kind::kRecords;
  std::string chain_id;
  int64_t number = 0;
};
std::string FileName(const SegmentName& name);
std::optional<SegmentName> ParseFileName(std::string_view file);

// Of a complete segment. `final`: the chain ended with it.
struct SegmentManifest {
  std::string chain_id;
  int64_t number = 0;
  uint64_t first_sequence = 0;
  uint64_t records = 0;
  int64_t bytes = 0;
  std::string sha256;     // of the segment's bytes, hex
  std::string last_mac;   // of its last record
  std::string last_time;
  bool final = false;
};
// One line of JSON with sorted keys and `mac` = HMAC-SHA-256(key, the line without it), and a newline.
std::string WriteManifest(std::string_view key, const SegmentManifest& manifest);
// DATA_LOSS: not exactly what WriteManifest makes with this key.
absl::StatusOr<SegmentManifest> ReadManifest(std::string_view key, std::string_view text);

// SHA-256 of bytes that come in pieces.
class RunningSha256 {
 public:
  RunningSha256();
  ~RunningSha256();
  void Add(std::string_view bytes);
  std::string Hex() const;  // of what was added so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class LineReader {
 public:
  // NOT_FOUND with the reason.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path, size_t line_bytes_max);
  ~LineReader();

  enum class Next { kLine, kCut, kTooLong, kEnd, kError };
  // kLine: a line, without its newline. kCut: the file ended before a newline; `*line` is what there was. kTooLong: no
  // newline within the bound; nothing more is read. kError: the disk says no.
  Next Read(std::string* line);
  int64_t line_number() const { return number_; }  // of the line that was read last, from 1
  int64_t bytes() const { return bytes_; }
  const RunningSha256& digest() const { return digest_; }  // of all bytes up to there

 private:
  LineReader(int fd, size_t line_bytes_max) : fd_(fd), line_bytes_max_(line_bytes_max) {}
  bool Fill();  // false at the end of the file

  const int fd_;
  const size_t line_bytes_max_;
  std::string buffer_;
  size_t begin_ = 0;
  bool failed_ = false;
  int64_t number_ = 0;
  int64_t bytes_ = 0;
  RunningSha256 digest_;
};

// The paths of the record segments in `directory` that were written to since `since`, in the order of their names.
std::vector<std::string> RecordFilesSince(const std::string& directory, absl::Time since);

// The last complete line of a file; empty when there is none within `line_bytes_max` of the end.
std::string LastLine(const std::string& path, size_t line_bytes_max);

}  // namespace headgate::router
