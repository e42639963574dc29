// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/status_macros.h"
#include "router/router.h"

namespace headgate::router {

absl::StatusOr<std::shared_ptr<const Rules>> Rules::Make(RouterConfig config) {
  ASSIGN_OR_RETURN(std::unique_ptr<Classification> classification, Classification::Make(config.sensitivity));
  std::shared_ptr<const Detectors> answer_detectors;
  if (config.output_guard.personal_data) {
    ASSIGN_OR_RETURN(answer_detectors, MakePatternDetectors(config.sensitivity));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<OutputGuard> output_guard,
                   OutputGuard::Make(config.output_guard, std::move(answer_detectors)));
  Screening screening(config.limits, config.input_filter);
  Policy policy(config.policy);
  return std::make_shared<const Rules>(Rules{std::move(config), std::move(screening), std::move(classification),
                                             std::move(policy), std::move(output_guard)});
}

}  // namespace headgate::router
