// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// AllowList: values that the site has declared public, by type, each with the day its list ends. Compared in canonical
// form without case and separators.
//
// Thread-safety: const methods from any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "router/config.h"

namespace headgate::router {

class AllowList {
 public:
  // INVALID_ARGUMENT: a type that cannot be allowed, no owner.
  static absl::StatusOr<AllowList> Make(const std::vector<AllowListConfig>& lists);

  bool empty() const { return expiry_.empty(); }
  // `canonical`: the value as it stands in canonical text.
  bool Allows(std::string_view type, std::string_view canonical, absl::Time now) const;

 private:
  std::unordered_map<std::string, absl::Time> expiry_;  // of type and value: the latest of its lists
};

}  // namespace headgate::router
