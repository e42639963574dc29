// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/cloud_choice.h"

#include <algorithm>

namespace headgate::router {

size_t ChooseCloud(const RouterConfig& config, const std::string& tenant, v1::Priority priority) {
  const auto scenario = priority == v1::PRIORITY_BATCH ? CloudChoiceConfig::Scenario::kBatch
                                                       : CloudChoiceConfig::Scenario::kRealtime;
  const auto choice =
      std::find_if(config.cloud_choice.begin(), config.cloud_choice.end(), [&](const CloudChoiceConfig& one) {
        const bool whose = one.tenants.empty() ||
                           std::find(one.tenants.begin(), one.tenants.end(), tenant) != one.tenants.end();
        return whose && (one.scenario == CloudChoiceConfig::Scenario::kAny || one.scenario == scenario);
      });
  if (choice == config.cloud_choice.end()) return 0;
  const auto cloud = std::find_if(config.clouds.begin(), config.clouds.end(),
                                  [&](const CloudConfig& one) { return one.name == choice->cloud; });
  return cloud == config.clouds.end() ? 0 : static_cast<size_t>(cloud - config.clouds.begin()) + 1;
}

const CloudConfig& CloudNumber(const RouterConfig& config, size_t number) {
  return number == 0 || number > config.clouds.size() ? config.cloud : config.clouds[number - 1];
}

}  // namespace headgate::router
