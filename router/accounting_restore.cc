// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What was spent before this process began, from the audit log: budgets survive a restart.
#include <string>

#include "absl/time/civil_time.h"
#include "common/log.h"
#include "router/accounting.h"
#include "router/audit_history.h"

namespace headgate::router {
namespace {

// The longest period is a month; months begin in Beijing.
absl::Time MonthBegin(absl::Time now) {
  const absl::TimeZone beijing = absl::FixedTimeZone(8 * 60 * 60);
  return absl::FromCivil(absl::CivilMonth(absl::ToCivilSecond(now, beijing)), beijing);
}

}  // namespace

int64_t Accounting::Restore(const std::string& audit_directory) {
  if (!any_budget_ || audit_directory.empty() || config_.prices.empty()) return 0;
  const absl::Time since = MonthBegin(clock_.WallTime());
  int64_t answers = 0, foreign = 0;
  const auto add = [&](const v1::AuditRecord& record, absl::Time when) {
    if (record.currency() != config_.prices.front().currency) {
      ++foreign;
    } else if (record.cost_micro_units() > 0) {
      budgets_.Restore(record.tenant(), when, record.cost_micro_units());
      ++answers;
    }
  };
  const int64_t unread = ForEachRecordSince(audit_directory, since, "cost", add) + foreign;
  if (unread > 0) {
    HG_LOG(Warning, "accounting: ", unread, " records of what was spent cannot be read; budgets do not know them");
  }
  return answers;
}

}  // namespace headgate::router
