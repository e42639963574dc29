// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace headgate::engine {
namespace {

constexpr uint16_t kNever = 0xFC00;  // a half, -inf
constexpr uint64_t kFourNevers = 0xFC00FC00FC00FC00U;

constexpr int32_t Pieces(int32_t whole, int32_t piece) { return (whole + piece - 1) / piece; }

// The cells that a row sees, appended to `seen`; whether the mask adds anything to their scores.
bool Scan(const char* mask, int32_t cells, std::vector<int32_t>& seen) {
  size_t count = seen.size();
  seen.resize(count + static_cast<size_t>(cells));
  uint16_t any = 0;
  int32_t cell = 0;
  const auto take = [&](uint16_t half) {
    seen[count] = cell++;
    count += half != kNever ? 1 : 0;
    any |= half != kNever ? half : uint16_t{0};
  };
  while (cell + 4 <= cells) {
    uint16_t halves[4];
    std::memcpy(halves, mask + static_cast<size_t>(cell) * sizeof(*halves), sizeof(halves));
    if (std::bit_cast<uint64_t>(halves) == kFourNevers) {
      cell += 4;
      continue;
    }
    for (const uint16_t half : halves) take(half);
  }
  while (cell < cells) {
    uint16_t half = 0;
    std::memcpy(&half, mask + static_cast<size_t>(cell) * sizeof(half), sizeof(half));
    take(half);
  }
  seen.resize(count);
  return any != 0;
}

}  // namespace

void Attention::Prepare(const AttentionCall& call) {
  call_ = call;
  // Two tiles at least: three heads of the cache on two threads would leave one of them waiting.
  const int32_t rows_max = AttentionKernel::kQueries / (call.heads / call.kv_heads);
  const int32_t tile_rows = std::max(1, std::min(rows_max, Pieces(call.rows, 2)));
  tiles_.resize(static_cast<size_t>(Pieces(call.rows, tile_rows)));
  for (size_t i = 0; i < tiles_.size(); ++i) {
    tiles_[i].row_begin = static_cast<int32_t>(i) * tile_rows;
    tiles_[i].rows.resize(static_cast<size_t>(std::min(tile_rows, call.rows - tiles_[i].row_begin)));
  }
  constexpr int32_t kSpanCells = AttentionKernel::kBlock * AttentionKernel::kSpanBlocks;
  spans_ = std::clamp(Pieces(call.cells, kSpanCells), 1, AttentionKernel::kSpans);
  parts_.resize(static_cast<size_t>(spans_) * static_cast<size_t>(call.rows) * static_cast<size_t>(call.heads) *
                static_cast<size_t>(2 + call.value_width));
  next_unit_ = 0;
}

void Attention::Look(int32_t thread, int32_t threads) {
  for (auto tile = static_cast<size_t>(thread); tile < tiles_.size(); tile += static_cast<size_t>(threads)) {
    LookAt(tiles_[tile]);
  }
}

void Attention::LookAt(Tile& tile) const {
  tile.cells.clear();
  size_t last = 0;  // where the cells of the row before begin
  for (size_t i = 0; i < tile.rows.size(); ++i) {
    AttentionRow& row = tile.rows[i];
    const size_t begin = tile.cells.size();
    if (call_.mask == nullptr) {
      row.biased = false;
      for (int32_t cell = 0; cell < call_.cells; ++cell) tile.cells.push_back(cell);
    } else {
      const size_t number = static_cast<size_t>(tile.row_begin) + i;
      row.biased = Scan(call_.mask + number * call_.mask_row, call_.cells, tile.cells);
    }
    // Rows of one sequence see what the one before saw, and more.
    const auto cells = tile.cells.begin();
    const auto middle = cells + static_cast<std::ptrdiff_t>(begin);
    const auto before = cells + static_cast<std::ptrdiff_t>(last);
    const auto shared = std::min(middle - before, tile.cells.end() - middle);
    row.count = static_cast<int32_t>(tile.cells.size() - begin);
    if (std::equal(middle, middle + shared, before)) {
      tile.cells.erase(middle, middle + shared);
    } else {
      last = begin;
    }
    row.begin = static_cast<int32_t>(last);
  }
}

void Attention::Compute() {
  const auto compute = AttentionKernel::At(level_).compute;
  const int64_t units = static_cast<int64_t>(tiles_.size()) * call_.kv_heads * spans_;
  for (int64_t unit = next_unit_++; unit < units; unit = next_unit_++) {
    const int64_t span = unit % spans_;
    const Tile& tile = tiles_[static_cast<size_t>(unit / spans_ / call_.kv_heads)];
    compute({.call = &call_,
             .row_begin = tile.row_begin,
             .row_count = static_cast<int32_t>(tile.rows.size()),
             .rows = tile.rows.data(),
             .cells = tile.cells.data(),
             .kv_head = static_cast<int32_t>(unit / spans_ % call_.kv_heads),
             .span = static_cast<int32_t>(span),
             .parts = parts_.data() + span * call_.rows * call_.heads * (2 + call_.value_width)});
  }
}

void Attention::Merge(int32_t thread, int32_t threads) const {
  int32_t number = 0;
  for (const Tile& tile : tiles_) {
    for (const AttentionRow& row : tile.rows) {
      if (number % threads == thread) MergeRow(number, row);
      ++number;
    }
  }
}

void Attention::MergeRow(int32_t number, const AttentionRow& row) const {
  const int32_t part_size = 2 + call_.value_width;
  int32_t spans = 0;
  while (spans < spans_ && row.BlocksBefore(spans) < row.BlocksBefore(spans + 1)) ++spans;
  for (int32_t head = 0; head < call_.heads; ++head) {
    const auto part = [&](int32_t span) {
      return parts_.data() + ((static_cast<int64_t>(span) * call_.rows + number) * call_.heads + head) * part_size;
    };
    float greatest = -std::numeric_limits<float>::infinity();
    for (int32_t span = 0; span < spans; ++span) greatest = std::max(greatest, part(span)[0]);
    float* const out = call_.out + (static_cast<int64_t>(number) * call_.heads + head) * call_.value_width;
    std::fill(out, out + call_.value_width, 0.0F);
    float total = 0;
    for (int32_t span = 0; span < spans; ++span) {
      const float* const from = part(span);
      const float keep = std::exp(from[0] - greatest);
      total += from[1] * keep;
      for (int32_t i = 0; i < call_.value_width; ++i) out[i] += from[2 + i] * keep;
    }
    if (total == 0) continue;
    for (int32_t i = 0; i < call_.value_width; ++i) out[i] /= total;
  }
}

}  // namespace headgate::engine
