// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/scenario.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/time/civil_time.h"
#include "absl/strings/str_cat.h"
#include "common/tls.h"
#include "common/yaml_reader.h"
#include "planner/exchange.h"

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
  map->Get("prefix_cache_tokens", &out->prefix_cache_tokens, 0, int64_t{1} << 40);
  map->Finish();
}

// The keys of the router's section `local` that say who waits how.
void ReadQueue(Map& parent, router::LocalConfig* out) {
  auto map = parent.GetMap("queue");
  if (!map) return;
  map->Get("reserved_share", &out->reserved_share, 0.0, 1.0);
  map->Get("queue_max", &out->queue_max, 1, 1'000'000);
  map->Get("queue_target", &out->queue_target, absl::Milliseconds(1), absl::Minutes(10));
  map->Get("queue_interval", &out->queue_interval, absl::Milliseconds(1), absl::Minutes(10));
  if (out->queue_target > out->queue_interval) map->Complain("queue_target", "is above queue_interval");
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

bool KindOf(const std::string& name, Fault::Kind* out) {
  using Kind = Fault::Kind;
  const std::pair<const char*, Kind> kinds[] = {
      {"cloud_429", Kind::kCloud429},   {"cloud_503", Kind::kCloud503},       {"cloud_402", Kind::kCloud402},
      {"cloud_slow", Kind::kCloudSlow}, {"replica_loss", Kind::kReplicaLoss}, {"slow_boots", Kind::kSlowBoots}};
  for (const auto& [known, kind] : kinds) {
    if (name != known) continue;
    *out = kind;
    return true;
  }
  return false;
}

void ReadFaults(Map& parent, std::vector<Fault>* out) {
  using Kind = Fault::Kind;
  for (Map& map : parent.GetList("faults")) {
    Fault fault;
    double seconds = 0;
    map.Require("kind");
    map.Require("at");
    std::string name;
    if (map.Get("kind", &name) && !KindOf(name, &fault.kind)) {
      map.Complain("kind", absl::StrCat("unknown value \"", name,
                                        "\"; use one of cloud_429, cloud_503, cloud_402, cloud_slow, replica_loss, "
                                        "slow_boots"));
    }
    map.Get("at", &fault.at_s, 0.0, 1e9);
    if (map.Get("for", &seconds, 1e-3, 1e9)) fault.until_s = fault.at_s + seconds;
    const bool slows = fault.kind == Kind::kCloudSlow || fault.kind == Kind::kSlowBoots;
    if (slows) map.Require("factor");
    if (map.Get("factor", &fault.factor, 0.01, 1e6) && !slows) {
      map.Complain("factor", "belongs to cloud_slow and slow_boots only");
    }
    if (map.Get("count", &fault.count, 1, 10'000) && fault.kind != Kind::kReplicaLoss) {
      map.Complain("count", "belongs to replica_loss only");
    }
    if (map.Has("for") && fault.kind == Kind::kReplicaLoss) map.Complain("for", "a replica that is lost stays lost");
    map.Finish();
    out->push_back(fault);
  }
}

// Brings every price and the replicas' hours into one currency.
void Convert(Map& replay, Scenario* out) {
  std::vector<router::PriceRow>& prices = out->router.accounting.prices;
  for (const router::PriceRow& row : prices) {
    if (out->currency.empty() && row.model == out->router.cloud.model) out->currency = row.currency;
  }
  std::string of_replicas;
  replay.Get("currency", &out->currency);
  replay.Get("replica_currency", &of_replicas);
  for (const auto& [key, currency] :
       {std::pair{"currency", out->currency}, std::pair{"replica_currency", of_replicas}}) {
    if (!currency.empty() && !IsCurrency(currency)) {
      replay.Complain(key, "must be a currency code of three capital letters");
    }
  }
  const Exchange exchange = Exchange::Read(replay);
  if (out->currency.empty()) return;  // no price of the cloud's model: Check says so
  const auto rate = [&](const std::string& from, const std::string& what) {
    const auto known = exchange.Rate(from, out->currency);
    if (!known) {
      replay.Complain("fx", absl::StrCat("no rate from ", from, " to ", out->currency, " for ", what,
                                         ": nothing is guessed"));
    } else if (from != out->currency) {
      const std::string note = absl::StrCat(what, ": ", exchange.Describe(from, out->currency));
      if (out->notes.empty() || out->notes.back() != note) out->notes.push_back(note);
    }
    return known.value_or(1);
  };
  for (router::PriceRow& row : prices) {
    const double factor = rate(row.currency, "prices of " + row.model);
    if (factor == 1) continue;
    for (int64_t* price : {&row.cache_hit, &row.cache_miss, &row.output, &row.peak_cache_hit, &row.peak_cache_miss,
                           &row.peak_output}) {
      *price = std::llround(static_cast<double>(*price) * factor);
    }
    row.currency = out->currency;
  }
  if (of_replicas.empty()) return;
  int64_t& hour = out->router.scaling.replica_hour_micro_units;
  hour = std::llround(static_cast<double>(hour) * rate(of_replicas, "replica hours"));
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
  ReadQueue(*map, &out->router.local);
  ReadCloud(*map, out);
  ReadFaults(*map, &out->faults);
  Convert(*map, out);
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
  scenario.router.cloud.concurrency_max = std::max<int64_t>(1, scenario.cloud.concurrency_max);
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
