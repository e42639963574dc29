// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/scenario.h"

#include <utility>

#include "absl/time/civil_time.h"
#include "common/tls.h"
#include "common/yaml_reader.h"

namespace headgate::planner {
namespace {

constexpr size_t kFileBytesMax = 4 << 20;
using Map = YamlReader::Map;

void ReadReplica(Map& parent, ReplicaModel* out) {
  auto map = parent.GetMap("replica");
  if (!map) return;
  map->Get("stream_tokens_per_second", &out->stream_tokens_per_second, 1e-3, 1e6);
  map->Get("running_max", &out->running_max, 1, 100'000);
  map->Get("prefill_share_min", &out->prefill_share_min, 0.01, 0.99);
  map->Get("reserved_for_sensitive", &out->sensitive_share, 0.0, 0.95);
  map->Get("prefix_cache_tokens", &out->prefix_cache_tokens, 0, int64_t{1} << 40);
  map->Finish();
}

void ReadCloud(Map& parent, Scenario* out) {
  auto map = parent.GetMap("cloud");
  if (!map) return;
  CloudModel& cloud = out->cloud;
  map->Get("model", &out->router.cloud.model);
  map->Get("first_token", &cloud.first_token_s, 1e-3, 600.0);
  map->Get("first_token_per_1k", &cloud.first_token_s_per_1k, 0.0, 60.0);
  map->Get("stream_tokens_per_second", &cloud.stream_tokens_per_second, 1e-3, 1e6);
  map->Get("concurrency_max", &cloud.concurrency_max, 0, 10'000'000);
  map->Get("prefix_cache_tokens", &cloud.prefix_cache_tokens, 0, int64_t{1} << 40);
  map->Finish();
}

void ReadReplay(Map& root, Scenario* out) {
  root.Require("replay");
  auto map = root.GetMap("replay");
  if (!map) return;
  map->Require("start");
  std::string start, error;
  if (map->Get("start", &start) && !absl::ParseTime(absl::RFC3339_full, start, &out->start, &error)) {
    map->Complain("start", "must be a time such as 2026-11-16T00:00:00Z");
  }
  int64_t seed = 1;
  map->Get("seed", &seed, 0, int64_t{1} << 53);
  out->seed = static_cast<uint64_t>(seed);
  map->Get("rates", &out->rates);
  map->Get("sensitive_share", &out->sensitive_share, 0.0, 1.0);
  map->Get("deadline", &out->deadline_s, 0.1, 86400.0);
  map->Get("replicas_start", &out->replicas_start, 0, 10'000);
  map->Get("attainment", &out->attainment, 0.5, 1.0);
  map->Get("objective_per_output_token", &out->per_output_token_s, 1e-4, 60.0);
  ReadReplica(*map, &out->replica);
  ReadCloud(*map, out);
  map->Finish();
}

// Values that contradict each other.
void Check(Map& root, const Scenario& scenario) {
  const router::RouterConfig& config = scenario.router;
  if (config.scaling.replica_hour_micro_units <= 0) {
    root.Complain("scaling", "is required: what a replica costs and does");
  } else if (scenario.replicas_start < config.scaling.replicas_min ||
             scenario.replicas_start > config.scaling.replicas_max) {
    root.Complain("replay", "replicas_start lies outside scaling.replicas_min..replicas_max");
  }
  bool priced = false;
  for (const router::PriceRow& row : config.accounting.prices) {
    priced = priced || (row.model == config.cloud.model && row.valid_from <= scenario.start);
  }
  if (!priced) {
    root.Complain("accounting", "no price of " + config.cloud.model + " is valid at replay.start: nothing is guessed");
  }
}

}  // namespace

absl::StatusOr<Scenario> ParseScenario(const std::string& name, const std::string& text) {
  Scenario scenario;
  scenario.file = name;
  YamlReader reader(name, text);
  Map root = reader.Root();
  router::ReadDecisionSections(root, &scenario.router);
  ReadReplay(root, &scenario);
  scenario.replica.prefill_tokens_per_second = scenario.router.scaling.prefill_tokens_per_second;
  scenario.replica.decode_tokens_per_second = scenario.router.scaling.decode_tokens_per_second;
  if (reader.status().ok()) Check(root, scenario);
  root.Finish();
  if (!reader.status().ok()) return reader.status();
  return scenario;
}

absl::StatusOr<Scenario> LoadScenario(const std::string& path) {
  auto text = ReadFile(path, kFileBytesMax);
  if (!text.ok()) return text.status();
  return ParseScenario(path, *text);
}

double FirstTokenObjective(const Scenario& scenario, double prompt_tokens) {
  const router::PolicyConfig& policy = scenario.router.policy;
  return absl::ToDoubleSeconds(policy.first_token_objective) +
         absl::ToDoubleSeconds(policy.first_token_objective_per_1k) * prompt_tokens / 1000;
}

}  // namespace headgate::planner
