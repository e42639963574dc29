// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/model_loading.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/json_depth.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/backend/llama.h"
#include "engine/backend/reference.h"
#include "engine/model_store.h"
#include "nlohmann/json.hpp"

namespace headgate::services {
namespace {

constexpr size_t kWarmUpLinesMax = 256;
constexpr size_t kWarmUpLineBytesMax = 256 << 10;

// Takes the time that a step of a real model would take.
void Pace(absl::Duration step) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable never;
  never.wait_for(lock, absl::ToChronoNanoseconds(step), [] { return false; });
}

std::unique_ptr<engine::Backend> Reference(const EngineFlags& flags, const std::string& file) {
  engine::ReferenceConfig config;
  if (!flags.model_name.empty()) config.model = flags.model_name;
  if (!file.empty()) config.model = std::filesystem::path(file).stem().string();
  config.context_tokens = flags.context_tokens;
  config.sequences_max = flags.parallel;
  config.cache_sequences = flags.prefix_cache_entries;
  if (flags.reference_step > absl::ZeroDuration()) {
    config.on_decode = [step = flags.reference_step](int32_t) { Pace(step); };
    config.on_embed = [step = flags.reference_step] { Pace(step); };
  }
  return engine::MakeReferenceBackend(config);
}

engine::LlamaConfig LlamaConfigOf(const EngineFlags& flags) {
  engine::LlamaConfig config;
  config.model_name = flags.model_name;
  config.model_key = flags.model_key;
  config.context_tokens = flags.context_tokens;
  config.sequences_max = flags.parallel;
  config.cache_sequences = flags.prefix_cache_entries;
  config.kv_type = flags.kv_type;
  config.threads = flags.threads;
  config.gpu_layers = flags.gpu_layers;
  return config;
}

// The manifest of what is to be served: of its own, or beside the model; the model itself is then the only copy.
absl::StatusOr<engine::ModelManifest> ManifestOf(const EngineFlags& flags, const std::string& file, bool* checked) {
  *checked = flags.manifest != ManifestCheck::kOff;
  if (engine::IsManifestPath(file)) {
    *checked = true;
    return engine::ReadServedManifest(file);
  }
  engine::ModelManifest manifest;
  if (*checked) {
    ASSIGN_OR_RETURN(const auto beside, engine::ReadManifest(file));
    if (!beside && flags.manifest == ManifestCheck::kRequired) {
      return absl::NotFoundError(absl::StrCat(file, ": has no manifest; make one with --write-manifest"));
    }
    *checked = beside.has_value();
    if (beside) manifest = *beside;
  }
  manifest.copies = {file};
  return manifest;
}

class FirstEnd : public engine::AnswerEvents {
 public:
  void OnDelta(v1::Delta) override {}
  void OnFinish(v1::Finish) override { End(absl::OkStatus()); }
  void OnError(absl::Status status) override { End(std::move(status)); }
  absl::Status Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
    return status_;
  }

 private:
  void End(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
    ended_ = true;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  absl::Status status_;
};

absl::StatusOr<WarmUpPrompt> ParseWarmUpLine(const std::string& line) {
  if (line.size() > kWarmUpLineBytesMax) return absl::InvalidArgumentError("is longer than 256 KiB");
  const auto json = JsonDepth(line) > 4 ? nlohmann::json() : nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  WarmUpPrompt prompt;
  for (const auto& item : json.items()) {
    std::string* const to = item.key() == "system"    ? &prompt.system
                            : item.key() == "tenant"  ? &prompt.tenant
                            : item.key() == "adapter" ? &prompt.adapter
                                                      : nullptr;
    if (to == nullptr) return absl::InvalidArgumentError("has an unknown key; known are system, tenant, adapter");
    if (!item.value().is_string()) return absl::InvalidArgumentError(absl::StrCat(item.key(), ": must be a string"));
    *to = item.value().get<std::string>();
  }
  if (prompt.system.empty()) return absl::InvalidArgumentError("system: is missing");
  return prompt;
}

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(const EngineFlags& flags, const std::string& file) {
  const MonotonicTime begin = RealTime().Monotonic();
  LoadedModel loaded;
  if (flags.reference) {
    loaded.backend = Reference(flags, file);
    return loaded;
  }
  const std::string path = file.empty() ? flags.model : file;
  bool checked = false;
  ASSIGN_OR_RETURN(const auto manifest, ManifestOf(flags, path, &checked));
  engine::LlamaConfig config = LlamaConfigOf(flags);
  if (config.model_name.empty()) config.model_name = manifest.name;
  const auto load = [&](const std::string& copy) {
    config.model_path = copy;
    auto backend = engine::MakeLlamaBackend(config);
    if (backend.ok()) loaded.backend = *std::move(backend);
    return backend.status();
  };
  if (checked) {
    RETURN_IF_ERROR(engine::UseGoodCopy(manifest, load, loaded.lost));
  } else {
    RETURN_IF_ERROR(load(path));
  }
  for (const std::string& lost : loaded.lost) HG_LOG(Error, "a copy of the model is lost: ", lost);
  loaded.seconds = absl::ToDoubleSeconds(RealTime().Monotonic() - begin);
  return loaded;
}

engine::EngineConfig EngineConfigOf(const EngineFlags& flags) {
  engine::EngineConfig config;
  config.queue_max = flags.queue_max;
  config.step_prefill_tokens = flags.step_prefill_tokens;
  config.step_target = flags.step_target;
  config.step_age_max = flags.step_age_max;
  config.batch_rank_rows = flags.batch_rank_rows;
  config.prefix_cache_tokens = flags.prefix_cache_tokens;
  config.share_between_tenants = flags.share_between_tenants;
  config.swap_bytes_max = int64_t{flags.swap_mb} << 20;
  config.warm_up = !flags.reference;
  return config;
}

absl::StatusOr<std::vector<WarmUpPrompt>> ReadWarmUpPrompts(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
  std::vector<WarmUpPrompt> prompts;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    auto prompt = prompts.size() < kWarmUpLinesMax
                      ? ParseWarmUpLine(line)
                      : absl::InvalidArgumentError(absl::StrCat("more than ", kWarmUpLinesMax, " prompts"));
    if (!prompt.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(file, ":", number, ": ", std::string(prompt.status().message())));
    }
    prompts.push_back(*std::move(prompt));
  }
  return prompts;
}

int WarmUp(engine::Engine& engine, const std::vector<WarmUpPrompt>& prompts) {
  int done = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    v1::GenerateRequest request;
    auto* const system = request.add_messages();
    system->set_role(v1::ROLE_SYSTEM);
    system->set_content(prompts[i].system);
    auto* const user = request.add_messages();
    user->set_role(v1::ROLE_USER);
    user->set_content(".");
    request.set_max_tokens(1);
    request.set_priority(v1::PRIORITY_BATCH);
    request.set_adapter(prompts[i].adapter);
    const auto end = std::make_shared<FirstEnd>();
    const auto id = engine.Submit(std::move(request), absl::InfiniteDuration(), end, prompts[i].tenant);
    const absl::Status status = id.ok() ? end->Wait() : id.status();
    done += status.ok() ? 1 : 0;
    if (!status.ok()) HG_LOG(Warning, "warm-up prompt refused number=", i + 1, " error=", status.ToString());
  }
  return done;
}

}  // namespace headgate::services
