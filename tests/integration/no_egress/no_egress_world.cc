// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/no_egress_world.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "boost/asio/co_spawn.hpp"
#include "common/log.h"
#include "nlohmann/json.hpp"
#include "router/router.h"
#include "router/upstream/cloud_client.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/integration/no_egress/canary_search.h"
#include "tests/integration/no_egress/failing_parts.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace headgate::router {
namespace {

using absl::Milliseconds;

constexpr int kAtATime = 64;
constexpr int kEngines = 8;  // one that fails is left alone for a while
constexpr std::string_view kRequestIdPrefix = "qzrequestid";  // ours; no business of the cloud's
const std::string kAuditKey(32, 'k');

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

[[noreturn]] void Die(const absl::Status& status) { throw std::runtime_error(std::string(status.message())); }

// While it lives, the process's standard error goes to a file, and everything is logged.
class CapturedStderr {
 public:
  explicit CapturedStderr(std::string path) : path_(std::move(path)), before_(::dup(STDERR_FILENO)) {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (before_ < 0 || file < 0 || ::dup2(file, STDERR_FILENO) < 0) Die(absl::InternalError("cannot capture stderr"));
    ::close(file);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<intptr_t>(before_)));
#endif
    SetLogSeverity(LogSeverity::kDebug);
  }
  ~CapturedStderr() {
    SetLogSeverity(LogSeverity::kInfo);
    ::dup2(before_, STDERR_FILENO);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<intptr_t>(STDERR_FILENO)));
#endif
    ::close(before_);
  }
  std::string Text() const { return ReadAll(path_); }

 private:
  const std::string path_;
  const int before_;
};

// Keeps what matters; the client may leave after some events.
class CountingSink : public AnswerSink {
 public:
  CountingSink(Ended& ended, int leave_after) : ended_(ended), left_(leave_after) {}
  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    if (left_-- == 0) co_return absl::CancelledError("the client has gone");
    if (ended_.finishes > 0) ended_.after_finish = true;
    if (event.has_finish()) ++ended_.finishes;
    if (event.has_route()) {
      ++ended_.routes;
      ended_.target = event.route().target();
      ended_.level = event.route().sensitivity();
    }
    co_return absl::OkStatus();
  }

 private:
  Ended& ended_;
  int left_;
};

std::string EngineAddress(int number) { return absl::StrCat("10.0.0.", number, ":1"); }

RouterConfig MakeConfig(const std::string& cloud_url, const std::string& folder, bool ignore_tenants) {
  RouterConfig config;
  config.version = "0123456789abcdef";
  const auto tenant = [&config](const char* name, const char* key) -> TenantConfig& {
    TenantConfig& added = config.tenants.emplace_back();
    added.name = name;
    added.api_key_sha256 = {Hex(Sha256(key))};
    return added;
  };
  tenant("open", kOpenKey);
  if (TenantConfig& floor = tenant("floor", kFloorKey); !ignore_tenants) {
    floor.sensitivity_floor = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  }
  tenant("local", kLocalKey).cloud_allowed = ignore_tenants;
  tenant("limited", kLimitedKey).requests_per_second = 5;
  config.sensitivity.keyword_lists = {
      {"projects", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {kLatinKeyword, kChineseKeyword}}};
  config.policy.cloud_qps_threshold = 4000;
  for (int i = 1; i <= kEngines; ++i) config.local.endpoints.push_back({absl::StrCat("engine-", i), EngineAddress(i)});
  config.local.load_age_max = absl::Seconds(10);
  config.cloud.enabled = true;
  config.cloud.base_url = cloud_url;
  config.cloud.first_token_timeout = Milliseconds(500);
  config.cloud.idle_timeout = Milliseconds(200);
  config.cloud.backoff_base = Milliseconds(1);
  config.cloud.backoff_max = Milliseconds(20);
  config.cloud.breaker_open = Milliseconds(1);
  config.cloud.breaker_failures = 9;  // a storm opens it, chance hardly ever
  config.output_guard.word_lists = {{"words", GuardWordList::Action::kRedact, {"everyday"}}};
  config.audit.directory = folder + "/audit";
  config.audit.segment_bytes_max = 1 << 20;
  config.cache.bytes_max = 1 << 20;
  return config;
}

