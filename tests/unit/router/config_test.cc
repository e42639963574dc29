// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/config.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/digest.h"
#include "common/file_watch.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

// Four lines, so that what is added begins at line 5.
constexpr char kBase[] =
    "local: {endpoints: [{name: a, address: '127.0.0.1:9001'}]}\n"
    "audit: {directory: audit, key_file: audit.key}\n"
    "anonymous: true\n"
    "\n";
constexpr char kHashA[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr char kHashB[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

// A file beside this one.
std::string Data(const std::string& name) {
  const char* source = std::getenv("HEADGATE_SOURCE_DIR");
  const fs::path path = fs::path(source == nullptr ? "." : source) / "tests/unit/router" / name;
  const auto text = ReadFile(path.string(), 1 << 20);
  return text.ok() ? *text : "";
}

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
    const auto fill = [](const std::string& text) {
      return absl::StrReplaceAll(text, {{"HASH_A", kHashA}, {"HASH_B", kHashB}});
    };
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
  EXPECT_FALSE(loaded->tenants[0].masking);
  EXPECT_EQ(loaded->conversation.unknown_history, ConversationConfig::UnknownHistory::kLocal);
  EXPECT_EQ(loaded->input_filter.prompt_injection, InputFilterConfig::Action::kFlag);
  EXPECT_FALSE(loaded->output_guard.personal_data.has_value());
  EXPECT_EQ(loaded->audit.directory, (folder_ / "audit").string());
  EXPECT_THAT(loaded->files, ElementsAre((folder_ / "router.yaml").string()));
}

TEST_F(ConfigTest, EveryKeyOfWhatIsSharedAndOfFurtherCloudsArrives) {
  const auto loaded = Load(Data("config_every_key.yaml"), Data("config_every_key_tenants.yaml"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->policy.hedge_share, 0.02);
  EXPECT_EQ(loaded->policy.hedge_delay_min, absl::Seconds(1));
  EXPECT_EQ(loaded->policy.profile, PolicyConfig::Profile::kNoLocal);
  EXPECT_EQ(loaded->cache.shared, true);
  EXPECT_EQ(loaded->cache.warm_up_file, (folder_ / "audit.key").string());
  EXPECT_EQ(loaded->sharing.redis, "unix:/run/redis");
  EXPECT_EQ(loaded->sharing.routers, 3);
  EXPECT_EQ(loaded->sharing.prefix, "p");
  EXPECT_EQ(loaded->sharing.interval, absl::Milliseconds(20));
  ASSERT_EQ(loaded->clouds.size(), 1u);
  EXPECT_TRUE(loaded->clouds[0].enabled && loaded->clouds[0].further);
  EXPECT_EQ(loaded->clouds[0].dialect, CloudConfig::Dialect::kOpenAi);
  EXPECT_EQ(loaded->clouds[0].body_members, "\"service_tier\":\"flex\"");
  EXPECT_EQ(loaded->clouds[0].balance_interval, absl::ZeroDuration());
  EXPECT_EQ(loaded->cloud_choice.at(0).cloud, "d");
  EXPECT_EQ(loaded->cloud_choice.at(0).scenario, CloudChoiceConfig::Scenario::kBatch);
  EXPECT_EQ(loaded->local.metrics_interval, absl::Milliseconds(100));
}

TEST_F(ConfigTest, EveryKeyArrives) {
  const auto loaded = Load(Data("config_every_key.yaml"), Data("config_every_key_tenants.yaml"));
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
  EXPECT_EQ(loaded->local.stall_timeout, absl::Seconds(7));
  EXPECT_EQ(loaded->local.reserved_share, 0.5);
  EXPECT_EQ(loaded->local.queue_max, 9);
  EXPECT_EQ(loaded->local.queue_target, absl::Milliseconds(20));
  EXPECT_EQ(loaded->local.queue_interval, absl::Milliseconds(40));
  EXPECT_EQ(loaded->cloud.concurrency_max, 39);
  EXPECT_EQ(loaded->cloud.calls_per_day, 1000);
  EXPECT_EQ(loaded->cloud.calls_per_day_ratio, 1.5);
  EXPECT_EQ(loaded->cloud.balance_interval, absl::Minutes(1));
  EXPECT_EQ(loaded->cloud.balance_min_micro_units, 5'000'000);
  EXPECT_EQ(loaded->cloud.base_url, "https://api.deepseek.com");
  EXPECT_EQ(loaded->cloud.api_key_file, (folder_ / "cloud.key").string());
  EXPECT_TRUE(loaded->cloud.thinking);
  EXPECT_FALSE(loaded->cloud.user_id);
  EXPECT_EQ(loaded->cloud.backoff_base, absl::Milliseconds(5));
  EXPECT_EQ(loaded->cloud.breaker_failures, 8);
  EXPECT_EQ(loaded->output_guard.word_lists.at(0).action, GuardWordList::Action::kStop);
  EXPECT_EQ(loaded->output_guard.word_lists.at(1).action, GuardWordList::Action::kReplace);
  EXPECT_EQ(loaded->output_guard.word_lists.at(1).replacement, "z");
  EXPECT_EQ(loaded->output_guard.patterns.at(0).pattern, "T-[0-9]{6}");
  EXPECT_EQ(loaded->output_guard.patterns.at(0).action, GuardWordList::Action::kFlag);
  EXPECT_EQ(loaded->output_guard.personal_data.value().level, v1::SENSITIVITY_LEVEL_RESTRICTED);
  EXPECT_EQ(loaded->input_filter.sql_injection, InputFilterConfig::Action::kOff);
  EXPECT_EQ(loaded->input_filter.command_injection, InputFilterConfig::Action::kLocal);
  EXPECT_EQ(loaded->input_filter.prompt_injection, InputFilterConfig::Action::kBlock);
  EXPECT_EQ(loaded->conversation.unknown_history, ConversationConfig::UnknownHistory::kClassify);
  EXPECT_EQ(loaded->conversation.entries_max, 7);
  EXPECT_EQ(loaded->conversation.ttl, absl::Hours(1));
  EXPECT_EQ(loaded->accounting.prices.at(0).valid_from, absl::FromUnixSeconds(1794700800));
  EXPECT_EQ(loaded->accounting.prices.at(0).peak_output, 3960000);
  EXPECT_EQ(loaded->accounting.prices.at(1).valid_from, absl::FromUnixSeconds(1767225600));
  EXPECT_EQ(loaded->accounting.prices.at(1).peak_output, 3);  // a sheet without a peak clock
  EXPECT_THAT(loaded->accounting.holidays, ElementsAre("2026-10-01"));
  EXPECT_EQ(loaded->audit.directory, "/var/audit");
  EXPECT_EQ(loaded->audit.segment_age_max, absl::Hours(2));
  EXPECT_EQ(loaded->audit.durability, AuditConfig::Durability::kBeforeEgress);
  EXPECT_EQ(loaded->audit.sync_interval, absl::Milliseconds(20));
  EXPECT_EQ(loaded->audit.anchor_interval, absl::Seconds(30));
  EXPECT_THAT(loaded->audit.payload.tenants, ElementsAre("t"));
  EXPECT_EQ(ReadPayloadKey(loaded->audit.payload)->size(), 32u);
  EXPECT_EQ(loaded->cache.bytes_max, 1000);
  ASSERT_EQ(loaded->tenants.size(), 1u);
  EXPECT_THAT(loaded->tenants[0].api_key_sha256, ElementsAre(kHashB));
  EXPECT_EQ(loaded->tenants[0].burst, 20);
  EXPECT_FALSE(loaded->tenants[0].cloud_allowed);
  EXPECT_EQ(loaded->tenants[0].sensitivity_floor, v1::SENSITIVITY_LEVEL_PUBLIC);
  EXPECT_EQ(loaded->files.size(), 3u);
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

TEST_F(ConfigTest, TheVersionIsOfDictionariesToo) {
  const std::string yaml = std::string(kBase) + "sensitivity: {keyword_lists: [{name: projects, level: "
                           "confidential, words_file: words.txt}]}\n";
  Write("words.txt", "Bluebird\n");
  const auto first = Load(yaml);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->files.size(), 2u);
  EXPECT_EQ(first->files_fingerprint, FileWatch::Fingerprint(first->files));
  Write("words.txt", "Bluebird\nRedwing\n");
  const auto second = Load(yaml);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(second->version, first->version);
  EXPECT_THAT(second->sensitivity.keyword_lists[0].words, ElementsAre("Bluebird", "Redwing"));
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
            "router.yaml:6: policy.mode: unknown value \"burst\"; use one of overflow, switch, cost\n"
            "router.yaml:7: cache.ttl: must be a duration such as 250ms, 10s or 5m\n"
            "tenants.yaml:2: tenants[0]: a tenant needs api_key_sha256 or peer_identities\n"
            "tenants.yaml:2: tenants[0].cloud: unknown key; known here: api_key_sha256, budget, burst, cloud_allowed, "
            "masking, name, "
            "peer_identities, requests_per_second, sensitivity_floor");
}

// A file of config_cases.txt's format, cut into cases.
struct Case {
  std::string name, yaml, tenants, complaints;
};

std::vector<Case> ReadCases() {
  std::vector<Case> cases;
  std::string* part = nullptr;
  const std::vector<std::string> lines = absl::StrSplit(Data("config_cases.txt"), '\n');
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, "== ")) {
      part = &cases.emplace_back(Case{line.substr(3), "", "", ""}).yaml;
    } else if (line == "-- tenants") {
      part = &cases.back().tenants;
    } else if (line == "-- complaints") {
      part = &cases.back().complaints;
    } else if (part != nullptr && !line.empty()) {
      absl::StrAppend(part, line, "\n");
    }
  }
  return cases;
}

