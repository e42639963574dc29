// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Where answers come from, as configured: the sections `local`, `cloud`, `clouds` and `cloud_choice`.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/tls.h"

namespace headgate::router {

struct EndpointConfig {
  std::string name;
  std::string address;                     // host:port; a name is resolved, each address is an endpoint; or
  std::string service = {};                // NAMESPACE/NAME: the ready pods of a Kubernetes Service, by EndpointSlices
  std::string port = {};                   // of the service: name or number; empty = its only one
  // kOpenAi: vLLM, SGLang and others that speak OpenAI's chat completions and show their load as metrics.
  enum class Protocol { kEngine, kOpenAi };
  Protocol protocol = Protocol::kEngine;
  std::string model = {};                  // kOpenAi: what it is asked for; empty = what it serves
  int64_t sequences_max = 256;             // kOpenAi: it does not say how many answers it works on at a time
};

// How to reach the API server. The defaults are what every pod has.
struct KubernetesConfig {
  std::string api;                         // https://host:port; empty = KUBERNETES_SERVICE_HOST and _PORT
  std::string token_file = "/var/run/secrets/kubernetes.io/serviceaccount/token";
  std::string ca_file = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
};

struct LocalConfig {
  std::vector<EndpointConfig> endpoints;
  std::vector<std::string> address_ranges = {"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                             "fc00::/7"};  // where a local backend must resolve to
  TlsConfig tls;
  std::string tls_server_name;             // expected identity of engines; or
  std::vector<std::string> tls_identities; // SPIFFE URIs (`/*` at the end: all below) and DNS names, one must be proved
  double reserved_share = 0.3;             // of the engines' sequences, kept for sensitive requests
  int64_t queue_max = 1000;                // requests that wait for an engine
  // Overload begins when the oldest has waited queue_target for queue_interval. The defaults let everybody wait; for an
  // objective of the first token: 20 % of it, and the objective.
  absl::Duration queue_target = absl::Seconds(6);
  absl::Duration queue_interval = absl::Seconds(30);
  absl::Duration resolve_interval = absl::Seconds(5);
  absl::Duration load_age_max = absl::Seconds(1);  // older = full
  absl::Duration stall_timeout = absl::Seconds(10);  // without a sign of work before a first token; or 3 x the prompt
  absl::Duration connect_timeout = absl::Seconds(2);
  absl::Duration metrics_interval = absl::Milliseconds(250);  // kOpenAi: how often its load is read
  KubernetesConfig kubernetes;
};

struct CloudConfig {
  bool further = false;                    // of `clouds`: its metrics have the label `cloud`
  bool enabled = false;
  std::string name = "deepseek";
  std::string base_url;                    // https://...; http only for loopback
  std::string model = "deepseek-flash";
  std::string api_key_file;                // or
  std::string api_key_env;                 // name of an environment variable; or
  std::vector<std::string> api_key_files;  // several keys, used in turn
  std::string ca_file;                     // extra trust anchor; empty = the system's
  enum class Dialect { kDeepSeek, kOpenAi };
  Dialect dialect = Dialect::kDeepSeek;    // kOpenAi: no `thinking`, no balance, the tenant's hash as `user`
  std::string body_members;                // `body`: members of a JSON object that every request's body gets
  bool thinking = false;
  bool user_id = true;                     // tell the cloud tenants apart, by a salted hash
  int64_t connections_max = 256;
  int64_t concurrency_max = 2500;          // answers under way; lowered while the cloud says 429
  int64_t calls_per_day = 0;               // authorised volume, UTC days; 0 = unlimited
  double calls_per_day_ratio = 1.0;        // of it, where the cloud closes; never above 2
  absl::Duration balance_interval = absl::Minutes(5);  // 0 = not asked for
  int64_t balance_min_micro_units = 0;     // alarm below
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration first_token_timeout = absl::Seconds(30);
  absl::Duration idle_timeout = absl::Seconds(300);  // re-armed by keep-alives
  int64_t attempts_max = 3;
  absl::Duration backoff_base = absl::Milliseconds(100);
  absl::Duration backoff_max = absl::Seconds(10);    // never above 10 s
  int64_t breaker_failures = 5;            // consecutive, opens
  absl::Duration breaker_open = absl::Seconds(10);
};

// For the metrics of one cloud.
inline std::map<std::string, std::string> CloudLabels(const CloudConfig& config,
                                                      std::map<std::string, std::string> others = {}) {
  if (config.further) others["cloud"] = config.name;
  return others;
}

// Which of several clouds a request is for: the first entry that fits, otherwise `cloud`.
struct CloudChoiceConfig {
  std::vector<std::string> tenants;        // empty = all
  enum class Scenario { kAny, kRealtime, kBatch };
  Scenario scenario = Scenario::kAny;      // batch: the request's priority is batch
  std::string cloud;                       // its name
};

}  // namespace headgate::router
