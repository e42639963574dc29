// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RouterConfig: the router's whole configuration, one YAML file (documented in docs/configuration.md; the struct names
// are the YAML keys). LoadRouterConfig validates completely: unknown key, wrong type, unreachable rule, or a sensitive
// class that could reach the cloud is an error with file, line and key.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls.h"
#include "common/yaml_reader.h"
#include "headgate/v1/inference.pb.h"
#include "router/config_guards.h"
#include "router/config_sharing.h"
#include "router/config_upstreams.h"

namespace headgate::router {

struct ListenConfig {
  std::string grpc = "127.0.0.1:8081";
  std::string http = "127.0.0.1:8080";
  std::string admin = "127.0.0.1:8082";    // Explain, GetState, Drain (gRPC)
  std::string metrics = "127.0.0.1:9090";
  TlsConfig tls;                           // grpc and http
  TlsConfig admin_tls;
  std::vector<std::string> admin_key_sha256;  // hex; empty = admin only from loopback
  bool reflection = false;                 // development only
};

struct LimitsConfig {
  int64_t body_bytes_max = 4 << 20;        // on the wire; larger is RESOURCE_EXHAUSTED / 413
  int64_t prompt_bytes_max = 1 << 20;      // text; larger is INVALID_ARGUMENT
  int64_t inspect_bytes_max = 512 << 10;   // text above this is not inspected: sensitive, reason not_inspectable
  int64_t in_flight_max = 20000;           // RESOURCE_EXHAUSTED above
  absl::Duration deadline_default = absl::Minutes(10);
  absl::Duration deadline_max = absl::Hours(1);
  absl::Duration drain = absl::Seconds(30);
};

// What may be spent on the cloud. Days and months are Beijing's, like the price table's clock.
struct BudgetConfig {
  enum class Period { kDay, kMonth };
  int64_t limit_micro_units = 0;            // of the price table's currency; 0 = no budget. Reached: cloud closed
  Period period = Period::kMonth;
  double soft_ratio = 0.8;                  // above this share: alarm
  std::vector<double> hourly_profile;  // 24 weights from midnight on: when the money is meant to go; empty = evenly
};

inline constexpr char kAnonymousTenant[] = "default";  // also of requests that name none

struct TenantConfig {
  std::string name;
  std::vector<std::string> api_key_sha256;  // hex SHA-256 of the key; keys are never stored
  std::vector<std::string> peer_identities; // certificate subjects (mTLS)
  double requests_per_second = 0;           // token bucket rate; 0 = unlimited
  double burst = 0;                         // bucket size; 0 = one second's worth
  v1::SensitivityLevel sensitivity_floor = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  bool cloud_allowed = true;
  BudgetConfig budget;
  bool masking = false;                     // values that may be masked are, and the rest may then go to the cloud
};

// What happens to a request whose text looks like an attack on what stands behind the model (screening).
struct InputFilterConfig {
  enum class Action { kOff, kFlag, kLocal, kBlock };
  Action sql_injection = Action::kFlag;
  Action xss = Action::kFlag;
  Action command_injection = Action::kFlag;
  Action prompt_injection = Action::kFlag;
};

struct KeywordListConfig {
  std::string name;
  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  std::vector<std::string> words;           // matched on canonical text; whole words for Latin script
};

// Values that are public, such as a company's own switchboard: what equals one of them does not count.
struct AllowListConfig {
  std::string name;
  std::string owner;                        // who answers for it
  absl::Time expires = absl::InfinitePast();
  std::vector<std::string> types;           // IsAllowable (detector_types.h)
  std::vector<std::string> values;          // compared without separators and case
};

struct SensitivityConfig {
  // At or above: sensitive. Not above CONFIDENTIAL.
  v1::SensitivityLevel threshold = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  std::vector<KeywordListConfig> keyword_lists;
  std::vector<AllowListConfig> allow_lists;
  // Type -> level, never below `threshold`: what a detector finds is sensitive.
  std::map<std::string, v1::SensitivityLevel> detector_levels;
};

struct PolicyConfig {
  enum class Mode { kOverflow, kSwitch, kCost };
  Mode mode = Mode::kOverflow;
  double cloud_qps_threshold = 200;        // T; the burst is T/4
  double switch_low_ratio = 0.8;           // back below this share of T
  absl::Duration switch_window = absl::Seconds(60);
  absl::Duration switch_dwell = absl::Seconds(60);
  bool bridge = false;                     // no local room: the excess over T may go to the cloud
  // `cost`: what a second of predicted delay beyond the objective counts, in micro-units of the price table's currency.
  int64_t delay_price = 10'000;
  absl::Duration first_token_objective = absl::Seconds(2);
  absl::Duration first_token_objective_per_1k = absl::ZeroDuration();  // more for every 1,000 prompt tokens
  double switch_margin = 0.1;              // a tenant changes sides only for more than this share of the cost
  // Of the local requests that may leave, this share may also go to the cloud when their first token is late. 0 = off.
  double hedge_share = 0;
  absl::Duration hedge_delay_min = absl::Milliseconds(500);  // late is never earlier; otherwise the observed p95
  // What the operator has declared: the cloud is out, or the engines are.
  enum class Profile { kNone, kCloudOutage, kNoLocal };
  Profile profile = Profile::kNone;
};

// What a local replica costs and does: for `cost`, for the wanted number of replicas and for the planner.
struct ScalingConfig {
  int64_t replica_hour_micro_units = 0;    // 0 = the section is absent: nothing is wanted
  int64_t replicas_min = 1;
  int64_t replicas_max = 1;
  double prefill_tokens_per_second = 0;    // of one replica, measured
  double decode_tokens_per_second = 0;
  absl::Duration cold_start = absl::Seconds(60);
  absl::Duration window = absl::Minutes(10);  // the past that the next minutes are expected to resemble
  double utilisation_max = 0.85;           // the part of a replica that is planned with
};

// Prices per million tokens in micro-units of `currency` (1 USD = 1,000,000 micro-USD).
struct PriceRow {
  std::string version;
  std::string model;
  std::string currency;
  absl::Time valid_from;
  int64_t cache_hit = 0, cache_miss = 0, output = 0;                 // off-peak
  int64_t peak_cache_hit = 0, peak_cache_miss = 0, peak_output = 0;
};

struct AccountingConfig {
  std::vector<PriceRow> prices;
  std::vector<std::string> holidays;       // YYYY-MM-DD in Beijing time: no peak price
  BudgetConfig budget;                     // of all tenants together
  int64_t reserve_output_tokens = 393'216; // reserved for an answer without max_tokens: the model's maximum
};

struct AuditConfig {
  std::string directory;                   // required
  std::string key_file;                    // HMAC key, at least 32 bytes; or
  std::string key_env;                     // the environment variable that holds it
  int64_t segment_bytes_max = 64 << 20;
  absl::Duration segment_age_max = absl::Hours(24);
  // kProcess: a record survives the process; a power loss takes at most what was written in sync_interval and during
  // the flush. kBeforeEgress: a cloud request also waits until its decision is on the medium.
  enum class Durability { kProcess, kBeforeEgress };
  Durability durability = Durability::kProcess;
  absl::Duration sync_interval = absl::Milliseconds(10);
  absl::Duration anchor_interval = absl::Minutes(1);
  // Keeps the content of requests and answers, encrypted. Off without a key.
  struct Payload {
    std::string key_file;                  // 64 hex digits or 32 bytes
    std::string key_env;
    std::vector<std::string> tenants;      // empty: all
    bool enabled() const { return !key_file.empty() || !key_env.empty(); }
  };
  Payload payload;
};
// The HMAC key and the payload key (32 bytes), from file or environment. INVALID_ARGUMENT: what is wrong, without the
// value. REQUIRES for the second: payload.enabled().
absl::StatusOr<std::string> ReadAuditKey(const AuditConfig& config);
absl::StatusOr<std::string> ReadPayloadKey(const AuditConfig::Payload& config);

struct CacheConfig {
  int64_t bytes_max = 0;                   // 0 = off
  absl::Duration ttl = absl::Minutes(10);
  bool shared = false;                     // second level in `sharing.redis`
  std::string warm_up_file = {};                // JSON lines: questions and answers that are there from the start
};

struct RouterConfig {
  std::string version;                     // 16 hex digits of the SHA-256 of `files_fingerprint`
  ListenConfig listen;
  LimitsConfig limits;
  bool anonymous = false;                  // true: requests without a key belong to the tenant `default`
  std::string tenants_file;                // YAML, `tenants:` holds the list; relative to the configuration file
  std::vector<TenantConfig> tenants;       // from tenants_file
  InputFilterConfig input_filter;
  SensitivityConfig sensitivity;
  ConversationConfig conversation;
  PolicyConfig policy;
  ScalingConfig scaling;
  LocalConfig local;
  CloudConfig cloud;
  std::vector<CloudConfig> clouds;         // further ones
  std::vector<CloudChoiceConfig> cloud_choice;
  SharingConfig sharing;
  OutputGuardConfig output_guard;
  AccountingConfig accounting;
  AuditConfig audit;
  CacheConfig cache;
  std::vector<std::string> files;          // every file read, for watching
  std::string files_fingerprint;           // FileWatch's, of `files` as they were read
};

// Loopback-only clouds: refuses any other base_url (tests, `./dev run` without a key).
struct LoadOptions {
  bool loopback_cloud_only = false;
};
absl::StatusOr<RouterConfig> LoadRouterConfig(const std::string& path, const LoadOptions& options = {});

// Only the sections that decide and cost: policy, scaling, accounting. For the planner's files, which hold more;
// complaints go through `root`.
void ReadDecisionSections(YamlReader::Map& root, RouterConfig* config);

}  // namespace headgate::router
