// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/config.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

// Four lines, so that a row's own text begins at line 5.
constexpr char kBase[] =
    "local: {endpoints: [{name: a, address: '127.0.0.1:9001'}]}\n"
    "audit: {directory: audit, key_file: audit.key}\n"
    "anonymous: true\n"
    "\n";
constexpr char kHashA[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr char kHashB[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

// A folder with what configurations refer to.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Write("audit.key", std::string(32, 'k'));
    Write("short.key", std::string(31, 'k'));
    Write("cloud.key", "sk-test\n");
    Write("empty.key", "\n");
  }
  ~ConfigTest() override { fs::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  // Placeholders keep the rows readable.
  absl::StatusOr<RouterConfig> Load(const std::string& yaml, const std::string& tenants = "",
                                    const LoadOptions& options = {}) {
    const auto fill = [](const std::string& text) { return absl::StrReplaceAll(text, {{"HASH_A", kHashA}, {"HASH_B", kHashB}}); };
    Write("router.yaml", fill(yaml));
    if (!tenants.empty()) Write("tenants.yaml", fill(tenants));
    return LoadRouterConfig((folder_ / "router.yaml").string(), options);
  }
  // The complaints, without the folder; "" = good.
  std::string Complaints(const absl::StatusOr<RouterConfig>& loaded) {
    return absl::StrReplaceAll(std::string(loaded.status().message()), {{folder_.string() + "/", ""}});
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / absl::StrCat("headgate_config_test.", getpid());
};

TEST_F(ConfigTest, TheSmallestConfigurationHasTheDocumentedDefaults) {
  const auto loaded = Load(kBase);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->listen.grpc, "127.0.0.1:8081");
  EXPECT_EQ(loaded->limits.deadline_default, absl::Minutes(10));
  EXPECT_EQ(loaded->sensitivity.threshold, v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
  EXPECT_EQ(loaded->policy.mode, PolicyConfig::Mode::kOverflow);
  EXPECT_EQ(loaded->policy.cloud_qps_threshold, 200);
  EXPECT_FALSE(loaded->cloud.enabled);
  ASSERT_EQ(loaded->tenants.size(), 1u);
  EXPECT_EQ(loaded->tenants[0].name, "default");
  EXPECT_EQ(loaded->audit.directory, (folder_ / "audit").string());
  EXPECT_THAT(loaded->files, ElementsAre((folder_ / "router.yaml").string()));
}

TEST_F(ConfigTest, EveryKeyArrives) {
  const auto loaded = Load(R"(
listen: {grpc: '0.0.0.0:1', http: '[::]:2', admin: '127.0.0.1:0', metrics: '127.0.0.1:0', admin_key_sha256: [HASH_A], reflection: true}
limits: {body_bytes_max: 2000000, prompt_bytes_max: 1000000, inspect_bytes_max: 500000, in_flight_max: 5, deadline_default: 1m, deadline_max: 2m, drain: 3s}
tenants_file: tenants.yaml
sensitivity:
  threshold: internal
  keyword_lists: [{name: projects, level: restricted, words: [Zephyr, 长江]}]
  detector_levels: {EMAIL: restricted}
policy: {mode: switch, cloud_qps_threshold: 1.5, switch_low_ratio: 0.5, switch_window: 10s, switch_dwell: 30s}
local:
  endpoints: [{name: a, address: 'engine:9001'}, {name: b, address: '[fd00::1]:9001'}]
  address_ranges: [10.1.0.0/16, 'fd00::/8']
  resolve_interval: 1s
  load_age_max: 2s
  connect_timeout: 3s
cloud:
  enabled: true
  name: c
  base_url: https://api.deepseek.com/
  model: deepseek-v4-pro
  api_key_file: cloud.key
  thinking: true
  connections_max: 7
  connect_timeout: 1s
  first_token_timeout: 2s
  idle_timeout: 3s
  attempts_max: 4
  backoff_base: 5ms
  backoff_max: 6s
  breaker_failures: 8
  breaker_open: 9s
output_guard: {word_lists: [{name: w, action: stop, words: [x]}]}
accounting:
  prices:
  - {version: v1, model: deepseek-v4-pro, currency: USD, valid_from: 2026-11-15, cache_hit: 22000, cache_miss: 660000, output: 1980000, peak_cache_hit: 44000, peak_cache_miss: 1320000, peak_output: 3960000}
  - {version: v0, model: deepseek-v4-pro, currency: USD, valid_from: '2026-01-01T08:00:00+08:00', cache_hit: 1, cache_miss: 2, output: 3}
  holidays: [2026-10-01]
audit: {directory: /var/audit, key_file: audit.key, segment_bytes_max: 1000000}
cache: {bytes_max: 1000, ttl: 1m}
)",
                           R"(
tenants:
- {name: t, api_key_sha256: [HASH_B], requests_per_second: 10, burst: 20, sensitivity_floor: public, cloud_allowed: false}
)");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->listen.http, "[::]:2");
  EXPECT_THAT(loaded->listen.admin_key_sha256, ElementsAre(kHashA));
  EXPECT_TRUE(loaded->listen.reflection);
  EXPECT_EQ(loaded->limits.in_flight_max, 5);
  EXPECT_EQ(loaded->limits.drain, absl::Seconds(3));
  EXPECT_EQ(loaded->sensitivity.threshold, v1::SENSITIVITY_LEVEL_INTERNAL);
  EXPECT_THAT(loaded->sensitivity.keyword_lists.at(0).words, ElementsAre("Zephyr", "长江"));
  EXPECT_EQ(loaded->sensitivity.detector_levels.at("EMAIL"), v1::SENSITIVITY_LEVEL_RESTRICTED);
  EXPECT_EQ(loaded->policy.mode, PolicyConfig::Mode::kSwitch);
  EXPECT_EQ(loaded->policy.switch_dwell, absl::Seconds(30));
  EXPECT_EQ(loaded->local.endpoints.at(1).address, "[fd00::1]:9001");
  EXPECT_EQ(loaded->local.load_age_max, absl::Seconds(2));
  EXPECT_EQ(loaded->cloud.base_url, "https://api.deepseek.com");
  EXPECT_EQ(loaded->cloud.api_key_file, (folder_ / "cloud.key").string());
  EXPECT_TRUE(loaded->cloud.thinking);
  EXPECT_EQ(loaded->cloud.backoff_base, absl::Milliseconds(5));
  EXPECT_EQ(loaded->cloud.breaker_failures, 8);
  EXPECT_EQ(loaded->output_guard.word_lists.at(0).action, GuardWordList::Action::kStop);
  EXPECT_EQ(loaded->accounting.prices.at(0).valid_from, absl::FromUnixSeconds(1794700800));
  EXPECT_EQ(loaded->accounting.prices.at(0).peak_output, 3960000);
  EXPECT_EQ(loaded->accounting.prices.at(1).valid_from, absl::FromUnixSeconds(1767225600));
  EXPECT_EQ(loaded->accounting.prices.at(1).peak_output, 3);  // a sheet without a peak clock
  EXPECT_THAT(loaded->accounting.holidays, ElementsAre("2026-10-01"));
  EXPECT_EQ(loaded->audit.directory, "/var/audit");
  EXPECT_EQ(loaded->cache.bytes_max, 1000);
  ASSERT_EQ(loaded->tenants.size(), 1u);
  EXPECT_THAT(loaded->tenants[0].api_key_sha256, ElementsAre(kHashB));
  EXPECT_EQ(loaded->tenants[0].burst, 20);
  EXPECT_FALSE(loaded->tenants[0].cloud_allowed);
  EXPECT_EQ(loaded->tenants[0].sensitivity_floor, v1::SENSITIVITY_LEVEL_PUBLIC);
  EXPECT_EQ(loaded->files.size(), 2u);
}

TEST_F(ConfigTest, TheVersionIsOfAllFiles) {
  const std::string yaml = std::string(kBase) + "tenants_file: tenants.yaml\n";
  const std::string tenants = "tenants: [{name: t, api_key_sha256: [HASH_A]}]\n";
  const std::string first = Load(yaml, tenants)->version;
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(Load(yaml, tenants)->version, first);
  EXPECT_NE(Load(yaml + "# more\n", tenants)->version, first);
  EXPECT_NE(Load(yaml, tenants + "# more\n")->version, first);
}

TEST_F(ConfigTest, HashesAreReadInAnyCase) {
  const std::string upper = "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB";
  const auto loaded = Load(std::string(kBase) + "tenants_file: tenants.yaml\n",
                           "tenants: [{name: t, api_key_sha256: [" + upper + "]}]\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->tenants[0].api_key_sha256[0][0], 'a');
}

TEST_F(ConfigTest, NoFile) {
  EXPECT_EQ(LoadRouterConfig((folder_ / "none.yaml").string()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ConfigTest, AllComplaintsOfBothFilesAtOnce) {
  const auto loaded = Load(std::string(kBase) + "tenants_file: tenants.yaml\npolicy: {mode: burst}\ncache: {ttl: 1}\n",
                           "tenants:\n- {name: t, cloud: false}\n");
  EXPECT_EQ(Complaints(loaded),
            "router.yaml:6: policy.mode: unknown value \"burst\"; use one of overflow, switch\n"
            "router.yaml:7: cache.ttl: must be a duration such as 250ms, 10s or 5m\n"
            "tenants.yaml:2: tenants[0]: a tenant needs api_key_sha256 or peer_identities\n"
            "tenants.yaml:2: tenants[0].cloud: unknown key; known here: api_key_sha256, burst, cloud_allowed, name, "
            "peer_identities, requests_per_second, sensitivity_floor");
}

struct Row {
  const char* name;
  const char* yaml;        // after kBase, from line 5 on; or a whole file when it holds `local:`
  const char* complaints;  // "" = good
};

class ConfigRowTest : public ConfigTest, public testing::WithParamInterface<Row> {};

TEST_P(ConfigRowTest, Complaints) {
  const std::string yaml = GetParam().yaml;
  const bool whole = yaml.find("local:") != std::string::npos || yaml.find("audit:") != std::string::npos;
  EXPECT_EQ(Complaints(Load(whole ? yaml : kBase + yaml)), GetParam().complaints);
}

INSTANTIATE_TEST_SUITE_P(
    General, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"empty", "# local: audit:\n",
         "router.yaml:1: local: is required\nrouter.yaml:1: audit: is required\n"
         "router.yaml:1: tenants_file: is required, or anonymous: true: otherwise nobody could be admitted"},
        {"unknown_key", "polcy: {}\n",
         "router.yaml:5: polcy: unknown key; known here: accounting, anonymous, audit, cache, cloud, limits, listen, "
         "local, output_guard, policy, sensitivity, tenants_file"},
        {"no_tenants_file", "tenants_file: none.yaml\n", "router.yaml:5: tenants_file: none.yaml: No such file or directory"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Listen, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"host_name", "listen: {grpc: 'localhost:1'}\n",
         "router.yaml:5: listen.grpc: must be an IP address and a port such as 127.0.0.1:8080 or [::]:8080"},
        {"no_port", "listen: {http: '127.0.0.1'}\n",
         "router.yaml:5: listen.http: must be an IP address and a port such as 127.0.0.1:8080 or [::]:8080"},
        {"port_too_high", "listen: {http: '127.0.0.1:65536'}\n",
         "router.yaml:5: listen.http: must be an IP address and a port such as 127.0.0.1:8080 or [::]:8080"},
        {"port_taken", "listen: {http: '127.0.0.1:7', admin: '0.0.0.0:7'}\n",
         "router.yaml:5: listen.admin: port 7 is taken by listen.http"},
        {"port_of_a_default", "listen: {http: '127.0.0.1:9090'}\n",
         "router.yaml:5: listen.metrics: port 9090 is taken by listen.http"},
        {"free_ports", "listen: {grpc: '127.0.0.1:0', http: '127.0.0.1:0', admin: '127.0.0.1:0', metrics: '[::1]:0'}\n", ""},
        {"tls_without_key", "listen: {tls: {certificate_file: a.crt}}\n",
         "router.yaml:5: listen.tls: certificate_file and key_file go together"},
        {"tls_ca_only", "listen: {tls: {ca_file: a.crt}}\n",
         "router.yaml:5: listen.tls: a server needs certificate_file and key_file"},
        {"tls_missing_file", "listen: {admin_tls: {certificate_file: a.crt, key_file: a.key}}\n",
         "router.yaml:5: listen.admin_tls: a.crt: No such file or directory"},
        {"admin_key_in_clear", "listen: {admin_key_sha256: [sk-secret]}\n",
         "router.yaml:5: listen.admin_key_sha256[0]: must be the SHA-256 of a key, 64 hex digits (printf %s \"$KEY\" | "
         "sha256sum)"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Limits, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"body_too_small", "limits: {body_bytes_max: 1, prompt_bytes_max: 1}\n",
         "router.yaml:5: limits.body_bytes_max: 1 is out of range; use 1024 to 67108864"},
        {"prompt_above_body", "limits: {body_bytes_max: 2048, prompt_bytes_max: 2049}\n",
         "router.yaml:5: limits.prompt_bytes_max: unreachable rule: is above limits.body_bytes_max"},
        {"default_above_max", "limits: {deadline_default: 2m, deadline_max: 1m}\n",
         "router.yaml:5: limits.deadline_default: is above limits.deadline_max"},
        {"nobody", "limits: {in_flight_max: 0}\n",
         "router.yaml:5: limits.in_flight_max: 0 is out of range; use 1 to 1000000"},
        {"drain_negative", "limits: {drain: -1s}\n", "router.yaml:5: limits.drain: -1s is out of range; use 0 to 1h"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Sensitivity, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"threshold_restricted", "sensitivity: {threshold: restricted}\n",
         "router.yaml:5: sensitivity.threshold: a sensitive class could reach the cloud: use confidential or lower"},
        {"threshold_unknown", "sensitivity: {threshold: secret}\n",
         "router.yaml:5: sensitivity.threshold: unknown value \"secret\"; use one of public, internal, confidential, "
         "restricted"},
        {"detector_lowered", "sensitivity: {detector_levels: {CN_RESIDENT_ID: internal}}\n",
         "router.yaml:5: sensitivity.detector_levels.CN_RESIDENT_ID: a sensitive class could reach the cloud: internal is "
         "below the threshold; use confidential or higher"},
        {"credential_lowered", "sensitivity:\n  detector_levels:\n    JWT: restricted\n    API_KEY: public\n",
         "router.yaml:8: sensitivity.detector_levels.API_KEY: a sensitive class could reach the cloud: public is below the "
         "threshold; use confidential or higher"},
        {"detector_lowered_within", "sensitivity: {detector_levels: {CN_RESIDENT_ID: confidential}}\n", ""},
        {"detector_lowered_by_threshold", "sensitivity: {threshold: internal, detector_levels: {EMAIL: internal}}\n", ""},
        {"detector_unknown", "sensitivity: {detector_levels: {RESIDENT_ID: restricted}}\n",
         "router.yaml:5: sensitivity.detector_levels.RESIDENT_ID: unknown detector; use one of API_KEY, BANK_CARD, "
         "CN_RESIDENT_ID, EMAIL, JWT, PHONE_CN_MOBILE, PRIVATE_KEY"},
        {"keywords_below", "sensitivity: {keyword_lists: [{name: a, level: internal, words: [x]}]}\n",
         "router.yaml:5: sensitivity.keyword_lists[0].level: unreachable rule: internal is below sensitivity.threshold, so "
         "a match would change nothing; use confidential or higher, or delete the list"},
        {"keywords_without_words", "sensitivity: {keyword_lists: [{name: a}]}\n",
         "router.yaml:5: sensitivity.keyword_lists[0].words: is required"},
        {"keywords_empty", "sensitivity: {keyword_lists: [{name: a, words: []}]}\n",
         "router.yaml:5: sensitivity.keyword_lists[0].words: needs at least one word"},
        {"keywords_blank_and_twice", "sensitivity: {keyword_lists: [{name: a, words: [x, ' ', x]}]}\n",
         "router.yaml:5: sensitivity.keyword_lists[0].words[1]: must be 1 to 256 bytes and not only spaces\n"
         "router.yaml:5: sensitivity.keyword_lists[0].words[2]: is there already"},
        {"keywords_same_name", "sensitivity: {keyword_lists: [{name: a, words: [x]}, {name: a, words: [y]}]}\n",
         "router.yaml:5: sensitivity.keyword_lists[1].name: \"a\" is there already"},
        {"keywords_bad_name", "sensitivity: {keyword_lists: [{name: 'a b', words: [x]}]}\n",
         "router.yaml:5: sensitivity.keyword_lists[0].name: must be 1 to 64 characters of A-Z, a-z, 0-9, _ . -"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    PolicyAndGuard, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"qps_negative", "policy: {cloud_qps_threshold: -1}\n",
         "router.yaml:5: policy.cloud_qps_threshold: -1 is out of range; use 0 to 1e+06"},
        {"qps_zero", "policy: {cloud_qps_threshold: 0}\n", ""},
        {"ratio_one", "policy: {switch_low_ratio: 1}\n",
         "router.yaml:5: policy.switch_low_ratio: 1 is out of range; use 0.01 to 0.99"},
        {"dwell_zero", "policy: {switch_dwell: 0s}\n",
         "router.yaml:5: policy.switch_dwell: 0 is out of range; use 1s to 1h"},
        {"guard_action", "output_guard: {word_lists: [{name: a, action: block, words: [x]}]}\n",
         "router.yaml:5: output_guard.word_lists[0].action: unknown value \"block\"; use one of redact, stop, flag"},
        {"guard_same_name", "output_guard: {word_lists: [{name: a, words: [x]}, {name: a, words: [y]}]}\n",
         "router.yaml:5: output_guard.word_lists[1].name: \"a\" is there already"},
        {"cache_negative", "cache: {bytes_max: -1}\n",
         "router.yaml:5: cache.bytes_max: -1 is out of range; use 0 to 1099511627776"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    LocalAndAudit, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"no_endpoints", "local: {}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.endpoints: needs at least one engine"},
        {"endpoint_without_address", "local: {endpoints: [{name: a}]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.endpoints[0].address: is required"},
        {"endpoint_without_port", "local: {endpoints: [{name: a, address: engine}]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.endpoints[0].address: must be a host and a port such as engine:8090"},
        {"endpoint_outside", "local: {endpoints: [{name: a, address: '8.8.8.8:1'}]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.endpoints[0].address: lies outside local.address_ranges: a local backend must be inside the "
         "cluster"},
        {"endpoint_outside_by_mapping", "local: {endpoints: [{name: a, address: '[::ffff:8.8.8.8]:1'}]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.endpoints[0].address: lies outside local.address_ranges: a local backend must be inside the "
         "cluster"},
        {"endpoints_twice",
         "local: {endpoints: [{name: a, address: 'e:1'}, {name: a, address: 'e:1'}]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.endpoints[1].name: \"a\" is there already\n"
         "router.yaml:1: local.endpoints[1].address: is there already"},
        {"range_everything", "local: {endpoints: [{name: a, address: 'e:1'}], address_ranges: [0.0.0.0/0]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.address_ranges[0]: is too wide to be called local; use /8 or narrower"},
        {"range_bits", "local: {endpoints: [{name: a, address: 'e:1'}], address_ranges: [10.1.2.3/8, 'fd00::1/8', ten]}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.address_ranges[0]: has bits beyond its prefix; write 10.0.0.0/8\n"
         "router.yaml:1: local.address_ranges[1]: has bits beyond its prefix; write fd00::/8\n"
         "router.yaml:1: local.address_ranges[2]: is not an address range such as 10.0.0.0/8"},
        {"server_name_without_tls", "local: {endpoints: [{name: a, address: 'e:1'}], tls_server_name: engine}\naudit: {directory: d, key_file: audit.key}\nanonymous: true\n",
         "router.yaml:1: local.tls_server_name: unreachable rule: local.tls is not set, so no engine shows an identity"},
        {"audit_empty", "local: {endpoints: [{name: a, address: 'e:1'}]}\naudit: {}\nanonymous: true\n",
         "router.yaml:2: audit.directory: is required\nrouter.yaml:2: audit.key_file: is required"},
        {"audit_key_short", "local: {endpoints: [{name: a, address: 'e:1'}]}\naudit: {directory: d, key_file: short.key}\nanonymous: true\n",
         "router.yaml:2: audit.key_file: the key must be at least 32 bytes"},
        {"audit_key_missing", "local: {endpoints: [{name: a, address: 'e:1'}]}\naudit: {directory: d, key_file: none.key}\nanonymous: true\n",
         "router.yaml:2: audit.key_file: none.key: No such file or directory"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Cloud, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"plain_http", "cloud: {base_url: 'http://api.deepseek.com'}\n",
         "router.yaml:5: cloud.base_url: must be https: plain http is for loopback only"},
        {"http_loopback", "cloud: {enabled: true, base_url: 'http://127.0.0.1:9000/v1'}\n", ""},
        {"http_loopback_v6", "cloud: {enabled: true, base_url: 'http://[::1]:9000'}\n", ""},
        {"http_localhost_lookalike", "cloud: {base_url: 'http://localhost.example.com'}\n",
         "router.yaml:5: cloud.base_url: must be https: plain http is for loopback only"},
        {"http_loopback_lookalike", "cloud: {base_url: 'http://127.0.0.1@example.com'}\n",
         "router.yaml:5: cloud.base_url: must hold host, port and path only: no user, query or fragment"},
        {"http_backslash", "cloud: {base_url: 'http://127.0.0.1\\.example.com'}\n",
         "router.yaml:5: cloud.base_url: must hold host, port and path only: no user, query or fragment"},
        {"other_scheme", "cloud: {base_url: 'ftp://127.0.0.1'}\n", "router.yaml:5: cloud.base_url: must begin with https://"},
        {"no_host", "cloud: {base_url: 'https://'}\n", "router.yaml:5: cloud.base_url: must be https://host[:port][/path]"},
        {"https_inside", "cloud: {enabled: true, base_url: 'https://10.0.0.1', api_key_env: K}\n", ""},
        {"no_url", "cloud: {enabled: true, api_key_env: K}\n", "router.yaml:5: cloud.base_url: is required"},
        {"no_key", "cloud: {enabled: true, base_url: 'https://a.example'}\n",
         "router.yaml:5: cloud.enabled: needs api_key_file or api_key_env"},
        {"disabled_needs_no_key", "cloud: {enabled: false, base_url: 'https://a.example'}\n", ""},
        {"two_keys", "cloud: {api_key_file: cloud.key, api_key_env: K}\n",
         "router.yaml:5: cloud.api_key_env: give api_key_file or api_key_env, not both"},
        {"empty_key", "cloud: {api_key_file: empty.key}\n", "router.yaml:5: cloud.api_key_file: the file is empty"},
        {"backoff_max", "cloud: {backoff_max: 11s}\n",
         "router.yaml:5: cloud.backoff_max: 11s is out of range; use 1ms to 10s"},
        {"backoff_order", "cloud: {backoff_base: 5s, backoff_max: 1s}\n",
         "router.yaml:5: cloud.backoff_base: is above cloud.backoff_max"},
        {"all_sensitive", "cloud: {enabled: true, base_url: 'http://127.0.0.1'}\nsensitivity: {threshold: public}\n",
         "router.yaml:5: cloud.enabled: unreachable rule: sensitivity.threshold public makes every request sensitive"},
        {"ca_missing", "cloud: {ca_file: ca.crt}\n", "router.yaml:5: cloud.ca_file: ca.crt: No such file or directory"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Accounting, ConfigRowTest,
    testing::ValuesIn(std::vector<Row>{
        {"no_price_for_the_model",
         "cloud: {enabled: true, base_url: 'http://127.0.0.1', model: m}\n"
         "accounting: {prices: [{version: v, model: n, currency: USD, valid_from: 2026-01-01, cache_hit: 1, cache_miss: 1, output: 1}]}\n",
         "router.yaml:6: accounting.prices: no price for cloud.model m"},
        {"incomplete", "accounting: {prices: [{version: v}]}\n",
         "router.yaml:5: accounting.prices[0].model: is required\nrouter.yaml:5: accounting.prices[0].currency: is required\n"
         "router.yaml:5: accounting.prices[0].valid_from: is required\n"
         "router.yaml:5: accounting.prices[0].cache_hit: is required\n"
         "router.yaml:5: accounting.prices[0].cache_miss: is required\n"
         "router.yaml:5: accounting.prices[0].output: is required"},
        {"bad_values",
         "accounting: {prices: [{version: v, model: n, currency: usd, valid_from: 2026-02-30, cache_hit: 0.1, cache_miss: 1, output: -1}]}\n",
         "router.yaml:5: accounting.prices[0].currency: must be a currency code of three capital letters\n"
         "router.yaml:5: accounting.prices[0].valid_from: must be a time such as 2026-11-15T00:00:00Z or a date such as "
         "2026-11-15\n"
         "router.yaml:5: accounting.prices[0].cache_hit: must be a whole number\n"
         "router.yaml:5: accounting.prices[0].output: -1 is out of range; use 0 to 1000000000000"},
        {"one_peak_price",
         "accounting: {prices: [{version: v, model: n, currency: USD, valid_from: 2026-01-01, cache_hit: 1, cache_miss: 1, output: 1, peak_output: 2}]}\n",
         "router.yaml:5: accounting.prices[0]: give all three peak prices or none"},
        {"same_instant",
         "accounting:\n  prices:\n"
         "  - {version: v, model: n, currency: USD, valid_from: 2026-01-01, cache_hit: 1, cache_miss: 1, output: 1}\n"
         "  - {version: w, model: n, currency: USD, valid_from: '2026-01-01T00:00:00Z', cache_hit: 1, cache_miss: 1, output: 1}\n"
         "  - {version: w, model: n, currency: USD, valid_from: 2026-01-02, cache_hit: 1, cache_miss: 1, output: 1}\n"
         "  - {version: w, model: o, currency: USD, valid_from: 2026-01-01, cache_hit: 1, cache_miss: 1, output: 1}\n",
         "router.yaml:8: accounting.prices[1].valid_from: this model has a price from this instant already\n"
         "router.yaml:9: accounting.prices[2].version: this model has this version already"},
        {"holidays", "accounting: {holidays: [2026-10-01, 2026-10-1, 2026-13-01, 2026-10-01]}\n",
         "router.yaml:5: accounting.holidays[1]: must be a date such as 2026-10-01\n"
         "router.yaml:5: accounting.holidays[2]: must be a date such as 2026-10-01\n"
         "router.yaml:5: accounting.holidays[3]: is there already"},
    }),
    [](const auto& info) { return info.param.name; });

struct TenantRow {
  const char* name;
  const char* tenants;
  const char* complaints;
};

class ConfigTenantTest : public ConfigTest, public testing::WithParamInterface<TenantRow> {};

TEST_P(ConfigTenantTest, Complaints) {
  EXPECT_EQ(Complaints(Load(std::string(kBase) + "tenants_file: tenants.yaml\nlisten: {admin_key_sha256: [HASH_B]}\n",
                            GetParam().tenants)),
            GetParam().complaints);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ConfigTenantTest,
    testing::ValuesIn(std::vector<TenantRow>{
        {"good", "tenants: [{name: a, api_key_sha256: [HASH_A]}]\n", ""},
        {"anonymous_needs_no_key", "tenants: [{name: default, requests_per_second: 1}]\n", ""},
        {"a_bare_list", "- {name: a, api_key_sha256: [HASH_A]}\n",
         "tenants.yaml:1: must be a map of keys and values\ntenants.yaml:1: tenants: is required"},
        {"none", "tenants: []\n", "tenants.yaml:1: tenants: needs at least one tenant"},
        {"no_name", "tenants: [{api_key_sha256: [HASH_A]}]\n", "tenants.yaml:1: tenants[0].name: is required"},
        {"no_key", "tenants: [{name: a}]\n", "tenants.yaml:1: tenants[0]: a tenant needs api_key_sha256 or peer_identities"},
        {"same_name", "tenants:\n- {name: default}\n- {name: default}\n",
         "tenants.yaml:3: tenants[1].name: \"default\" is there already"},
        {"same_key", "tenants:\n- {name: a, api_key_sha256: [HASH_A]}\n- {name: b, api_key_sha256: [HASH_A]}\n",
         "tenants.yaml:3: tenants[1].api_key_sha256[0]: belongs to someone already; every key has one owner and one role"},
        {"admin_key", "tenants: [{name: a, api_key_sha256: [HASH_B]}]\n",
         "tenants.yaml:1: tenants[0].api_key_sha256[0]: belongs to someone already; every key has one owner and one role"},
        {"key_in_clear", "tenants: [{name: a, api_key_sha256: [sk-very-secret]}]\n",
         "tenants.yaml:1: tenants[0].api_key_sha256[0]: must be the SHA-256 of a key, 64 hex digits (printf %s \"$KEY\" | "
         "sha256sum)"},
        {"empty_key",
         "tenants: [{name: a, api_key_sha256: [e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855]}]\n",
         "tenants.yaml:1: tenants[0].api_key_sha256[0]: is the SHA-256 of nothing; the key was empty when it was hashed"},
        {"burst_without_rate", "tenants: [{name: default, burst: 5}]\n",
         "tenants.yaml:1: tenants[0].burst: unreachable rule: requests_per_second is not set, so the rate is unlimited"},
        {"burst_below_one", "tenants: [{name: default, requests_per_second: 5, burst: 0.5}]\n",
         "tenants.yaml:1: tenants[0].burst: 0.5 is out of range; use 1 to 1e+06"},
        {"identity_without_mtls", "tenants: [{name: a, peer_identities: [CN=a]}]\n",
         "tenants.yaml:1: tenants[0].peer_identities: unreachable rule: listen.tls.ca_file is not set, so no client shows a "
         "certificate"},
        {"floor_and_cloud", "tenants: [{name: default, sensitivity_floor: restricted, cloud_allowed: true}]\n",
         "tenants.yaml:1: tenants[0].cloud_allowed: unreachable rule: sensitivity_floor makes every request of this tenant "
         "sensitive"},
        {"floor_alone", "tenants: [{name: default, sensitivity_floor: restricted}]\n", ""},
    }),
    [](const auto& info) { return info.param.name; });

TEST_F(ConfigTest, LoopbackCloudOnly) {
  const LoadOptions options{.loopback_cloud_only = true};
  const std::string away = std::string(kBase) + "cloud: {enabled: true, base_url: 'https://a.example', api_key_env: K}\n";
  EXPECT_TRUE(Load(away).ok());
  EXPECT_EQ(Complaints(Load(away, "", options)),
            "router.yaml:5: cloud.base_url: only a loopback cloud is allowed in this run (HEADGATE_LOOPBACK_CLOUD_ONLY)");
  EXPECT_TRUE(Load(std::string(kBase) + "cloud: {enabled: true, base_url: 'http://127.0.0.1:1'}\n", "", options).ok());
}

// What is delivered loads: the example configuration that documents every key.
TEST_F(ConfigTest, TheExampleConfigurationLoads) {
  const char* source = std::getenv("HEADGATE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  for (const char* name : {"router.yaml", "tenants.yaml"}) {
    fs::copy_file(fs::path(source) / "deploy/config" / name, folder_ / name, fs::copy_options::overwrite_existing);
  }
  fs::create_directories(folder_ / "run");
  Write("run/audit.key", std::string(32, 'k'));
  const auto loaded = LoadRouterConfig((folder_ / "router.yaml").string());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->accounting.prices.size(), 2u);
}

}  // namespace
}  // namespace headgate::router