void AddCloudFaults(DeepSeekEmulator& emulator) {
  using Plan = DeepSeekPlan;
  // What an error says is the cloud's, and may repeat what it was sent: it must not turn up in logs or messages.
  const std::string text = absl::StrCat(R"({"error":{"message":")", std::string(kCanaryPrefix), "errorbody\"}}");
  const std::vector<std::pair<Plan, double>> faults = {
      {{.status = 429, .error_text = text}, .03},
      {{.status = 503, .error_text = text}, .03},
      {{.status = 500, .error_text = text}, .02},
      {{.status = 400, .error_text = text}, .01},
      {{.status = 307, .location = emulator.base_url() + "/v1/chat/completions"}, .01},
      {{.end = Plan::End::kClose, .end_after = 1}, .02},
      {{.end = Plan::End::kReset, .end_after = 0}, .02},
      {{.no_headers = true, .end = Plan::End::kClose}, .01},
      {{.end = Plan::End::kEof, .end_after = 2}, .01},
      {{.end = Plan::End::kStall, .end_after = 1}, .005},
      {{.end = Plan::End::kStall, .end_after = 0}, .002},
      {{.end = Plan::End::kMalformed, .end_after = 0}, .01},
      {{.end = Plan::End::kMalformed, .end_after = 2}, .01},
      {{.end = Plan::End::kInsufficient, .end_after = 0}, .02},
      {{.end = Plan::End::kErrorChunk, .end_after = 1}, .01},
      {{.keep_alive_for = Milliseconds(30), .keep_alive_interval = Milliseconds(10)}, .02},
  };
  for (const auto& [plan, probability] : faults) emulator.AddRule({plan, -1, probability});
  emulator.SetDefaultPlan({.tokens = 4, .echo = true});
}

class World {
 public:
  explicit World(const NoEgressOptions& options);
  ~World();
  void Run();
  NoEgressReport Judge();

 private:
  struct Decided {
    bool cloud = false, classified = false, sensitive = false;
  };
  std::unique_ptr<Detectors> MakeDetectors(const RouterConfig& config);
  Script EngineScript(const Prompt& prompt);
  Task<void> Work();
  Task<void> RunOne(size_t index);
  void Storm();
  void SearchReceived();
  void ReadAudit();
  void JudgeOne(size_t index);
  void JudgeTexts();
  void Leak(const CanaryRequest& request, const char* why);
  std::string RequestId(size_t index) const { return absl::StrFormat("%s-%06d", kRequestIdPrefix, index); }

  const NoEgressOptions options_;
  std::string folder_;
  std::mt19937 random_;
  std::unique_ptr<DeepSeekEmulator> emulator_;
  std::optional<CapturedStderr> stderr_;
  boost::asio::io_context io_;
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Metrics metrics_;
  FakeFleet fleet_{io_.get_executor(), *clock_};
  Cancellation stop_;
  std::optional<EndpointRegistry> registry_;
  std::unique_ptr<CloudUpstream> cloud_;
  std::unique_ptr<Audit> audit_;
  std::optional<Router> router_;

  size_t next_ = 0;
  int working_ = 0;
  std::vector<CanaryRequest> requests_;  // without their content, once they have run
  std::vector<Ended> ended_;
  std::map<std::string, Decided> decisions_;  // by request id
  std::map<std::string, int> outcomes_;
  std::set<std::string> received_;  // canaries
  std::string messages_;            // of all errors
  NoEgressReport report_;
};

