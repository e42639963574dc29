// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define HEADGATE_X86_LEVELS 1
#endif

namespace headgate::engine {
namespace {

#define HEADGATE_INLINE inline __attribute__((always_inline))

constexpr int32_t kBlock = 64;    // cells
constexpr int32_t kQueries = 64;  // rows times heads of a tile
constexpr int32_t kStrip = 6;  // rows of a product at a time, each in a register beside those of the operands
constexpr int32_t kUnitsPerThread = 4;
constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr uint16_t kHalfNever = 0xFC00;

// Vectors as wide as a level's registers. (The attribute does not work on a dependent type.)
template <int32_t kLanes>
struct Vector;
template <>
struct Vector<4> {
  using Floats = float __attribute__((vector_size(16)));
  using Ints = int32_t __attribute__((vector_size(16)));
};
template <>
struct Vector<8> {
  using Floats = float __attribute__((vector_size(32)));
  using Ints = int32_t __attribute__((vector_size(32)));
};
template <>
struct Vector<16> {
  using Floats = float __attribute__((vector_size(64)));
  using Ints = int32_t __attribute__((vector_size(64)));
};
template <int32_t kLanes>
using Lanes = typename Vector<kLanes>::Floats;
template <int32_t kLanes>
using Bits = typename Vector<kLanes>::Ints;

template <int32_t kLanes>
HEADGATE_INLINE Lanes<kLanes> Load(const float* from) {
  Lanes<kLanes> lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}
template <typename Floats>
HEADGATE_INLINE void Store(float* to, Floats lanes) {
  std::memcpy(to, &lanes, sizeof(lanes));
}

// e^x for x <= 0, 0 below -87: x = n ln 2 + r, and a Taylor polynomial for e^r, |r| <= ln 2 / 2; relative error 2e-7.
template <int32_t kLanes>
HEADGATE_INLINE Lanes<kLanes> Exp(Lanes<kLanes> x) {
  using Floats = Lanes<kLanes>;
  using Ints = Bits<kLanes>;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, held by the lowest bits
  const Floats least = Floats{} - 87.0F;
  const Ints dead = x < least;
  x = dead ? least : x;
  const Floats shifted = x * 1.44269504F + kRound;
  const Floats n = shifted - kRound;
  const Floats r = x - n * 0.693359375F - n * -2.12194440e-4F;  // ln 2 in two parts
  Floats power = r * (1.0F / 5040) + 1.0F / 720;
  power = power * r + 1.0F / 120;
  power = power * r + 1.0F / 24;
  power = power * r + 1.0F / 6;
  power = power * r + 0.5F;
  power = power * r + 1.0F;
  power = power * r + 1.0F;
  const Ints exponent = (std::bit_cast<Ints>(shifted) - std::bit_cast<int32_t>(kRound) + 127) << 23;
  return dead ? Floats{} : power * std::bit_cast<Floats>(exponent);
}

// c[i] += a[i] b for kCount rows; b has `depth` rows of `width` values. The pragmas keep the sums in registers.
template <int32_t kLanes, int32_t kCount>
HEADGATE_INLINE void Strip(const float* const* a, const float* b, int32_t depth, int32_t width, float* const* c) {
  for (int32_t column = 0; column < width; column += kLanes) {
    Lanes<kLanes> sums[kCount];
#pragma GCC unroll 8
    for (int32_t i = 0; i < kCount; ++i) sums[i] = Load<kLanes>(c[i] + column);
    const float* row = b + column;
    for (int32_t k = 0; k < depth; ++k, row += width) {
      const Lanes<kLanes> values = Load<kLanes>(row);
#pragma GCC unroll 8
      for (int32_t i = 0; i < kCount; ++i) sums[i] += values * a[i][k];
    }
#pragma GCC unroll 8
    for (int32_t i = 0; i < kCount; ++i) Store(c[i] + column, sums[i]);
  }
}

template <int32_t kLanes>
HEADGATE_INLINE void Product(int32_t rows, const float* const* a, const float* b, int32_t depth, int32_t width,
                             float* const* c) {
  for (; rows >= kStrip; rows -= kStrip, a += kStrip, c += kStrip) Strip<kLanes, kStrip>(a, b, depth, width, c);
  switch (rows) {
    case 5: return Strip<kLanes, 5>(a, b, depth, width, c);
    case 4: return Strip<kLanes, 4>(a, b, depth, width, c);
    case 3: return Strip<kLanes, 3>(a, b, depth, width, c);
    case 2: return Strip<kLanes, 2>(a, b, depth, width, c);
    case 1: return Strip<kLanes, 1>(a, b, depth, width, c);
    default: return;
  }
}

// The lanes of two vectors by turns: first halves, then second halves.
template <int32_t kLanes>
HEADGATE_INLINE void Interleave(Lanes<kLanes> even, Lanes<kLanes> odd, Lanes<kLanes>* to) {
  if constexpr (kLanes == 16) {
    to[0] = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    to[1] = __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  } else if constexpr (kLanes == 8) {
    to[0] = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
    to[1] = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
  } else {
    static_assert(kLanes == 4);
    to[0] = __builtin_shufflevector(even, odd, 0, 4, 1, 5);
    to[1] = __builtin_shufflevector(even, odd, 2, 6, 3, 7);
  }
}

// A square of kLanes rows, `from_width` and `to_width` values apart. Each round interleaves the halves of the rows: a
// bit of the row's number moves into the lane's.
template <int32_t kLanes>
HEADGATE_INLINE void Transpose(const float* from, int32_t from_width, float* to, int32_t to_width) {
  Lanes<kLanes> rows[kLanes];
#pragma GCC unroll 16
  for (int32_t i = 0; i < kLanes; ++i) rows[i] = Load<kLanes>(from + i * from_width);
#pragma GCC unroll 4
  for (int32_t round = 1; round < kLanes; round *= 2) {
    Lanes<kLanes> next[kLanes];
#pragma GCC unroll 8
    for (int32_t i = 0; i < kLanes / 2; ++i) Interleave<kLanes>(rows[i], rows[i + kLanes / 2], next + 2 * i);
#pragma GCC unroll 16
    for (int32_t i = 0; i < kLanes; ++i) rows[i] = next[i];
  }
#pragma GCC unroll 16
  for (int32_t i = 0; i < kLanes; ++i) Store(to + i * to_width, rows[i]);
}

// A row's scores in a block become weights, and what was before is put right: part = greatest score, sum, values.
template <int32_t kLanes>
HEADGATE_INLINE void Weigh(float* scores, const float* mask, float* part, int32_t value_width) {
  using Floats = Lanes<kLanes>;
  Floats most = Floats{} + kNever;
  for (int32_t i = 0; i < kBlock; i += kLanes) {
    Floats lanes = Load<kLanes>(scores + i);
    if (mask != nullptr) {
      const Floats add = Load<kLanes>(mask + i);
      lanes = add == kNever ? add : lanes + add;  // whatever an unused cell holds
      Store(scores + i, lanes);
    }
    most = lanes > most ? lanes : most;
  }
  float greatest = part[0];
#pragma GCC unroll 16
  for (int32_t i = 0; i < kLanes; ++i) greatest = greatest > most[i] ? greatest : most[i];
  Floats sum{};
  for (int32_t i = 0; i < kBlock; i += kLanes) {
    const Floats weights = Exp<kLanes>(Load<kLanes>(scores + i) - greatest);
    sum += weights;
    Store(scores + i, weights);
  }
  float total = 0;
#pragma GCC unroll 16
  for (int32_t i = 0; i < kLanes; ++i) total += sum[i];
  if (part[0] < greatest && part[1] > 0) {
    const float keep = std::exp(part[0] - greatest);
    part[1] *= keep;
    for (int32_t i = 0; i < value_width; i += kLanes) Store(part + 2 + i, Load<kLanes>(part + 2 + i) * keep);
  }
  part[0] = greatest;
  part[1] += total;
}

void HalfToFloatPlain(const void* packed, float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half = 0;
    std::memcpy(&half, static_cast<const char*>(packed) + 2 * i, sizeof(half));
    // The exponent moves from 15 to 127; a multiplication makes subnormals right, infinities keep all ones.
    const uint32_t magnitude = static_cast<uint32_t>(half & 0x7FFFU) << 13;
    const float value = std::bit_cast<float>(magnitude) * 0x1p112F;
    const uint32_t bits = magnitude >= 0x0F800000U ? magnitude | 0x7F800000U : std::bit_cast<uint32_t>(value);
    values[i] = std::bit_cast<float>(bits | static_cast<uint32_t>(half & 0x8000U) << 16);
  }
}

#ifdef HEADGATE_X86_LEVELS
__attribute__((target("arch=x86-64-v3"))) void HalfToFloatV3(const void* packed, float* values, int64_t count) {
  int64_t i = 0;
  const auto* const halves = static_cast<const uint16_t*>(packed);
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(values + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + i))));
  }
  HalfToFloatPlain(halves + i, values + i, count - i);
}
__attribute__((target("arch=x86-64-v4"))) void HalfToFloatV4(const void* packed, float* values, int64_t count) {
  int64_t i = 0;
  const auto* const halves = static_cast<const uint16_t*>(packed);
  for (; i + 16 <= count; i += 16) {
    _mm512_storeu_ps(values + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + i))));
  }
  HalfToFloatPlain(halves + i, values + i, count - i);
}
#endif

