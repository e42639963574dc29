// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// ModelHost: the models and adapters that a process serves, and how they change while it serves: by calls, or because
// a watched manifest or folder changed. A model that replaces another gets its adapters and its warm-up before it takes
// over.
//
// Thread-safety: all methods from any thread. Changes are made one at a time, on a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/metrics.h"
#include "engine/engine_switch.h"
#include "headgate/v1/engine.pb.h"
#include "services/engine/model_loading.h"

namespace headgate::services {

class ModelHost {
  struct Key {};  // only Start makes one

 public:
  ModelHost(Key, const EngineFlags& flags, Metrics& metrics) : flags_(flags), metrics_(metrics) {}
  // Loads what the flags name. `metrics` must outlive it. Errors name the file.
  static absl::StatusOr<std::unique_ptr<ModelHost>> Start(const EngineFlags& flags, Metrics& metrics);
  ~ModelHost();

  engine::Engine& engine() { return *switch_; }
  // The warm-up list has been computed.
  bool Ready() const { return ready_; }
  // Lets go of models that have finished: call several times a second.
  void Sweep() { switch_->Sweep(); }

  // `done` is called once, from the host's thread; from here with RESOURCE_EXHAUSTED when kWaitingMax changes wait, or
  // with UNAVAILABLE after Stop.
  template <typename T>
  using Done = std::function<void(absl::StatusOr<T>)>;
  void LoadModel(std::string file, Done<v1::LoadModelResponse> done);
  void LoadAdapter(std::string name, std::string file, Done<v1::LoadAdapterResponse> done);
  void UnloadAdapter(std::string name, Done<v1::UnloadAdapterResponse> done);
  void WarmUp(Done<v1::WarmUpResponse> done);
  // Finishes the change that is being made; those that wait end with UNAVAILABLE. Before the servers are shut down.
  void Stop();

  static constexpr size_t kWaitingMax = 16;

 private:
  // What tells that a file is another one than before.
  struct FileStamp {
    uint64_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
  };
  struct WatchedAdapter {
    FileStamp stamp;
    bool loaded = false;
  };
  using Change = std::function<void(const absl::Status& go)>;

  template <typename T>
  void Post(Done<T> done, std::function<absl::StatusOr<T>()> change);
  void Run();
  void LookAtManifest();
  void LookAtAdapters();
  absl::StatusOr<std::unique_ptr<engine::Engine>> Make(const std::string& file, v1::LoadModelResponse& response);
  absl::StatusOr<v1::LoadModelResponse> Replace(const std::string& file);
  absl::Status AddAdapter(const std::string& name, const std::string& file);
  std::string ManifestText() const;

  const EngineFlags flags_;
  Metrics& metrics_;
  std::vector<WarmUpPrompt> warm_up_;
  std::unique_ptr<engine::EngineSwitch> switch_;
  std::atomic<bool> ready_{false};

  // The host thread's own, and Start's before it.
  std::map<std::string, std::string> adapters_;       // name -> file: a new model gets them too
  std::map<std::string, WatchedAdapter> watched_;     // name -> what the folder had
  std::string manifest_;                              // the text that is served

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Change> changes_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace headgate::services
