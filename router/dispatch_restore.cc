// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How often the cloud was called today before this process began, from the audit log: the day's limit survives a
// restart. A request that was under way when a process died has no outcome there and is not known.
#include <string>

#include "absl/time/civil_time.h"
#include "common/log.h"
#include "router/audit_record.h"
#include "router/audit_segments.h"
#include "router/dispatch.h"

namespace headgate::router {

int64_t Dispatch::RestoreCalls(const std::string& audit_directory) {
  if (cloud_config_.calls_per_day == 0 || audit_directory.empty()) return 0;
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Time today = absl::FromCivil(absl::ToCivilDay(clock_.WallTime(), utc), utc);
  int64_t calls = 0, unread = 0;
  for (const std::string& file : RecordFilesSince(audit_directory, today)) {
    auto reader = LineReader::Open(file, kAuditLineBytesMax);
    std::string line;
    if (!reader.ok()) {
      ++unread;
      continue;
    }
    for (auto next = (*reader)->Read(&line); next == LineReader::Next::kLine; next = (*reader)->Read(&line)) {
      if (line.find("\"cloud_attempts\"") == std::string::npos) continue;  // parsing is the slow part
      const auto record = ReadAuditLine(line);
      absl::Time when;
      std::string error;
      if (!record.ok() || !absl::ParseTime(absl::RFC3339_full, record->time(), &when, &error)) {
        ++unread;
      } else if (when >= today) {
        calls += record->cloud_attempts();
      }
    }
  }
  if (unread > 0) HG_LOG(Warning, "cloud: ", unread, " records cannot be read; today's calls do not know them");
  limit_.Restore(calls);
  return calls;
}

}  // namespace headgate::router