// Blocks of cells in the form that the products want.
struct Scratch {
  alignas(64) float query[kQueries * AttentionCall::kWidthMax];
  alignas(64) float packed[kBlock * AttentionCall::kWidthMax];  // keys as they lie in the cache
  alignas(64) float key[AttentionCall::kWidthMax * kBlock];  // a column for each cell
  alignas(64) float value[kBlock * AttentionCall::kWidthMax];
  alignas(64) float scores[kQueries * kBlock];
  alignas(64) float mask[kBlock];
};

}  // namespace

struct Attention::Unit {
  const AttentionCall* call;
  int32_t row_begin, row_end;
  int32_t kv_head;
  int32_t block_begin, block_end;
  int32_t blocks;
  const uint8_t* sight;
  float* parts;  // of the span
};

struct Attention::Kernel {
  AttentionCall::ToFloat half_to_float;
  void (*compute)(const Unit& unit);

  template <int32_t kLanes>
  static HEADGATE_INLINE void Compute(const Unit& unit, AttentionCall::ToFloat half_to_float);
  template <int32_t kLanes>
  static HEADGATE_INLINE void Unpack(const Unit& unit, int32_t block, Scratch& scratch);
  static HEADGATE_INLINE int32_t Seeing(const Unit& unit, int32_t block, int32_t* queries);
  static void Plain(const Unit& unit) { Compute<4>(unit, HalfToFloatPlain); }
#ifdef HEADGATE_X86_LEVELS
  __attribute__((target("arch=x86-64-v3"))) static void V3(const Unit& unit) { Compute<8>(unit, HalfToFloatV3); }
  __attribute__((target("arch=x86-64-v4"))) static void V4(const Unit& unit) { Compute<16>(unit, HalfToFloatV4); }
#endif
};

