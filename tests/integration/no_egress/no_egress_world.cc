// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/no_egress_world.h"

#include <atomic>
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
#include "router/shared_limits.h"
#include "router/upstream/cloud_client.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/no_egress/canary_search.h"
#include "tests/integration/no_egress/captured_stderr.h"
#include "tests/integration/no_egress/failing_parts.h"
#include "tests/integration/no_egress/no_egress_setup.h"

namespace headgate::router {
namespace {

// An engine's late answer: later than others are on a machine so slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLateMs = 400;
#else
constexpr int kLateMs = 60;
#endif

using absl::Milliseconds;

constexpr int kAtATime = 64;
constexpr size_t kReloadEvery = 300, kStormEvery = 1000;
constexpr size_t kLargeEvery = 500, kLargeInARow = 8;  // more than the pool takes
constexpr size_t kInspectThreads = 1, kInspectWaiting = 1;
constexpr size_t kBefore = 190;  // so many requests ago: most of those have ended
const std::string kAuditKey(32, 'k'), kPayloadKey(32, 'p');

[[noreturn]] void Die(const absl::Status& status) { throw std::runtime_error(std::string(status.message())); }

// Whether the guard that is removed is the one that would keep this request.
bool Unseen(Guard removed, const CanaryRequest& made) {
  const auto undone = [&](Undone what) {
    for (const Evasion* evasion : made.evasions) {
      if (evasion->undone == what) return true;
    }
    return false;
  };
  switch (removed) {
    case Guard::kDetectors:
    case Guard::kDetectorsAtSecond:
    case Guard::kDetectorsAtHedges: return true;
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
  void StartClouds(const RouterConfig& config);
  void StartSharing(const RouterConfig& config);
  void StartAudit(AuditConfig config);
  std::unique_ptr<Detectors> MakeDetectors(const RouterConfig& config, std::shared_ptr<const TextModels> models);
  std::shared_ptr<const Rules> MakeRules(const RouterConfig& config, std::shared_ptr<const TextModels> models);
  Script EngineScript(const Prompt& prompt);
  // What a router without this guard would do with a prompt at this point.
  std::optional<Script> Misbehave(const std::string& text);
  void SendRaw(const std::string& text) const;
  Task<void> Work();
  Task<void> CloudReady();
  Task<void> RunOne(size_t index, Doors::Client& client);
  uint64_t SeedOf(size_t index) const { return options_.seed * 1'000'003 + index; }
  CanaryRequest Make(size_t index) const {
    return MakeCanaryRequest(SeedOf(index), /*large=*/index % kLargeEvery < kLargeInARow);
  }
  void FollowUp(size_t index, CanaryRequest& made) const;
  void Storm();
  void Finish();
  void ReadFiles();
  std::string Name(const std::string& file) const { return folder_ + "/" + file; }

  const NoEgressOptions options_;
  std::string folder_;
  std::mt19937 random_;
  std::optional<RedisServer> redis_;
  std::vector<std::unique_ptr<DeepSeekEmulator>> emulators_;
  std::optional<CapturedStderr> stderr_;
  boost::asio::io_context io_;
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Metrics metrics_;
  FakeFleet fleet_{io_.get_executor(), *clock_};
  Cancellation stop_;
  std::vector<std::shared_ptr<const Rules>> rules_;  // a reload takes the next
  std::optional<EndpointRegistry> registry_;
  std::vector<std::unique_ptr<CloudUpstream>> clouds_;
  std::unique_ptr<FlakyCacheStore> cache_store_;
  std::unique_ptr<LeaseStore> leases_;
  std::optional<SharedLimits> sharing_;
  std::unique_ptr<Audit> audit_;
  std::optional<InspectionPool> inspection_;
  std::optional<Router> router_;
  std::optional<Doors> doors_;

  size_t next_ = 0;
  int working_ = 0;
  PassedOver passed_over_;
  std::atomic<int> detector_faults_ = 0;
  Observed observed_;
};

World::World(const NoEgressOptions& options) : options_(options), random_(static_cast<uint32_t>(options.seed)) {
  std::string folder = (std::filesystem::temp_directory_path() / "headgate-no-egress-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) Die(absl::InternalError("no temporary folder"));
  folder_ = folder;
  // What anybody writes to a temporary file is looked at too.
  std::filesystem::create_directory(Name("tmp"));
  ::setenv("TMPDIR", Name("tmp").c_str(), 1);
  const std::vector<std::string> keeping = {"--port", "0", "--appendonly", "yes", "--appendfsync", "no"};
  if (RedisServer::Installed()) redis_.emplace(keeping);
  std::vector<std::string> urls;
  for (size_t i = 0; i < kClouds; ++i) {
    DeepSeekEmulatorOptions cloud_options;
    cloud_options.seed = options.seed + i;
    auto emulator = DeepSeekEmulator::Start(cloud_options);
    if (!emulator.ok()) Die(emulator.status());
    urls.push_back((*emulator)->base_url());
    AddCloudFaults(**emulator, options_.stalls);
    emulators_.push_back(*std::move(emulator));
  }
  stderr_.emplace(Name("stderr"));

  const std::vector<RouterConfig> configs =
      MakeConfigs(urls, folder_, redis_ ? redis_->socket() : "", options.removed);
  const RouterConfig& config = configs[0];
  auto models = TextModels::Builtin();
  if (!models.ok()) Die(models.status());
  const std::shared_ptr<const TextModels> read_by = *std::move(models);
  for (const RouterConfig& one : configs) rules_.push_back(MakeRules(one, read_by));
  StartClouds(config);
  StartSharing(config);
  StartAudit(config.audit);

  registry_.emplace(io_.get_executor(), *clock_, SeededRandom(options.seed), config.local, fleet_.connect(),
                    fleet_.resolve(), metrics_);
  inspection_.emplace(io_.get_executor(), *clock_, kInspectThreads, kInspectWaiting);
  router_.emplace(RouterParts{io_.get_executor(), *clock_, SeededRandom(options.seed + 1), metrics_, *registry_,
                              clouds_[0].get(), *audit_, std::string(32, 'c'),
                              {clouds_[1].get(), clouds_[2].get()}, sharing_ ? &*sharing_ : nullptr,
                              cache_store_.get(), &*inspection_},
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

void World::StartClouds(const RouterConfig& config) {
  for (size_t i = 0; i < kClouds; ++i) {
    auto cloud = MakeCloudClient(io_.get_executor(), *clock_, CloudNumber(config, i),
                                 CloudSecrets({absl::StrCat("cloud-key-", i)}, "salt"), metrics_);
    if (!cloud.ok()) Die(cloud.status());
    clouds_.push_back(*std::move(cloud));
  }
}

void World::StartSharing(const RouterConfig& config) {
  if (!redis_) return;
  auto cache = MakeRedisCache(io_.get_executor(), *clock_, config.sharing, "");
  cache_store_ = std::make_unique<FlakyCacheStore>(io_.get_executor(), *clock_, std::move(cache), random_(),
                                                   &observed_.cache_faults);
  leases_ = MakeRedisLeases(io_.get_executor(), *clock_, config.sharing, "", "holder");
  sharing_.emplace(io_.get_executor(), *clock_, config.sharing, *leases_, metrics_);
}

// Every other world waits for the medium before anything leaves.
void World::StartAudit(AuditConfig config) {
  if (options_.seed % 2 == 0) config.durability = AuditConfig::Durability::kBeforeEgress;
  auto files = OpenAuditFiles(config, "chain", kAuditKey, io_.get_executor(), *clock_);
  if (!files.ok()) Die(files.status());
  observed_.audit_key = kAuditKey;
  observed_.audit_lies = options_.removed == Guard::kAuditFirst;
  const FlakyStore::Lies lies = observed_.audit_lies                        ? FlakyStore::Lies::kAll
                                : options_.removed == Guard::kHedgeRecord ? FlakyStore::Lies::kHedges
                                                                          : FlakyStore::Lies::kNone;
  auto store = std::make_unique<FlakyStore>(*std::move(files), *clock_, random_(), lies, &observed_.audit_faults);
  audit_ = std::make_unique<Audit>(*clock_, kAuditKey, std::move(store), "chain", metrics_, config);
  audit_->KeepPayloads(kPayloadKey, SeededRandom(options_.seed + 3));
  observed_.payload_key = kPayloadKey;
}

std::unique_ptr<Detectors> World::MakeDetectors(const RouterConfig& config, std::shared_ptr<const TextModels> models) {
  auto detectors = MakePatternDetectors(config.sensitivity, std::move(models));
  if (!detectors.ok()) Die(detectors.status());
  return std::make_unique<FlakyDetectors>(*std::move(detectors), random_(), options_.removed == Guard::kFailClosed,
                                          passed_over_, detector_faults_);
}

// As Rules::Make does, but with detectors that fail.
std::shared_ptr<const Rules> World::MakeRules(const RouterConfig& config, std::shared_ptr<const TextModels> models) {
  auto guard = OutputGuard::Make(config.output_guard, MakeDetectors(config, nullptr));
  if (!guard.ok()) Die(guard.status());
  auto classification =
      std::make_unique<Classification>(config.sensitivity, MakeDetectors(config, std::move(models)));
  return std::make_shared<const Rules>(Rules{config, Screening(config.limits, config.input_filter),
                                             std::move(classification), Policy(config.policy), *std::move(guard)});
}

void World::SendRaw(const std::string& text) const {
  const DeepSeekEmulator& cloud = *emulators_[0];
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  boost::system::error_code ignored;
  socket.connect({boost::asio::ip::make_address("127.0.0.1"), cloud.port()}, ignored);
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
    case Guard::kQuietRedis:
      if (cache_store_) cache_store_->Put("mine", text, absl::Minutes(1));
      break;
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
    default: break;
  }
  // Few enough that late ones are rare, or a hedge would not be worth it.
  Script answer = Script::Answer({"local ", echo}).After(Milliseconds(random_() % 25 == 0 ? kLateMs : random_() % 3));
  if (random_() % 4 == 0) {
    v1::GenerateStreamResponse thought;
    thought.mutable_delta()->set_reasoning_content(echo);
    answer.events.insert(answer.events.begin(), std::move(thought));
  }
  return answer;
}

void World::Storm() {
  const std::string text = absl::StrCat(std::string(kCanaryPrefix), "errorbody");
  DeepSeekEmulator& cloud = *emulators_[random_() % kClouds];
  cloud.ClearRules();
  cloud.AddRule({{.status = random_() % 8 == 0 ? 429 : 503, .error_text = text}, 12, 1});
  AddCloudFaults(cloud, options_.stalls);
}

// Instead of `made`: what follows an earlier request that was answered, had to stay and was its session's first.
void World::FollowUp(size_t index, CanaryRequest& made) const {
  for (size_t at = index - kBefore; at > index - kBefore - 8 && at > 0; --at) {
    const CanaryRequest& before = observed_.requests[at];
    const Ended& ended = observed_.ended[at];
    const bool stayed = MustStay(before.kind) && before.kind != Kind::kAttack && before.api_key == kOpenKey &&
                        !LocalOnly(before.api);
    if (!stayed || before.kind == Kind::kFollowUp || ended.times != 1 || !ended.status.ok()) continue;
    const bool by_history = before.kind == Kind::kDeclared && at % 16 != 15;
    const CanaryRequest earlier = by_history ? Make(at) : before;
    if (by_history ? earlier.request.messages().empty() : earlier.session.empty()) continue;
    made = MakeFollowUp(SeedOf(index), earlier, !by_history);
    return;
  }
}

Task<void> World::RunOne(size_t index, Doors::Client& client) {
  CanaryRequest& made = observed_.requests[index];
  // Some ask what was asked before, so that the cache has something to answer.
  const bool again = index % 16 == 15 && index > kBefore;
  made = Make(index - (again ? kBefore : 0));
  if (!again && index % 8 == 7 && index > kBefore) FollowUp(index, made);
  if (options_.removed == Guard::kDeclaredLevel) {
    made.declared = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
    made.request.clear_declared_sensitivity();
  }
  // With a guard less what must stay may be taken for everyday; its answer is not to be kept for others, too.
  if (options_.removed != Guard::kNone && options_.removed != Guard::kCache && MustStay(made.kind)) {
    made.request.mutable_sampling()->clear_temperature();
  }
  if (Unseen(options_.removed, made)) passed_over_.Add(made.canary);
  if (options_.removed == Guard::kDetectorsAtSecond) {
    made.cloud = 1;
    made.sendable &= made.field != "reasoning";  // it does not think
  }
  if (options_.removed == Guard::kClosedHeaders) SendRaw(RequestIdOf(index));
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
  if (sharing_) boost::asio::co_spawn(io_.get_executor(), sharing_->Run(stop_), keep);
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
  doors_->Drain();
  const auto busy = [this] { return router_->in_flight() != 0 || fleet_.live_streams() != 0 || doors_->calls() != 0; };
  while (busy() && clock_->Monotonic() < until) {
    io_.run_one_for(std::chrono::milliseconds(20));
  }
  if (router_->in_flight() != 0) observed_.complaints.push_back("requests are still in flight");
  if (doors_->calls() != 0) observed_.complaints.push_back("calls are left");
  if (fleet_.live_streams() != 0) observed_.complaints.push_back("engine streams are left");
  for (int i = 1; i <= kEngines; ++i) fleet_.engine(EngineAddress(i)).StopReporting();
  doors_->Close();
  stop_.Cancel(absl::CancelledError("end of test"));
  io_.poll();
  doors_.reset();
  router_.reset();  // writes the chain's end
}

void World::ReadFiles() {
  for (const auto& emulator : emulators_) {
    observed_.received.push_back(emulator->Records());
    observed_.received_all &= emulator->stats().bytes_dropped == 0;
  }
  observed_.detector_faults = detector_faults_;
  observed_.redis_hits = cache_store_ ? cache_store_->hits() : 0;
  observed_.log = stderr_->Text();
  observed_.metrics = metrics_.Text();
  std::set<std::filesystem::path> segments;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    const std::string path = entry.path().string();
    if (!entry.is_regular_file() || path == Name("stderr")) continue;
    if (absl::StartsWith(path, Name("audit/payload-"))) {
      for (const auto line : absl::StrSplit(ReadAll(path), '\n', absl::SkipEmpty())) {
        observed_.payloads.emplace_back(line);
      }
    } else if (absl::StartsWith(path, Name("audit/")) && absl::EndsWith(path, ".jsonl")) {
      segments.insert(entry.path());
    } else if (redis_ && absl::StartsWith(path, redis_->folder().string())) {
      absl::StrAppend(&observed_.redis, path, "\n", ReadAll(path), "\n");
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
