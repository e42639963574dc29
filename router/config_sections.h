// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One reader per section of the configuration file. Private to the config*.cc files. Each reads its keys with their
// ranges and then checks what its values mean together; complaints go through the map. Order matters only where a
// section is checked against an earlier one: `config` holds what was read so far.
//
// Thread-safety: none.
#pragma once

#include <set>
#include <string>

#include "router/config.h"
#include "router/config_fields.h"

namespace headgate::router {

struct Reading {
  YamlMap& root;
  const std::string base;  // directory of the configuration file
  const LoadOptions options;
  RouterConfig& config;
  std::set<std::string> key_hashes = {};  // every key so far, of tenants and of the admin role
};

void ReadListen(Reading& reading);
void ReadLimits(Reading& reading);
void ReadInputFilter(Reading& reading);
void ReadSensitivity(Reading& reading);
void ReadConversation(Reading& reading);
void ReadPolicy(Reading& reading);
void ReadLocal(Reading& reading);
void ReadCloud(Reading& reading);
void CheckCloudChoices(Reading& reading);  // when the tenants are known
void ReadOutputGuard(Reading& reading);
void ReadScaling(Reading& reading);
void ReadAccounting(Reading& reading);  // after ReadPolicy and ReadCloud
// The key `budget` of a map.
void ReadBudget(YamlMap& parent, BudgetConfig* out);
void CheckBudgets(Reading& reading);    // after the tenants file
void ReadAudit(Reading& reading);
void CheckPayloadTenants(Reading& reading);  // when the tenants are known
void ReadCache(Reading& reading);
void ReadSharing(Reading& reading);
// The tenants file's root; after ReadListen and ReadSensitivity.
void ReadTenants(Reading& reading, YamlMap& tenants_root);

}  // namespace headgate::router
