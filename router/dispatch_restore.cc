// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How often the cloud was called today before this process began, from the audit log: the day's limit survives a
// restart. A request that was under way when a process died has no outcome there and is not known.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "common/log.h"
#include "router/audit_history.h"
#include "router/dispatch.h"

namespace headgate::router {

int64_t Dispatch::RestoreCalls(const std::string& audit_directory) {
  const bool limited = std::any_of(clouds_.begin(), clouds_.end(),
                                   [](const auto& cloud) { return cloud->config.calls_per_day > 0; });
  if (!limited || audit_directory.empty()) return 0;
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Time today = absl::FromCivil(absl::ToCivilDay(clock_.WallTime(), utc), utc);
  std::vector<int64_t> calls(clouds_.size());
  int64_t all = 0;
  const auto add = [&](const v1::AuditRecord& record, absl::Time when) {
    if (when < today) return;
    size_t by = 0;
    for (size_t i = 1; i < clouds_.size(); ++i) {
      if (clouds_[i]->config.name == record.route().endpoint()) by = i;
    }
    calls[by] += record.cloud_attempts();
    all += record.cloud_attempts();
  };
  const int64_t unread = ForEachRecordSince(audit_directory, today, "cloud_attempts", add);
  if (unread > 0) HG_LOG(Warning, "cloud: ", unread, " records cannot be read; today's calls do not know them");
  for (size_t i = 0; i < clouds_.size(); ++i) clouds_[i]->limit.Restore(calls[i]);
  return all;
}

}  // namespace headgate::router
