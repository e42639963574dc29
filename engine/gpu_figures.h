// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// GpuFigures: utilisation, memory, power and temperature of the GPUs of this machine, from NVIDIA's management library
// where it is installed (docs.nvidia.com/deploy/nvml-api). It is opened at run time: nothing is linked, and without it
// there are no figures.
//
// Thread-safety: Refresh from one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/metrics.h"

namespace headgate::engine {

class GpuFigures {
  struct Key {};  // only Open makes one
  struct Library;

 public:
  GpuFigures(Key, std::unique_ptr<Library> library);
  // nullptr when `library` cannot be opened, lacks a function or finds no GPU. `metrics` must outlive it.
  static std::unique_ptr<GpuFigures> Open(const std::string& library, Metrics& metrics);
  ~GpuFigures();
  GpuFigures(const GpuFigures&) = delete;
  GpuFigures& operator=(const GpuFigures&) = delete;

  int count() const { return static_cast<int>(gpus_.size()); }
  // Reads all figures into their gauges; one that a GPU does not have stays as it is.
  void Refresh();

  static constexpr char kLibrary[] = "libnvidia-ml.so.1";

 private:
  struct Gpu {
    void* device = nullptr;
    Gauge& utilisation;
    Gauge& memory_used;
    Gauge& memory_total;
    Gauge& power;
    Gauge& temperature;
  };
  const std::unique_ptr<Library> library_;
  std::vector<Gpu> gpus_;
};

}  // namespace headgate::engine