// Keys and values of a block's cells; what is beyond the last cell is 0.
template <int32_t kLanes>
HEADGATE_INLINE void Attention::Kernel::Unpack(const Unit& unit, int32_t block, Scratch& scratch) {
  const AttentionCall& call = *unit.call;
  const int32_t first = block * kBlock;
  const int32_t count = std::min(kBlock, call.cells - first);
  const int32_t width = (call.key_width + kLanes - 1) / kLanes * kLanes;
  const char* const key = call.key + static_cast<size_t>(unit.kv_head) * call.key_head;
  const char* const value = call.value + static_cast<size_t>(unit.kv_head) * call.value_head;
  for (int32_t i = 0; i < count; ++i) {
    const auto cell = static_cast<size_t>(first + i);
    call.key_to_float(key + cell * call.key_cell, scratch.packed + i * width, call.key_width);
    std::fill(scratch.packed + i * width + call.key_width, scratch.packed + (i + 1) * width, 0.0F);
    call.value_to_float(value + cell * call.value_cell, scratch.value + i * call.value_width, call.value_width);
  }
  if (count < kBlock) {
    std::fill(scratch.packed + count * width, scratch.packed + kBlock * width, 0.0F);
    std::fill(scratch.value + count * call.value_width, scratch.value + kBlock * call.value_width, 0.0F);
  }
  for (int32_t i = 0; i < kBlock; i += kLanes) {
    for (int32_t d = 0; d < width; d += kLanes) {
      Transpose<kLanes>(scratch.packed + i * width + d, width, scratch.key + d * kBlock + i, kBlock);
    }
  }
}

