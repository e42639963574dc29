// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/no_egress_world.h"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/write.hpp"
#include "common/log.h"
#include "common/mailbox.h"
#include "router/router.h"
#include "router/upstream/cloud_client.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/no_egress/canary_search.h"
#include "tests/integration/no_egress/captured_stderr.h"
#include "tests/integration/no_egress/failing_parts.h"

namespace headgate::router {
namespace {

using absl::Milliseconds;

constexpr int kAtATime = 64;
constexpr int kEngines = 8;  // one that fails is left alone for a while
constexpr size_t kReloadEvery = 600, kStormEvery = 1000;
constexpr size_t kBefore = 190;  // so many requests ago: most of those have ended
const std::string kAuditKey(32, 'k');

[[noreturn]] void Die(const absl::Status& status) { throw std::runtime_error(std::string(status.message())); }

std::string EngineAddress(int number) { return absl::StrCat("10.0.0.", number, ":1"); }

RouterConfig MakeConfig(const std::string& cloud_url, const std::string& folder, Guard removed) {
  RouterConfig config;
  config.version = "0123456789abcdef";
  const auto tenant = [&config](const char* name, const char* key) -> TenantConfig& {
    TenantConfig& added = config.tenants.emplace_back();
    added.name = name;
    added.api_key_sha256 = {Hex(Sha256(key))};
    return added;
  };
  tenant("open", kOpenKey);
  if (TenantConfig& floor = tenant("floor", kFloorKey); removed != Guard::kTenantFloor) {
    floor.sensitivity_floor = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  }
  tenant("local", kLocalKey).cloud_allowed = removed == Guard::kLocalOnlyTenant;
  tenant("limited", kLimitedKey).requests_per_second = 5;
  tenant("masked", kMaskedKey).masking = true;
  if (removed == Guard::kMemory) config.conversation.ttl = absl::ZeroDuration();
  config.sensitivity.keyword_lists = {
      {"projects", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {kLatinKeyword, kChineseKeyword}}};
  config.policy.cloud_qps_threshold = 4000;
  for (int i = 1; i <= kEngines; ++i) config.local.endpoints.push_back({absl::StrCat("engine-", i), EngineAddress(i)});
  config.local.load_age_max = absl::Seconds(10) * TimeScale();
  config.cloud.enabled = true;
  config.cloud.base_url = cloud_url;
  // Only what stalls on purpose should ever reach them: on a loaded machine everything takes long.
  config.cloud.first_token_timeout = Milliseconds(1500) * TimeScale();
  config.cloud.idle_timeout = Milliseconds(1500) * TimeScale();
  config.limits.deadline_default = absl::Seconds(5) * TimeScale();
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

void AddCloudFaults(DeepSeekEmulator& emulator, bool stalls) {
  using Plan = DeepSeekPlan;
  // What an error says is the cloud's, and may repeat what it was sent: it must not turn up in logs or messages.
  const std::string text = absl::StrCat(R"({"error":{"message":")", std::string(kCanaryPrefix), "errorbody\"}}");
  const std::vector<std::pair<Plan, double>> faults = {
      {{.status = 429, .error_text = text}, .002},  // each makes room for fewer, which comes back slowly
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
  for (const auto& [plan, probability] : faults) {
    if (stalls || plan.end != Plan::End::kStall) emulator.AddRule({plan, -1, probability});
  }
  emulator.SetDefaultPlan({.tokens = 4, .echo = true});
}

// Whether the guard that is removed is the one that would keep this request.
bool Unseen(Guard removed, const CanaryRequest& made) {
  const auto undone = [&](Undone what) {
    for (const Evasion* evasion : made.evasions) {
      if (evasion->undone == what) return true;
    }
    return false;
  };
  switch (removed) {
    case Guard::kDetectors: return true;
    case Guard::kFolding: return undone(Undone::kFolding);
    case Guard::kDecoding: return undone(Undone::kDecoding);
    case Guard::kSeams: return made.split;
    case Guard::kJoining: return undone(Undone::kJoining);
    case Guard::kNumerals: return undone(Undone::kNumerals);
    case Guard::kRecursion: return made.nested;
    default: return false;
  }
}

class World {
 public:
  explicit World(const NoEgressOptions& options);
  ~World();
  Observed Run();

 private:
  std::shared_ptr<const Rules> MakeRules(RouterConfig config, const Detectors& detectors);
  Script EngineScript(const Prompt& prompt);
  // What a router without this guard would do with a prompt at this point.
  std::optional<Script> Misbehave(const std::string& text);
  void SendRaw(const std::string& text) const;
  Task<void> Work();
  Task<void> CloudReady();
  Task<void> RunOne(size_t index, Doors::Client& client);
  uint64_t SeedOf(size_t index) const { return options_.seed * 1'000'003 + index; }
  void FollowUp(size_t index, CanaryRequest& made) const;
  void Storm();
  void Finish();
  void ReadFiles();
  std::string Name(const std::string& file) const { return folder_ + "/" + file; }

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
  std::unique_ptr<Detectors> real_detectors_;
  std::vector<std::shared_ptr<const Rules>> rules_;  // a reload takes the next
  std::optional<EndpointRegistry> registry_;
  std::unique_ptr<CloudUpstream> cloud_;
  std::unique_ptr<Audit> audit_;
  std::optional<Router> router_;
  std::optional<Doors> doors_;

  size_t next_ = 0;
  int working_ = 0;
  std::set<std::string> unseen_;  // canaries that the detectors pass over
  Observed observed_;
};

World::World(const NoEgressOptions& options) : options_(options), random_(static_cast<uint32_t>(options.seed)) {
  std::string folder = (std::filesystem::temp_directory_path() / "headgate-no-egress-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) Die(absl::InternalError("no temporary folder"));
  folder_ = folder;
  // What anybody writes to a temporary file is looked at too.
  std::filesystem::create_directory(Name("tmp"));
  ::setenv("TMPDIR", Name("tmp").c_str(), 1);
  DeepSeekEmulatorOptions cloud_options;
  cloud_options.seed = options.seed;
  auto emulator = DeepSeekEmulator::Start(cloud_options);
  if (!emulator.ok()) Die(emulator.status());
  emulator_ = *std::move(emulator);
  AddCloudFaults(*emulator_, options_.stalls);
  stderr_.emplace(Name("stderr"));

  RouterConfig config = MakeConfig(emulator_->base_url(), folder_, options.removed);
  auto cloud = MakeCloudClient(io_.get_executor(), *clock_, config.cloud, "cloud-key", metrics_);
  auto files = OpenAuditFiles(config.audit, "chain", kAuditKey, io_.get_executor(), *clock_);
  auto detectors = MakePatternDetectors(config.sensitivity);
  if (!cloud.ok()) Die(cloud.status());
  if (!files.ok()) Die(files.status());
  if (!detectors.ok()) Die(detectors.status());
  cloud_ = *std::move(cloud);
  real_detectors_ = *std::move(detectors);
  observed_.audit_key = kAuditKey;
  observed_.audit_lies = options.removed == Guard::kAuditFirst;
  audit_ = std::make_unique<Audit>(
      *clock_, kAuditKey,
      std::make_unique<FlakyStore>(*std::move(files), random_(), observed_.audit_lies, &observed_.audit_faults),
      "chain", metrics_);
  rules_.push_back(MakeRules(config, *real_detectors_));
  config.version = "fedcba9876543210";
  config.policy.cloud_qps_threshold = 2000;
  config.cache.bytes_max = 1 << 16;
  config.cloud.attempts_max = 2;
  rules_.push_back(MakeRules(config, *real_detectors_));

  registry_.emplace(io_.get_executor(), *clock_, SeededRandom(options.seed), config.local, fleet_.connect(),
                    fleet_.resolve(), metrics_);
  router_.emplace(RouterParts{io_.get_executor(), *clock_, SeededRandom(options.seed + 1), metrics_, *registry_,
                              cloud_.get(), *audit_, std::string(32, 'c')},
                  rules_[0]);
  doors_.emplace(io_.get_executor(), *clock_, SeededRandom(options.seed + 2), *router_, metrics_);
  if (!doors_->Open()) Die(absl::InternalError("the doors do not open"));
  for (int i = 1; i <= kEngines; ++i) {
    fleet_.engine(EngineAddress(i)).set_answerer([this](const Prompt& prompt, const CallOptions&) {
      return EngineScript(prompt);
    });
  }
  observed_.requests.resize(static_cast<size_t>(options.requests));
  observed_.ended.resize(observed_.requests.size());
}

World::~World() {
  ::unsetenv("TMPDIR");
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::shared_ptr<const Rules> World::MakeRules(RouterConfig config, const Detectors& detectors) {
  auto guard = OutputGuard::Make(config.output_guard);
  if (!guard.ok()) Die(guard.status());
  auto flaky = std::make_unique<FlakyDetectors>(
      detectors, random_(), options_.removed == Guard::kFailClosed, &unseen_, &observed_.detector_faults);
  auto classification = std::make_unique<Classification>(config.sensitivity, std::move(flaky));
  return std::make_shared<const Rules>(Rules{config, Screening(config.limits), std::move(classification),
                                             Policy(config.policy), *std::move(guard)});
}

void World::SendRaw(const std::string& text) const {
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  boost::system::error_code ignored;
  socket.connect({boost::asio::ip::make_address("127.0.0.1"), emulator_->port()}, ignored);
  const std::string bytes = absl::StrCat("POST /elsewhere HTTP/1.1\r\nhost: cloud\r\nx-note: ",
                                         std::string(absl::Base64Escape(text)), "\r\ncontent-length: 0\r\n\r\n");
  boost::asio::write(socket, boost::asio::buffer(bytes), ignored);
  // Until it has answered, and so recorded.
  char answer[64];
  socket.read_some(boost::asio::buffer(answer), ignored);
}

std::optional<Script> World::Misbehave(const std::string& text) {
  switch (options_.removed) {
    case Guard::kLessTrust:
      if (random_() % 8 == 0) SendRaw(text);
      break;
    case Guard::kQuietLog: HG_LOG(Debug, "prompt: ", text); break;
    case Guard::kQuietMetrics:
      metrics_.GetCounter("test_prompts_total", "Prompts.", {{"prompt", text}}).Increment();
      break;
    case Guard::kQuietErrors: return Script::Fail(absl::InvalidArgumentError(text));
    case Guard::kQuietAudit: router_->RecordAdmin(text).IgnoreError(); break;
    case Guard::kQuietFiles:
      std::ofstream(Name("tmp/core.1"), std::ios::app) << absl::BytesToHexString(text) << "\n";
      break;
    default: break;
  }
  return std::nullopt;
}

Script World::EngineScript(const Prompt& prompt) {
  std::string echo = "prompt";
  for (const v1::Message& message : prompt.content().messages()) {
    if (absl::StrContains(message.content(), absl::string_view(kCanaryPrefix.data(), kCanaryPrefix.size()))) {
      echo = message.content();
    }
  }
  if (auto script = Misbehave(echo)) return *std::move(script);
  switch (random_() % 200) {
    case 0:
    case 1: return Script::Fail(absl::UnavailableError("engine is gone"));
    case 2:
    case 3: return Script::Fail(absl::ResourceExhaustedError("queue full"));
    case 4: return Script::FailAfter({"local "}, absl::UnavailableError("engine is gone"));
    case 5: return Script::FailAfter({"local "}, absl::OkStatus());
    case 6:
      if (options_.stalls && random_() % 4 == 0) return Script::StallAfter({"local "});
      [[fallthrough]];
    default: return Script::Answer({"local ", echo});
  }
}

void World::Storm() {
  const std::string text = absl::StrCat(std::string(kCanaryPrefix), "errorbody");
  emulator_->ClearRules();
  emulator_->AddRule({{.status = random_() % 8 == 0 ? 429 : 503, .error_text = text}, 12, 1});
  AddCloudFaults(*emulator_, options_.stalls);
}

// Instead of `made`: what follows an earlier request that was answered, had to stay and was its session's first.
void World::FollowUp(size_t index, CanaryRequest& made) const {
  for (size_t at = index - kBefore; at > index - kBefore - 8 && at > 0; --at) {
    const CanaryRequest& before = observed_.requests[at];
    const Ended& ended = observed_.ended[at];
    const bool stayed = MustStay(before.kind) && before.api_key == kOpenKey && !LocalOnly(before.api);
    if (!stayed || before.kind == Kind::kFollowUp || ended.times != 1 || !ended.status.ok()) continue;
    const bool by_history = before.kind == Kind::kDeclared && at % 16 != 15;
    const CanaryRequest earlier = by_history ? MakeCanaryRequest(SeedOf(at)) : before;
    if (by_history ? earlier.request.messages().empty() : earlier.session.empty()) continue;
    made = MakeFollowUp(SeedOf(index), earlier, !by_history);
    return;
  }
}

Task<void> World::RunOne(size_t index, Doors::Client& client) {
  CanaryRequest& made = observed_.requests[index];
  // Some ask what was asked before, so that the cache has something to answer.
  const bool again = index % 16 == 15 && index > kBefore;
  made = MakeCanaryRequest(SeedOf(index - (again ? kBefore : 0)));
  if (!again && index % 8 == 7 && index > kBefore) FollowUp(index, made);
  if (options_.removed == Guard::kDeclaredLevel) {
    made.declared = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
    made.request.clear_declared_sensitivity();
  }
  if (Unseen(options_.removed, made)) unseen_.insert(made.canary);
  if (options_.removed == Guard::kClosedFields && !made.sendable && made.kind == Kind::kEveryday) {
    SendRaw(absl::StrCat(made.request.user(), made.request.session(), made.request.model()));
  }
  if (options_.removed == Guard::kMasking && made.api_key == kMaskedKey) SendRaw(made.value);
  // Short for some, and some arrive too late; some clients leave, at an event or at a moment.
  Patience patience;
  const int hurry = static_cast<int>(random_() % 100);
  if (hurry < 8) patience.deadline = clock_->Monotonic() + Milliseconds(5 * hurry);
  if (random_() % 40 == 0) patience.leave_after = static_cast<int>(random_() % 4);
  if (random_() % 40 == 0) patience.leave_at = Milliseconds(random_() % 10);
  const std::string id = RequestIdOf(index);
  co_await client.Send(made, id, patience, observed_.ended[index]);
  made.request.Clear();
}

// While the cloud is closed everything is answered locally, and fast: without waiting a slow machine would run through
// the rest before the cloud's next chance comes. One in some passes, so that this too is tested.
Task<void> World::CloudReady() {
  Cancellation never;
  Gauge& open = metrics_.GetGauge("headgate_router_cloud_breaker_open",
                                  "1 from the breaker's opening until a probe has succeeded.");
  for (int i = 0; i < 500 && open.Value() > 0 && random_() % 16 != 0; ++i) {
    const absl::Status slept = co_await SleepUntil(io_.get_executor(), *clock_,
                                                   clock_->Monotonic() + Milliseconds(2) * TimeScale(), never);
    if (!slept.ok()) co_return;
  }
}

Task<void> World::Work() {
  const std::unique_ptr<Doors::Client> client = doors_->NewClient();
  while (next_ < observed_.requests.size()) {
    co_await CloudReady();
    if (next_ >= observed_.requests.size()) break;
    const size_t index = next_++;
    if (index % kStormEvery == kStormEvery / 2) Storm();
    if (index % kReloadEvery == kReloadEvery / 2) router_->Apply(rules_[++observed_.reloads % rules_.size()]);
    co_await RunOne(index, *client);
  }
  if (--working_ == 0) io_.stop();
}

Observed World::Run() {
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
  Finish();
  observed_.seconds = absl::ToDoubleSeconds(clock_->Monotonic() - begin);
  ReadFiles();
  return std::move(observed_);
}

// Those whose client left may still be ending.
void World::Finish() {
  io_.restart();
  const MonotonicTime until = clock_->Monotonic() + absl::Seconds(10) * TimeScale();
  while ((router_->in_flight() != 0 || fleet_.live_streams() != 0) && clock_->Monotonic() < until) {
    io_.run_one_for(std::chrono::milliseconds(20));
  }
  if (router_->in_flight() != 0) observed_.complaints.push_back("requests are still in flight");
  if (fleet_.live_streams() != 0) observed_.complaints.push_back("engine streams are left");
  for (int i = 1; i <= kEngines; ++i) fleet_.engine(EngineAddress(i)).StopReporting();
  doors_->Close();
  stop_.Cancel(absl::CancelledError("end of test"));
  io_.poll();
  doors_.reset();
  router_.reset();  // writes the chain's end
}

void World::ReadFiles() {
  observed_.received = emulator_->Records();
  observed_.received_all = emulator_->stats().bytes_dropped == 0;
  observed_.log = stderr_->Text();
  observed_.metrics = metrics_.Text();
  std::set<std::filesystem::path> segments;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    const std::string path = entry.path().string();
    if (!entry.is_regular_file() || path == Name("stderr")) continue;
    if (absl::StartsWith(path, Name("audit/")) && absl::EndsWith(path, ".jsonl")) {
      segments.insert(entry.path());
    } else {
      absl::StrAppend(&observed_.files, path, "\n", ReadAll(path), "\n");
    }
  }
  for (const auto& segment : segments) {
    for (const auto line : absl::StrSplit(ReadAll(segment), '\n', absl::SkipEmpty())) {
      observed_.audit.emplace_back(line);
    }
  }
}

}  // namespace

NoEgressReport RunNoEgress(const NoEgressOptions& options) {
  Observed observed;
  {
    World world(options);
    observed = world.Run();
  }
  const auto clock_start = std::clock();
  NoEgressReport report = Judge(observed);
  report.seconds_judge = static_cast<double>(std::clock() - clock_start) / CLOCKS_PER_SEC;
  return report;
}

}  // namespace headgate::router
