// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/model_host.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/model_store.h"

namespace headgate::services {
namespace {

constexpr size_t kManifestBytesMax = 64 << 10;
constexpr char kAdapterEnding[] = ".gguf";

}  // namespace

absl::StatusOr<std::unique_ptr<ModelHost>> ModelHost::Start(const EngineFlags& flags, Metrics& metrics) {
  auto host = std::make_unique<ModelHost>(Key(), flags, metrics);
  if (!flags.warm_up_prompts.empty()) {
    ASSIGN_OR_RETURN(host->warm_up_, ReadWarmUpPrompts(flags.warm_up_prompts));
  }
  host->manifest_ = host->ManifestText();  // before it is read: a later change is seen
  v1::LoadModelResponse response;
  ASSIGN_OR_RETURN(auto engine, host->Make("", response));
  host->switch_ = std::make_unique<engine::EngineSwitch>(std::move(engine));
  host->LookAtAdapters();
  host->thread_ = std::thread([host = host.get()] { host->Run(); });
  return host;
}

ModelHost::~ModelHost() { Stop(); }

void ModelHost::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  // The first prompts of a warm-up end with the engine.
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<std::unique_ptr<engine::Engine>> ModelHost::Make(const std::string& file,
                                                                v1::LoadModelResponse& response) {
  ASSIGN_OR_RETURN(LoadedModel loaded, services::LoadModel(flags_, file));
  const engine::BackendInfo info = loaded.backend->info();
  const Labels labels = {{"model_name", info.model}, {"engine", "0"}};
  metrics_.GetGauge("headgate_engine_model_load_seconds", "Time to check and load the model", labels)
      .Set(loaded.seconds);
  metrics_.GetGauge("headgate_engine_model_copies_lost", "Copies in the model's manifest that are not good", labels)
      .Set(static_cast<double>(loaded.lost.size()));
  response.set_model(info.model);
  response.set_seconds(loaded.seconds);
  response.set_copies_lost(static_cast<int32_t>(loaded.lost.size()));
  ASSIGN_OR_RETURN(auto engine, engine::Engine::Start(EngineConfigOf(flags_), std::move(loaded.backend), metrics_));
  HG_LOG(Info, "model loaded model=", info.model, " seconds=", loaded.seconds, " context_tokens=", info.context_tokens,
         " parallel=", info.sequences_max);
  return engine;
}

absl::StatusOr<v1::LoadModelResponse> ModelHost::Replace(const std::string& file) {
  RETURN_IF_ERROR(switch_->CheckReplace());
  v1::LoadModelResponse response;
  ASSIGN_OR_RETURN(auto next, Make(file, response));
  for (const auto& [name, adapter] : adapters_) {
    const absl::Status status = next->LoadAdapter(name, adapter);
    if (!status.ok()) HG_LOG(Warning, "adapter does not fit the new model name=", name, " error=", status.ToString());
  }
  services::WarmUp(*next, warm_up_);
  const std::string name = next->info().model;
  RETURN_IF_ERROR(switch_->Replace(std::move(next)));
  HG_LOG(Info, "model took over model=", name);
  return response;
}

absl::Status ModelHost::AddAdapter(const std::string& name, const std::string& file) {
  RETURN_IF_ERROR(switch_->LoadAdapter(name, file));
  adapters_[name] = file;
  HG_LOG(Info, "adapter loaded name=", name);
  return absl::OkStatus();
}

template <typename T>
void ModelHost::Post(Done<T> done, std::function<absl::StatusOr<T>()> change) {
  Change run = [done = std::move(done), change = std::move(change)](const absl::Status& go) {
    if (go.ok()) {
      done(change());
    } else {
      done(go);
    }
  };
  absl::Status refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = absl::UnavailableError("the engine is stopping");
    } else if (changes_.size() >= kWaitingMax) {
      refused = absl::ResourceExhaustedError("too many changes wait");
    } else {
      changes_.push_back(std::move(run));
    }
  }
  if (!refused.ok()) return run(refused);
  wake_.notify_one();
}

void ModelHost::LoadModel(std::string file, Done<v1::LoadModelResponse> done) {
  Post<v1::LoadModelResponse>(std::move(done), [this, file = std::move(file)] { return Replace(file); });
}

