// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Attention: softmax(scale * Q K^T + mask) V on the CPU, for steps whose rows belong to many sequences that share a KV
// cache. Cells that a row does not see cost it next to nothing, and a block of cells is unpacked once for all rows of a
// tile, and their heads, that see the same. Results differ from ggml's in the last bits of a float. They do not depend
// on the other rows of a step, on the number of threads or on what else lies in the cache: see attention_kernel.h.
//
// Thread-safety: the calls of one computation in the order below; between two of them every thread has finished the
// first. Nothing is thrown but for want of memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/backend/attention_kernel.h"

namespace headgate::engine {

class Attention {
 public:
  // One thread. What `call` points to is used until Merge has returned.
  void Prepare(const AttentionCall& call);

  // Every thread; `thread` is its number, 0..threads - 1.
  void Look(int32_t thread, int32_t threads);
  void Compute();
  void Merge(int32_t thread, int32_t threads) const;

  // For tests: 0..AttentionKernel::Levels() - 1; at first the best.
  void UseLevel(int32_t level) { level_ = level; }

 private:
  // Neighbouring rows. Those of one sequence share a list of cells, of which each sees the first `count`.
  struct Tile {
    int32_t row_begin;
    std::vector<AttentionRow> rows;
    std::vector<int32_t> cells;
  };

  void LookAt(Tile& tile) const;
  void MergeRow(int32_t number, const AttentionRow& row) const;

  int32_t level_ = AttentionKernel::Levels() - 1;
  AttentionCall call_;
  std::vector<Tile> tiles_;
  int32_t spans_ = 0;
  std::vector<float> parts_;  // [spans][rows][heads]
  std::atomic<int64_t> next_unit_{0};
};

}  // namespace headgate::engine
