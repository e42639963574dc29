// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Random: numbers from a seed, the same on every machine (the standard library's distributions are not).
// SplitMix64: https://prng.di.unimi.it/splitmix64.c (public domain); the state is a counter, so any place can be looked
// up without the ones before it.
//
// Thread-safety: none.
#pragma once

#include <cmath>
#include <cstdint>

namespace headgate::planner {

inline uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}
// In [0, 1), from a seed and a place.
inline double UniformAt(uint64_t seed, uint64_t place) {
  return static_cast<double>(Mix(Mix(seed) ^ place) >> 11) * 0x1.0p-53;
}

class Random {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}
  double Uniform() { return UniformAt(seed_, count_++); }  // [0, 1)
  double Exponential() { return -std::log1p(-Uniform()); }
  double Normal() {  // Box and Muller
    const double radius = std::sqrt(2 * Exponential());
    return radius * std::cos(6.283185307179586 * Uniform());
  }
  uint64_t Below(uint64_t bound) { return static_cast<uint64_t>(Uniform() * static_cast<double>(bound)); }

 private:
  const uint64_t seed_;
  uint64_t count_ = 0;
};

}  // namespace headgate::planner