void ModelHost::LoadAdapter(std::string name, std::string file, Done<v1::LoadAdapterResponse> done) {
  using Response = absl::StatusOr<v1::LoadAdapterResponse>;
  Post<v1::LoadAdapterResponse>(std::move(done),
                                [this, name = std::move(name), file = std::move(file)]() -> Response {
                                  RETURN_IF_ERROR(AddAdapter(name, file));
                                  return v1::LoadAdapterResponse();
                                });
}

void ModelHost::UnloadAdapter(std::string name, Done<v1::UnloadAdapterResponse> done) {
  Post<v1::UnloadAdapterResponse>(std::move(done),
                                  [this, name = std::move(name)]() -> absl::StatusOr<v1::UnloadAdapterResponse> {
                                    RETURN_IF_ERROR(switch_->UnloadAdapter(name));
                                    adapters_.erase(name);
                                    return v1::UnloadAdapterResponse();
                                  });
}

void ModelHost::WarmUp(Done<v1::WarmUpResponse> done) {
  Post<v1::WarmUpResponse>(std::move(done), [this]() -> absl::StatusOr<v1::WarmUpResponse> {
    v1::WarmUpResponse response;
    response.set_prompts(services::WarmUp(*switch_, warm_up_));
    return response;
  });
}

void ModelHost::Run() {
  services::WarmUp(*switch_, warm_up_);
  ready_ = true;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (changes_.empty()) {
      const bool work = wake_.wait_for(lock, absl::ToChronoNanoseconds(flags_.watch),
                                       [this] { return stopping_ || !changes_.empty(); });
      if (work) continue;
      lock.unlock();
      LookAtManifest();
      LookAtAdapters();
      lock.lock();
      continue;
    }
    const Change change = std::move(changes_.front());
    changes_.pop_front();
    lock.unlock();
    change(absl::OkStatus());
    lock.lock();
  }
  std::deque<Change> left;
  left.swap(changes_);
  lock.unlock();
  for (const Change& change : left) change(absl::UnavailableError("the engine is stopping"));
}

// Of the manifest that stands alone; empty when there is none.
std::string ModelHost::ManifestText() const {
  if (flags_.reference || !engine::IsManifestPath(flags_.model)) return "";
  std::ifstream file(flags_.model, std::ios::binary);
  std::string text(kManifestBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

void ModelHost::LookAtManifest() {
  std::string text = ManifestText();
  if (text.empty() || text == manifest_) return;
  const auto replaced = Replace("");
  // While the last change is not over this one waits; a manifest that is refused is not tried again until it changes.
  if (absl::IsFailedPrecondition(replaced.status())) return;
  manifest_ = std::move(text);
  metrics_.GetCounter("headgate_engine_model_changes_total", "Changes of the watched manifest",
                      {{"result", replaced.ok() ? "served" : "refused"}})
      .Increment();
  if (!replaced.ok()) {
    HG_LOG(Error, "the changed manifest is refused, the model before is kept error=", replaced.status().ToString());
  }
}

void ModelHost::LookAtAdapters() {
  if (flags_.adapters.empty()) return;
  std::map<std::string, std::pair<std::string, FileStamp>> there;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(flags_.adapters, error)) {
    const std::filesystem::path& path = entry.path();
    struct stat info {};
    if (path.extension() != kAdapterEnding || stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (there.size() >= engine::Engine::kAdaptersMax) break;
    const int64_t modified = absl::ToUnixNanos(absl::TimeFromTimespec(info.st_mtim));
    there[path.stem().string()] = {path.string(), {info.st_ino, info.st_size, modified}};
  }
  if (error) return;  // a folder that cannot be read takes nothing away
  for (auto at = watched_.begin(); at != watched_.end();) {
    if (there.contains(at->first)) {
      ++at;
      continue;
    }
    if (at->second.loaded && switch_->UnloadAdapter(at->first).ok()) HG_LOG(Info, "adapter unloaded name=", at->first);
    adapters_.erase(at->first);
    at = watched_.erase(at);
  }
  for (const auto& [name, file] : there) {
    const auto known = watched_.find(name);
    if (known != watched_.end() && known->second.stamp == file.second) continue;
    const absl::Status status = AddAdapter(name, file.first);
    // An adapter that worked stays when its new file does not.
    watched_[name] = {file.second, status.ok() || (known != watched_.end() && known->second.loaded)};
    if (!status.ok()) HG_LOG(Error, "adapter refused name=", name, " error=", status.ToString());
  }
}

}  // namespace headgate::services
