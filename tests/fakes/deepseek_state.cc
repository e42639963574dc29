// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/deepseek_state.h"

#include "common/status_macros.h"

namespace headgate {
namespace {
using Json = nlohmann::json;
}

absl::Status DeepSeekState::Control(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  try {
    for (const auto& [key, value] : json.items()) {
      if (key != "clear" && key != "default" && key != "add" && key != "limits" && key != "balance_nano_cny" &&
          key != "clear_records")
        return absl::InvalidArgumentError("unknown key " + key);
    }
    if (json.value("clear", false)) {
      With([](auto&, DeepSeekRules& rules, Stats&) {
        rules.Clear();
        rules.SetDefault({});
      });
    }
    if (json.value("clear_records", false)) ClearRecords();
    if (json.contains("default")) {
      ASSIGN_OR_RETURN(DeepSeekPlan plan, DeepSeekPlanFromJson(json["default"]));
      With([&](auto&, DeepSeekRules& rules, Stats&) { rules.SetDefault(plan); });
    }
    for (const Json& item : json.value("add", Json::array())) {
      ASSIGN_OR_RETURN(DeepSeekRule rule, DeepSeekRuleFromJson(item));
      With([&](auto&, DeepSeekRules& rules, Stats&) { rules.Add(rule); });
    }
    if (json.contains("limits")) {
      const DeepSeekAccount::Limits limits{json["limits"].value("flash", int64_t{2500}),
                                           json["limits"].value("pro", int64_t{500})};
      With([&](DeepSeekAccount& account, auto&, Stats&) { account.SetLimits(limits); });
    }
    if (json.contains("balance_nano_cny")) {
      const int64_t granted = json["balance_nano_cny"].value("granted", int64_t{0});
      const int64_t topped_up = json["balance_nano_cny"].value("topped_up", int64_t{0});
      With([&](DeepSeekAccount& account, auto&, Stats&) { account.SetBalance(granted, topped_up); });
    }
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return absl::OkStatus();
}

std::string DeepSeekState::RecordsJson() const {
  Json connections = Json::array();
  for (const std::string& bytes : Records()) connections.push_back(absl::Base64Escape(bytes));
  return Json{{"dropped_bytes", stats().bytes_dropped}, {"connections", connections}}.dump();
}

std::string DeepSeekState::StatsJson() const {
  const Stats now = stats();
  return Json{{"connections_open", now.connections_open},
              {"connections_total", now.connections_total},
              {"chats_active", now.chats_active},
              {"chats_total", now.chats_total},
              {"chats_abandoned", now.chats_abandoned},
              {"bytes_sent", now.bytes_sent},
              {"bytes_dropped", now.bytes_dropped}}
      .dump();
}

}  // namespace headgate