class ConfigCaseTest : public ConfigTest, public testing::WithParamInterface<Case> {};

TEST_P(ConfigCaseTest, Complaints) {
  const std::string& yaml = GetParam().yaml;
  const bool whole = absl::StrContains(yaml, "local:");
  const std::string complaints = Complaints(Load(whole ? yaml : kBase + yaml, GetParam().tenants));
  EXPECT_EQ(complaints.empty() ? "" : complaints + "\n", GetParam().complaints);
}

TEST(ConfigCases, AreFound) { EXPECT_GE(ReadCases().size(), 90u); }

INSTANTIATE_TEST_SUITE_P(Cases, ConfigCaseTest, testing::ValuesIn(ReadCases()),
                         [](const auto& info) { return info.param.name; });

TEST_F(ConfigTest, LoopbackCloudOnly) {
  const LoadOptions options{.loopback_cloud_only = true};
  const std::string away =
      std::string(kBase) + "cloud: {enabled: true, base_url: 'https://a.example', api_key_env: K}\n";
  EXPECT_TRUE(Load(away).ok());
  EXPECT_EQ(Complaints(Load(away, "", options)),
            "router.yaml:5: cloud.base_url: only a loopback cloud is allowed in this run "
            "(HEADGATE_LOOPBACK_CLOUD_ONLY)");
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
