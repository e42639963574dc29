// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Attention: softmax(scale * Q K^T + mask) V on the CPU, for steps whose rows belong to many sequences that share a KV
// cache. Cells that no row of a tile sees cost nothing, a cell's key and value are unpacked once for all rows and heads
// that see it, and the softmax runs over blocks of cells (Milakov and Gimelshein, "Online normalizer calculation for
// softmax", 2018). Results differ from ggml's in the last bits of a float; they do not depend on the number of rows in
// a step other than by the order of sums.
//
// Thread-safety: one Run at a time on an object; it uses OpenMP's threads where the build has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headgate::engine {

// One layer's attention in a step. Strides in bytes.
struct AttentionCall {
  // ggml's ggml_to_float_t: `count` values of a row.
  using ToFloat = void (*)(const void* packed, float* values, int64_t count);

  const char* query = nullptr;  // float, [rows][heads][key_width]
  size_t query_row = 0;
  size_t query_head = 0;
  const char* key = nullptr;  // [cells][kv_heads][key_width]
  size_t key_cell = 0;
  size_t key_head = 0;
  ToFloat key_to_float = nullptr;
  const char* value = nullptr;  // [cells][kv_heads][value_width]
  size_t value_cell = 0;
  size_t value_head = 0;
  ToFloat value_to_float = nullptr;
  const char* mask = nullptr;  // IEEE half, [rows][cells], added to the scores; null = every row sees every cell
  size_t mask_row = 0;
  float* out = nullptr;  // [rows][heads][value_width], contiguous; 0 where a row sees no cell

  int32_t rows = 0;
  int32_t cells = 0;
  int32_t heads = 0;     // a multiple of kv_heads
  int32_t kv_heads = 0;
  int32_t key_width = 0;    // 1..kWidthMax
  int32_t value_width = 0;  // 16..kWidthMax, a multiple of 16
  float scale = 1;

  static constexpr int32_t kWidthMax = 256;
  static constexpr int32_t kGroupMax = 64;  // heads for each of kv_heads
};

class Attention {
 public:
  void Run(const AttentionCall& call, int32_t threads);

  // Instruction sets that this processor has, from the plainest on.
  static int32_t Levels();
  // Halves to floats with one of them.
  static AttentionCall::ToFloat HalfToFloat(int32_t level = Levels() - 1);
  // For tests: runs use level 0..Levels() - 1; at first the best.
  void UseLevel(int32_t level) { level_ = level; }

 private:
  // Of a row and a block of cells.
  enum Sight : uint8_t { kNone, kSome, kAll };
  struct Unit;    // a tile of rows, a head of the cache, a span of blocks
  struct Kernel;  // what runs at one level
  static const Kernel& At(int32_t level);

  void Plan(const AttentionCall& call, int32_t threads);
  void Look(const AttentionCall& call, int32_t row);
  void Merge(const AttentionCall& call, int32_t row) const;
  Unit UnitAt(const AttentionCall& call, int64_t index);

  int32_t level_ = Levels() - 1;
  int32_t blocks_ = 0;
  int32_t tile_rows_ = 0;
  int32_t tiles_ = 0;
  int32_t spans_ = 0;  // parts of the cells that are computed apart, and merged
  std::vector<uint8_t> sight_;  // [rows][blocks]
  std::vector<float> parts_;    // [spans][rows][heads]: greatest score, sum of weights, weighted values
};

}  // namespace headgate::engine
