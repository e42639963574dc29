// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/gpu_figures.h"

#include <dlfcn.h>

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace headgate::engine {
namespace {

// Declared here because the library comes without its header where there is no CUDA Toolkit. Source: NVML API
// reference, "Device Queries"; 0 is NVML_SUCCESS and NVML_TEMPERATURE_GPU.
using Result = int;
using Device = void*;
struct Utilisation {
  unsigned int gpu;     // percent
  unsigned int memory;
};
struct Memory {
  unsigned long long total;  // bytes
  unsigned long long free;
  unsigned long long used;
};
constexpr int kTemperatureGpu = 0;
constexpr unsigned int kGpusMax = 64;

}  // namespace

struct GpuFigures::Library {
  ~Library() {
    if (shutdown != nullptr) shutdown();
    if (handle != nullptr) dlclose(handle);
  }
  template <typename F>
  bool Find(const char* name, F& function) const {
    function = reinterpret_cast<F>(dlsym(handle, name));
    return function != nullptr;
  }

  void* handle = nullptr;
  Result (*init)() = nullptr;
  Result (*shutdown)() = nullptr;  // set once init has succeeded
  Result (*count)(unsigned int*) = nullptr;
  Result (*device)(unsigned int, Device*) = nullptr;
  Result (*utilisation)(Device, Utilisation*) = nullptr;
  Result (*memory)(Device, Memory*) = nullptr;
  Result (*power)(Device, unsigned int*) = nullptr;
  Result (*temperature)(Device, int, unsigned int*) = nullptr;
};

GpuFigures::GpuFigures(Key, std::unique_ptr<Library> library) : library_(std::move(library)) {}
GpuFigures::~GpuFigures() = default;

std::unique_ptr<GpuFigures> GpuFigures::Open(const std::string& path, Metrics& metrics) {
  auto library = std::make_unique<Library>();
  library->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library->handle == nullptr) return nullptr;
  Result (*shutdown)() = nullptr;
  if (!library->Find("nvmlInit_v2", library->init) || !library->Find("nvmlShutdown", shutdown) ||
      !library->Find("nvmlDeviceGetCount_v2", library->count) ||
      !library->Find("nvmlDeviceGetHandleByIndex_v2", library->device) ||
      !library->Find("nvmlDeviceGetUtilizationRates", library->utilisation) ||
      !library->Find("nvmlDeviceGetMemoryInfo", library->memory) ||
      !library->Find("nvmlDeviceGetPowerUsage", library->power) ||
      !library->Find("nvmlDeviceGetTemperature", library->temperature)) {
    HG_LOG(Warning, "NVML lacks a function, no GPU figures library=", path);
    return nullptr;
  }
  if (const Result failed = library->init(); failed != 0) {
    HG_LOG(Warning, "NVML does not start, no GPU figures library=", path, " code=", failed);
    return nullptr;
  }
  library->shutdown = shutdown;
  unsigned int count = 0;
  if (library->count(&count) != 0 || count == 0) return nullptr;
  auto figures = std::make_unique<GpuFigures>(Key(), std::move(library));
  for (unsigned int i = 0; i < count && i < kGpusMax; ++i) {
    Device device = nullptr;
    if (figures->library_->device(i, &device) != 0) continue;
    const Labels labels = {{"gpu", absl::StrCat(i)}};
    figures->gpus_.push_back(
        {device, metrics.GetGauge("headgate_engine_gpu_utilisation", "Share of the time a kernel ran, 0..1", labels),
         metrics.GetGauge("headgate_engine_gpu_memory_used_bytes", "GPU memory in use", labels),
         metrics.GetGauge("headgate_engine_gpu_memory_total_bytes", "GPU memory", labels),
         metrics.GetGauge("headgate_engine_gpu_power_watts", "Power draw", labels),
         metrics.GetGauge("headgate_engine_gpu_temperature_celsius", "Temperature of the die", labels)});
  }
  figures->Refresh();
  return figures;
}

void GpuFigures::Refresh() {
  for (Gpu& gpu : gpus_) {
    Utilisation utilisation{};
    if (library_->utilisation(gpu.device, &utilisation) == 0) gpu.utilisation.Set(utilisation.gpu / 100.0);
    Memory memory{};
    if (library_->memory(gpu.device, &memory) == 0) {
      gpu.memory_used.Set(static_cast<double>(memory.used));
      gpu.memory_total.Set(static_cast<double>(memory.total));
    }
    unsigned int number = 0;
    if (library_->power(gpu.device, &number) == 0) gpu.power.Set(number / 1000.0);  // milliwatts
    if (library_->temperature(gpu.device, kTemperatureGpu, &number) == 0) gpu.temperature.Set(number);
  }
}

}  // namespace headgate::engine
