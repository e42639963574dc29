// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/gpu_figures.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace headgate::engine {
namespace {

// Built beside the test.
std::string FakeLibrary() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libheadgate_fake_nvml.so").string();
}

TEST(GpuFigures, OfEveryGpu) {
  Metrics metrics;
  for (int round = 0; round < 2; ++round) {  // the library is given back each time
    const auto figures = GpuFigures::Open(FakeLibrary(), metrics);
    ASSERT_NE(figures, nullptr);
    EXPECT_EQ(figures->count(), 2);
  }
  const auto value = [&](const std::string& name, const std::string& gpu) {
    return metrics.GetGauge("headgate_engine_gpu_" + name, "", {{"gpu", gpu}}).Value();
  };
  EXPECT_DOUBLE_EQ(value("utilisation", "0"), 0.87);
  EXPECT_DOUBLE_EQ(value("utilisation", "1"), 0.05);
  EXPECT_DOUBLE_EQ(value("memory_used_bytes", "0"), 42.0 * (1 << 30));
  EXPECT_DOUBLE_EQ(value("memory_total_bytes", "1"), 80.0 * (1 << 30));
  EXPECT_DOUBLE_EQ(value("power_watts", "0"), 612.5);
  EXPECT_DOUBLE_EQ(value("power_watts", "1"), 0) << "it has none";
  EXPECT_DOUBLE_EQ(value("temperature_celsius", "1"), 31);
}

TEST(GpuFigures, NoneWithoutTheLibrary) {
  Metrics metrics;
  EXPECT_EQ(GpuFigures::Open("libheadgate-there-is-none.so.1", metrics), nullptr);
  EXPECT_EQ(GpuFigures::Open("libm.so.6", metrics), nullptr) << "another library";
}

}  // namespace
}  // namespace headgate::engine