World::World(const NoEgressOptions& options) : options_(options), random_(static_cast<uint32_t>(options.seed)) {
  std::string folder = (std::filesystem::temp_directory_path() / "headgate-no-egress-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) Die(absl::InternalError("no temporary folder"));
  folder_ = folder;
  DeepSeekEmulatorOptions cloud_options;
  cloud_options.seed = options.seed;
  auto emulator = DeepSeekEmulator::Start(cloud_options);
  if (!emulator.ok()) Die(emulator.status());
  emulator_ = *std::move(emulator);
  AddCloudFaults(*emulator_);
  stderr_.emplace(folder_ + "/stderr");

  const RouterConfig config = MakeConfig(emulator_->base_url(), folder_, options.ignore_tenants);
  auto cloud = MakeCloudClient(io_.get_executor(), *clock_, config.cloud, "cloud-key", metrics_);
  if (!cloud.ok()) Die(cloud.status());
  cloud_ = *std::move(cloud);
  auto files = OpenAuditFiles(config.audit, "chain", kAuditKey, io_.get_executor(), *clock_);
  if (!files.ok()) Die(files.status());
  audit_ = std::make_unique<Audit>(
      *clock_, kAuditKey,
      std::make_unique<FlakyStore>(*std::move(files), random_(), options.lying_audit, &report_.audit_faults), "chain",
      metrics_);
  auto guard = OutputGuard::Make(config.output_guard);
  if (!guard.ok()) Die(guard.status());
  auto rules = std::make_shared<const Rules>(
      Rules{config, Screening(config.limits),
            std::make_unique<Classification>(config.sensitivity, MakeDetectors(config)), Policy(config.policy),
            *std::move(guard)});
  registry_.emplace(io_.get_executor(), *clock_, SeededRandom(options.seed), config.local, fleet_.connect(),
                    fleet_.resolve(), metrics_);
  router_.emplace(RouterParts{io_.get_executor(), *clock_, SeededRandom(options.seed + 1), metrics_, *registry_,
                              cloud_.get(), *audit_, std::string(32, 'c')},
                  std::move(rules));
  for (int i = 1; i <= kEngines; ++i) {
    fleet_.engine(EngineAddress(i)).set_answerer([this](const Prompt& prompt, const CallOptions&) {
      return EngineScript(prompt);
    });
  }
  requests_.resize(static_cast<size_t>(options.requests));
  ended_.resize(requests_.size());
}

World::~World() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::unique_ptr<Detectors> World::MakeDetectors(const RouterConfig& config) {
  if (options_.blind_detectors) return std::make_unique<BlindDetectors>();
  auto real = MakePatternDetectors(config.sensitivity);
  if (!real.ok()) Die(real.status());
  return std::make_unique<FlakyDetectors>(*std::move(real), random_(), &report_.detector_faults);
}

Script World::EngineScript(const Prompt& prompt) {
  const std::string echo = prompt.content().messages_size() > 0 ? prompt.content().messages(0).content() : "prompt";
  switch (random_() % 200) {
    case 0:
    case 1: return Script::Fail(absl::UnavailableError("engine is gone"));
    case 2:
    case 3: return Script::Fail(absl::ResourceExhaustedError("queue full"));
    case 4: return Script::FailAfter({"local "}, absl::UnavailableError("engine is gone"));
    case 5: return Script::FailAfter({"local "}, absl::OkStatus());
    case 6: return Script::StallAfter({"local "});
    default: return Script::Answer({"local ", echo});
  }
}

void World::Storm() {
  const std::string text = absl::StrCat(std::string(kCanaryPrefix), "errorbody");
  emulator_->ClearRules();
  emulator_->AddRule({{.status = random_() % 2 == 0 ? 429 : 503, .error_text = text}, 12, 1});
  AddCloudFaults(*emulator_);
}

Task<void> World::RunOne(size_t index) {
  CanaryRequest& made = requests_[index];
  made = MakeCanaryRequest(options_.seed * 1'000'003 + index);
  if (options_.ignore_declared) {
    made.declared = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
    made.request.clear_declared_sensitivity();
  }
  const Prompt prompt(std::exchange(made.request, {}));
  RequestHead head;
  head.request_id = RequestId(index);
  head.api = "grpc.GenerateStream";
  head.api_key = made.api_key;
  head.received = clock_->Monotonic();
  // Short for some, so that stalls end by the deadline; and some arrive too late.
  const int hurry = static_cast<int>(random_() % 100);
  head.deadline = head.received + (hurry == 0 ? absl::ZeroDuration() : Milliseconds(hurry < 8 ? 5 * hurry : 1500));
  head.declared_sensitivity = made.declared;

  Ended& ended = ended_[index];
  CountingSink sink(ended, random_() % 40 == 0 ? static_cast<int>(random_() % 4) : -1);
  Cancellation cancellation;
  std::unique_ptr<Timer> leave;
  if (random_() % 40 == 0) {
    leave = clock_->CallAt(head.received + Milliseconds(random_() % 10), [&cancellation] {
      cancellation.Cancel(absl::CancelledError("the client has gone"));
    });
  }
  ended.status = co_await router_->Generate(head, prompt, sink, cancellation);
  ++ended.times;
  absl::StrAppend(&messages_, ended.status.message(), "\n");
  ended.status.ForEachPayload([this](absl::string_view, const absl::Cord& payload) {
    absl::StrAppend(&messages_, std::string(payload), "\n");
  });
}

Task<void> World::Work() {
  while (next_ < requests_.size()) {
    const size_t index = next_++;
    if (index % 1000 == 500) Storm();
    co_await RunOne(index);
  }
  if (--working_ == 0) io_.stop();
}

void World::Run() {
  const MonotonicTime begin = clock_->Monotonic();
  std::exception_ptr thrown;
  const auto keep = [this, &thrown](std::exception_ptr error) {
    if (!error) return;
    thrown = error;
    io_.stop();
  };
  boost::asio::co_spawn(io_.get_executor(), registry_->Run(stop_), keep);
  io_.poll();
  for (int i = 1; i <= kEngines; ++i) fleet_.engine(EngineAddress(i)).ReportLoad(Milliseconds(20));
  for (working_ = 0; working_ < kAtATime; ++working_) boost::asio::co_spawn(io_.get_executor(), Work(), keep);
  io_.run();
  if (thrown) std::rethrow_exception(thrown);
  if (router_->in_flight() != 0) report_.complaints.push_back("requests are still in flight");
  if (fleet_.live_streams() != 0) report_.complaints.push_back("engine streams are left");
  for (int i = 1; i <= kEngines; ++i) fleet_.engine(EngineAddress(i)).StopReporting();
  stop_.Cancel(absl::CancelledError("end of test"));
  io_.restart();
  io_.poll();
  report_.seconds_run = absl::ToDoubleSeconds(clock_->Monotonic() - begin);
  router_.reset();  // writes the chain's end
}

void World::SearchReceived() {
  for (const std::string& record : emulator_->Records()) {
    report_.received_bytes += record.size();
    received_.merge(FindWords(record));
    if (!FindWords(record, kRequestIdPrefix).empty()) report_.complaints.push_back("a request id left the cluster");
  }
  if (emulator_->stats().bytes_dropped > 0) report_.complaints.push_back("the emulator did not record everything");
}

void World::ReadAudit() {
  std::set<std::filesystem::path> segments;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/audit")) segments.insert(entry.path());
  std::string text;
  for (const auto& segment : segments) text += ReadAll(segment);
  if (!FindWords(text).empty()) report_.complaints.push_back("a canary is in the audit files");
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  const absl::Status chain = VerifyAuditChain(kAuditKey, lines);
  if (!chain.ok()) report_.complaints.push_back(std::string(chain.message()));
  for (const std::string& line : lines) {
    const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_discarded()) continue;
    const std::string kind = record.value("kind", ""), id = record.value("request_id", "");
    if (kind == "outcome") ++outcomes_[id];
    if (kind != "decision") continue;
    const std::string level = record.value("sensitivity", "restricted");
    Decided& decided = decisions_[id];
    decided.cloud = record["route"].value("target", "") == "cloud";
    decided.classified = record.value("classification_state", "") == "classified";
    decided.sensitive = !decided.classified || (level != "public" && level != "internal");
    report_.decided_sensitive += decided.sensitive;
  }
}

