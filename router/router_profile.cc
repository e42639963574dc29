// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The operator declares the cloud or the engines out. What is sensitive stays in the cluster under every profile.
#include "router/contingency.h"

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "router/router.h"

namespace headgate::router {

absl::StatusOr<v1::SetProfileResponse> Router::SetProfile(const v1::SetProfileRequest& request) {
  const auto wanted = ProfileOf(request.profile());
  if (!request.profile().empty() && !wanted) {
    return absl::InvalidArgumentError("profile: use one of none, cloud_outage, no_local");
  }
  v1::SetProfileResponse response;
  response.set_previous(ProfileName(Profile()));
  const PolicyConfig::Profile next = wanted.value_or(rules_->config.policy.profile);
  // First the record: what decides where requests go does not change unseen.
  const absl::Status written = RecordAdmin(absl::StrCat("profile ", ProfileName(next)));
  if (!written.ok()) return absl::UnavailableError("the profile cannot be recorded, so it stays");
  profile_ = wanted;
  ShowProfile();
  HG_LOG(Warning, "profile ", response.previous(), " -> ", ProfileName(next));
  response.set_profile(ProfileName(next));
  return response;
}

void Router::ShowProfile() {
  for (const PolicyConfig::Profile profile : kProfiles) {
    parts_.metrics
        .GetGauge("headgate_router_profile", "1 for the contingency profile in force.",
                  {{"profile", ProfileName(profile)}})
        .Set(profile == Profile() ? 1 : 0);
  }
}

}  // namespace headgate::router