// The queries of the unit whose row sees something in the block: (row - row_begin) * group + head.
HEADGATE_INLINE int32_t Attention::Kernel::Seeing(const Unit& unit, int32_t block, int32_t* queries) {
  const int32_t group = unit.call->heads / unit.call->kv_heads;
  int32_t count = 0;
  for (int32_t row = unit.row_begin; row < unit.row_end; ++row) {
    if (unit.sight[static_cast<int64_t>(row) * unit.blocks + block] == kNone) continue;
    for (int32_t i = 0; i < group; ++i) queries[count++] = (row - unit.row_begin) * group + i;
  }
  return count;
}

template <int32_t kLanes>
HEADGATE_INLINE void Attention::Kernel::Compute(const Unit& unit, AttentionCall::ToFloat half_to_float) {
  const AttentionCall& call = *unit.call;
  const int32_t group = call.heads / call.kv_heads;
  const int32_t part_size = 2 + call.value_width;
  Scratch scratch;  // NOLINT: not initialised on purpose
  float* parts[kQueries];
  for (int32_t i = 0; i < (unit.row_end - unit.row_begin) * group; ++i) {
    const int32_t row = unit.row_begin + i / group;
    const int32_t head = unit.kv_head * group + i % group;
    parts[i] = unit.parts + (static_cast<int64_t>(row) * call.heads + head) * part_size;
    std::fill(parts[i], parts[i] + part_size, 0.0F);
    parts[i][0] = kNever;
    const char* const query = call.query + static_cast<size_t>(row) * call.query_row +
                              static_cast<size_t>(head) * call.query_head;
    for (int32_t d = 0; d < call.key_width; ++d) {
      float value = 0;
      std::memcpy(&value, query + static_cast<size_t>(d) * sizeof(value), sizeof(value));
      scratch.query[i * call.key_width + d] = value * call.scale;
    }
  }
  int32_t queries[kQueries] = {};
  const float* left[kQueries];
  float* right[kQueries];
  for (int32_t block = unit.block_begin; block < unit.block_end; ++block) {
    const int32_t count = Seeing(unit, block, queries);
    if (count == 0) continue;
    Unpack<kLanes>(unit, block, scratch);
    std::fill(scratch.scores, scratch.scores + count * kBlock, 0.0F);
    for (int32_t i = 0; i < count; ++i) {
      left[i] = scratch.query + queries[i] * call.key_width;
      right[i] = scratch.scores + i * kBlock;
    }
    Product<kLanes>(count, left, scratch.key, call.key_width, kBlock, right);
    int32_t masked_row = -1;
    const int32_t cells = std::min(kBlock, call.cells - block * kBlock);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t row = unit.row_begin + queries[i] / group;
      const bool all = unit.sight[static_cast<int64_t>(row) * unit.blocks + block] == kAll;
      if (!all && row != masked_row) {
        masked_row = row;
        std::fill(scratch.mask + cells, scratch.mask + kBlock, kNever);
        if (call.mask == nullptr) {
          std::fill(scratch.mask, scratch.mask + cells, 0.0F);
        } else {
          half_to_float(call.mask + static_cast<size_t>(row) * call.mask_row + static_cast<size_t>(block) * kBlock * 2,
                        scratch.mask, cells);
        }
      }
      Weigh<kLanes>(right[i], all ? nullptr : scratch.mask, parts[queries[i]], call.value_width);
    }
    for (int32_t i = 0; i < count; ++i) {
      left[i] = scratch.scores + i * kBlock;
      right[i] = parts[queries[i]] + 2;
    }
    Product<kLanes>(count, left, scratch.value, kBlock, call.value_width, right);
  }
}

int32_t Attention::Levels() {
#ifdef HEADGATE_X86_LEVELS
  static const int32_t levels = __builtin_cpu_supports("x86-64-v4")   ? 3
                                : __builtin_cpu_supports("x86-64-v3") ? 2
                                                                      : 1;
  return levels;
#else
  return 1;
#endif
}

const Attention::Kernel& Attention::At(int32_t level) {
  static const Kernel kernels[] = {{HalfToFloatPlain, Kernel::Plain},
#ifdef HEADGATE_X86_LEVELS
                                   {HalfToFloatV3, Kernel::V3},
                                   {HalfToFloatV4, Kernel::V4},
#endif
  };
  return kernels[level];
}

AttentionCall::ToFloat Attention::HalfToFloat(int32_t level) { return At(level).half_to_float; }