void World::Leak(const CanaryRequest& request, const char* why) {
  report_.leaks.push_back(absl::StrCat(Name(request.kind), " in ", request.field, ": ", why));
  ++report_.leaks_by_kind[request.kind];
}

void World::JudgeOne(size_t index) {
  const CanaryRequest& request = requests_[index];
  const Ended& ended = ended_[index];
  const auto complain = [&](const char* what) {
    report_.complaints.push_back(absl::StrCat("request ", index, " (", Name(request.kind), "): ", what));
  };
  const bool ok = ended.status.ok();
  if (ended.times != 1) complain("did not end exactly once");
  if (ended.routes > 1 || ended.finishes > 1 || ended.after_finish) complain("events after its end");
  if (ok && (ended.routes != 1 || ended.finishes != 1)) complain("OK without a route and a finish");
  if (ok && !request.valid) complain("should have been refused");
  const int outcomes = outcomes_[RequestId(index)];
  if (outcomes > 1) complain("has two audit outcomes");
  report_.failed += !ok && request.valid;
  report_.refused += !request.valid;
  const bool cloud_answer = ok && ended.target == v1::Route::TARGET_CLOUD;
  report_.cloud_answers += cloud_answer;
  report_.local_answers += ok && !cloud_answer;

  const auto decision = decisions_.find(RequestId(index));
  const bool recorded = decision != decisions_.end();
  const bool found = received_.erase(request.canary) > 0;
  report_.reached_cloud += found || ended.target == v1::Route::TARGET_CLOUD;
  // The positive control: what the cloud answered, it got.
  if (cloud_answer && request.sendable && !found) complain("answered by the cloud, but not in its record");
  if (!found) return;
  report_.everyday_found += request.kind == Kind::kEveryday;
  if (MustStay(request.kind)) return Leak(request, "must never leave");
  if (!request.sendable) return Leak(request, "a field that is never sent");
  if (!request.valid) return Leak(request, "an invalid request");
  if (!recorded || !decision->second.cloud) return Leak(request, "no record of a decision for the cloud");
  if (decision->second.sensitive) return Leak(request, "decided sensitive");
  if (ended.level >= v1::SENSITIVITY_LEVEL_CONFIDENTIAL) Leak(request, "the client was told that it is sensitive");
}

