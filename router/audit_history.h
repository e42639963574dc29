// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// audit_history: what earlier runs wrote to the audit log, for those who must know it after a restart (budgets, the
// day's calls).
//
// Thread-safety: any thread; `visit` is called on the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "headgate/v1/audit.pb.h"

namespace headgate::router {

// Calls `visit` with every record that has the key `key`, and its time, in the segments of `directory` that were
// written to since `since`; older records among them are visited too. Returns how many segments and records could not
// be read.
int64_t ForEachRecordSince(const std::string& directory, absl::Time since, std::string_view key,
                           const std::function<void(const v1::AuditRecord&, absl::Time)>& visit);

}  // namespace headgate::router
