// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What attention.h computes with: for a tile of rows and a head of the cache, the softmax over a span of the cells
// that each row sees, in blocks (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018). There is
// one form for each instruction set. A row's result depends on nothing but its query and the cells it sees, in the
// order in which they lie: blocks and spans are counted in those cells.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

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

// The cells that a row sees.
struct AttentionRow {
  int32_t begin;  // in the list of its tile
  int32_t count;
  bool biased;  // whether the mask adds something to their scores

  // The row's spans: at most kSpans, of at least kSpanBlocks blocks.
  int32_t BlocksBefore(int32_t span) const;
};

// A tile of rows, a head of the cache, a span of each row's cells.
struct AttentionUnit {
  const AttentionCall* call;
  int32_t row_begin;
  int32_t row_count;  // at most kQueries / (heads / kv_heads)
  const AttentionRow* rows;
  const int32_t* cells;
  int32_t kv_head;
  int32_t span;
  float* parts;  // out, [rows of the step][heads]: greatest score, sum of weights, weighted values; only where a row
                 // has the span
};

struct AttentionKernel {
  static constexpr int32_t kBlock = 64;    // cells
  static constexpr int32_t kQueries = 64;  // rows times heads of a tile
  static constexpr int32_t kSpanBlocks = 4;
  static constexpr int32_t kSpans = 4;

  AttentionCall::ToFloat half_to_float;
  void (*compute)(const AttentionUnit& unit);

  // Instruction sets that this processor has, from the plainest on.
  static int32_t Levels();
  static const AttentionKernel& At(int32_t level);
};

}  // namespace headgate::engine