void World::JudgeTexts() {
  const std::string log = stderr_->Text();
  report_.log_bytes = log.size();
  if (!FindWords(log).empty()) report_.complaints.push_back("a canary is in the log");
  if (!FindWords(metrics_.Text()).empty()) report_.complaints.push_back("a canary is in the metrics");
  if (!FindWords(messages_).empty()) report_.complaints.push_back("a canary is in an error message");
}

NoEgressReport World::Judge() {
  const MonotonicTime begin = clock_->Monotonic();
  SearchReceived();
  ReadAudit();
  for (size_t i = 0; i < requests_.size(); ++i) JudgeOne(i);
  // Outcomes that are missing were refused by the store, each of which counts as a fault.
  const int missing = static_cast<int>(requests_.size()) - static_cast<int>(std::erase_if(outcomes_, [](const auto& o) {
                        return o.second == 1;
                      }));
  if (!options_.lying_audit && missing > report_.audit_faults) {
    report_.complaints.push_back("audit outcomes are missing");
  }
  for (const std::string& canary : received_) {
    if (canary.size() == kCanaryPrefix.size() + kCanaryLetters) {
      report_.complaints.push_back("a canary that belongs to no request");
    }
  }
  JudgeTexts();
  report_.seconds_judge = absl::ToDoubleSeconds(clock_->Monotonic() - begin);
  return std::move(report_);
}

}  // namespace

std::string NoEgressReport::Summary(int requests) const {
  return absl::StrFormat(
      "no egress: %d requests, %d reached the cloud, %d everyday canaries found there, %d leaks, %d complaints; "
      "answers %d cloud, %d local, refused %d, failed %d; decided sensitive %d; faults: detectors %d, audit %d; "
      "%.1f MB received, %.1f MB logged; %.1f s + %.1f s of searching",
      requests, reached_cloud, everyday_found, leaks.size(), complaints.size(), cloud_answers, local_answers, refused,
      failed, decided_sensitive, detector_faults, audit_faults, static_cast<double>(received_bytes) / 1e6,
      static_cast<double>(log_bytes) / 1e6, seconds_run, seconds_judge);
}

NoEgressReport RunNoEgress(const NoEgressOptions& options) {
  World world(options);
  world.Run();
  return world.Judge();
}

}  // namespace headgate::router
