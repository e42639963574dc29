// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit_history.h"

#include "router/audit_record.h"
#include "router/audit_segments.h"

namespace headgate::router {

int64_t ForEachRecordSince(const std::string& directory, absl::Time since, std::string_view key,
                           const std::function<void(const v1::AuditRecord&, absl::Time)>& visit) {
  const std::string marker = "\"" + std::string(key) + "\"";
  int64_t unread = 0;
  for (const std::string& file : RecordFilesSince(directory, since)) {
    auto reader = LineReader::Open(file, kAuditLineBytesMax);
    if (!reader.ok()) {
      ++unread;
      continue;
    }
    std::string line;
    for (auto next = (*reader)->Read(&line); next == LineReader::Next::kLine; next = (*reader)->Read(&line)) {
      if (line.find(marker) == std::string::npos) continue;  // most lines; parsing is the slow part
      const auto record = ReadAuditLine(line);
      absl::Time when;
      std::string error;
      if (!record.ok() || !absl::ParseTime(absl::RFC3339_full, record->time(), &when, &error)) {
        ++unread;
        continue;
      }
      visit(*record, when);
    }
  }
  return unread;
}

}  // namespace headgate::router