void Attention::Plan(const AttentionCall& call, int32_t threads) {
  blocks_ = (call.cells + kBlock - 1) / kBlock;
  tile_rows_ = std::max(1, kQueries / (call.heads / call.kv_heads));
  tiles_ = (call.rows + tile_rows_ - 1) / tile_rows_;
  const int32_t units = tiles_ * call.kv_heads;
  spans_ = std::clamp((kUnitsPerThread * threads + units - 1) / units, 1, std::max(1, blocks_));
  sight_.resize(static_cast<size_t>(call.rows) * static_cast<size_t>(blocks_));
  parts_.resize(static_cast<size_t>(spans_) * static_cast<size_t>(call.rows) * static_cast<size_t>(call.heads) *
                static_cast<size_t>(2 + call.value_width));
}

void Attention::Look(const AttentionCall& call, int32_t row) {
  for (int32_t block = 0; block < blocks_; ++block) {
    const int32_t first = block * kBlock;
    const int32_t cells = std::min(kBlock, call.cells - first);
    int32_t seen = cells;
    int32_t plain = cells;  // and nothing to add
    if (call.mask != nullptr) {
      uint16_t mask[kBlock] = {};
      std::memcpy(mask, call.mask + static_cast<size_t>(row) * call.mask_row + static_cast<size_t>(first) * 2,
                  static_cast<size_t>(cells) * 2);
      seen = plain = 0;
      for (int32_t i = 0; i < cells; ++i) {
        seen += mask[i] != kHalfNever;
        plain += mask[i] == 0;
      }
    }
    sight_[static_cast<size_t>(row) * static_cast<size_t>(blocks_) + static_cast<size_t>(block)] =
        seen == 0 ? kNone : plain == kBlock ? kAll : kSome;
  }
}

void Attention::Merge(const AttentionCall& call, int32_t row) const {
  const int32_t part_size = 2 + call.value_width;
  for (int32_t head = 0; head < call.heads; ++head) {
    const auto part = [&](int32_t span) {
      return parts_.data() + ((static_cast<int64_t>(span) * call.rows + row) * call.heads + head) * part_size;
    };
    float greatest = kNever;
    for (int32_t span = 0; span < spans_; ++span) greatest = std::max(greatest, part(span)[0]);
    float* const out = call.out + (static_cast<int64_t>(row) * call.heads + head) * call.value_width;
    std::fill(out, out + call.value_width, 0.0F);
    float total = 0;
    for (int32_t span = 0; span < spans_; ++span) {
      const float* const from = part(span);
      if (from[1] == 0) continue;
      const float keep = std::exp(from[0] - greatest);
      total += from[1] * keep;
      for (int32_t i = 0; i < call.value_width; ++i) out[i] += from[2 + i] * keep;
    }
    if (total == 0) continue;
    for (int32_t i = 0; i < call.value_width; ++i) out[i] /= total;
  }
}

Attention::Unit Attention::UnitAt(const AttentionCall& call, int64_t index) {
  const auto span = static_cast<int32_t>(index % spans_);
  index /= spans_;
  const auto kv_head = static_cast<int32_t>(index % call.kv_heads);
  const auto tile = static_cast<int32_t>(index / call.kv_heads);
  return {.call = &call,
          .row_begin = tile * tile_rows_,
          .row_end = std::min(call.rows, (tile + 1) * tile_rows_),
          .kv_head = kv_head,
          .block_begin = static_cast<int32_t>(static_cast<int64_t>(blocks_) * span / spans_),
          .block_end = static_cast<int32_t>(static_cast<int64_t>(blocks_) * (span + 1) / spans_),
          .blocks = blocks_,
          .sight = sight_.data(),
          .parts = parts_.data() + static_cast<int64_t>(span) * call.rows * call.heads * (2 + call.value_width)};
}

void Attention::Run(const AttentionCall& call, int32_t threads) {
  Plan(call, threads);
  const auto compute = At(level_).compute;
  const int64_t units = static_cast<int64_t>(tiles_) * call.kv_heads * spans_;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int32_t row = 0; row < call.rows; ++row) Look(call, row);
#pragma omp for schedule(dynamic, 1)
    for (int64_t unit = 0; unit < units; ++unit) compute(UnitAt(call, unit));
#pragma omp for schedule(static)
    for (int32_t row = 0; row < call.rows; ++row) Merge(call, row);
  }
}

}  // namespace headgate::engine
