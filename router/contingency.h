// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Contingency profiles by name: what an operator may declare to be out.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "router/config.h"

namespace headgate::router {

inline constexpr PolicyConfig::Profile kProfiles[] = {
    PolicyConfig::Profile::kNone, PolicyConfig::Profile::kCloudOutage, PolicyConfig::Profile::kNoLocal};

inline std::string ProfileName(PolicyConfig::Profile profile) {
  switch (profile) {
    case PolicyConfig::Profile::kCloudOutage:
      return "cloud_outage";
    case PolicyConfig::Profile::kNoLocal:
      return "no_local";
    default:
      return "none";
  }
}
inline std::optional<PolicyConfig::Profile> ProfileOf(std::string_view name) {
  for (const PolicyConfig::Profile profile : kProfiles) {
    if (ProfileName(profile) == name) return profile;
  }
  return std::nullopt;
}

}  // namespace headgate::router
