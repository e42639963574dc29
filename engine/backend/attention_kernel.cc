// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/attention_kernel.h"

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

constexpr int32_t kBlock = AttentionKernel::kBlock;
constexpr int32_t kQueries = AttentionKernel::kQueries;
constexpr int32_t kStrip = 6;  // rows of a product at a time, each in a register beside those of the operands
constexpr int32_t kAhead = 8;         // cells
constexpr size_t kAheadBytes = 128;
constexpr float kNever = -std::numeric_limits<float>::infinity();

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
HEADGATE_INLINE void Weigh(float* scores, int32_t count, float* part, int32_t value_width) {
  using Floats = Lanes<kLanes>;
  std::fill(scores + count, scores + kBlock, kNever);
  Floats most = Floats{} + kNever;
  for (int32_t i = 0; i < kBlock; i += kLanes) {
    const Floats lanes = Load<kLanes>(scores + i);
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
};

// Rows of a tile whose cells in a block are the same, or the first of the same.
struct Group {
  int32_t rows[kQueries];
  int32_t size;
  const int32_t* cells;
  int32_t count;
  int32_t known;  // with those of later blocks
};

// Keys and values of a group's cells; what is beyond the last cell is 0.
template <int32_t kLanes>
HEADGATE_INLINE void Unpack(const AttentionUnit& unit, const Group& group, Scratch& scratch) {
  const AttentionCall& call = *unit.call;
  const int32_t width = (call.key_width + kLanes - 1) / kLanes * kLanes;
  const char* const key = call.key + static_cast<size_t>(unit.kv_head) * call.key_head;
  const char* const value = call.value + static_cast<size_t>(unit.kv_head) * call.value_head;
  for (int32_t i = 0; i < group.count; ++i) {
    const auto cell = static_cast<size_t>(group.cells[i]);
    // A head's part of a cell is two lines of the cache among those of other heads: the processor does not guess that.
    const auto later = static_cast<size_t>(group.cells[std::min(i + kAhead, group.known - 1)]);
    for (size_t byte = 0; byte < kAheadBytes; byte += 64) {
      __builtin_prefetch(key + later * call.key_cell + byte);
      __builtin_prefetch(value + later * call.value_cell + byte);
    }
    call.key_to_float(key + cell * call.key_cell, scratch.packed + i * width, call.key_width);
    std::fill(scratch.packed + i * width + call.key_width, scratch.packed + (i + 1) * width, 0.0F);
    call.value_to_float(value + cell * call.value_cell, scratch.value + i * call.value_width, call.value_width);
  }
  if (group.count < kBlock) {
    std::fill(scratch.packed + group.count * width, scratch.packed + kBlock * width, 0.0F);
    std::fill(scratch.value + group.count * call.value_width, scratch.value + kBlock * call.value_width, 0.0F);
  }
  for (int32_t i = 0; i < kBlock; i += kLanes) {
    for (int32_t d = 0; d < width; d += kLanes) {
      Transpose<kLanes>(scratch.packed + i * width + d, width, scratch.key + d * kBlock + i, kBlock);
    }
  }
}

// The group of the first row that waits; the others go on waiting.
HEADGATE_INLINE void TakeGroup(const AttentionUnit& unit, int32_t block, int32_t* waiting, int32_t& count,
                                                  Group& group) {
  group.size = group.count = 0;
  int32_t others = 0;
  for (int32_t i = 0; i < count; ++i) {
    const AttentionRow& row = unit.rows[waiting[i]];
    const int32_t* const cells = unit.cells + row.begin + block * kBlock;
    const int32_t cells_count = std::min(kBlock, row.count - block * kBlock);
    const auto shared = static_cast<size_t>(std::min(group.count, cells_count));
    if (group.size > 0 && cells != group.cells && std::memcmp(cells, group.cells, shared * sizeof(*cells)) != 0) {
      waiting[others++] = waiting[i];
      continue;
    }
    group.rows[group.size++] = waiting[i];
    if (cells_count > group.count) {
      group.cells = cells;
      group.count = cells_count;
      group.known = row.count - block * kBlock;
    }
  }
  count = others;
}

template <int32_t kLanes>
HEADGATE_INLINE void ComputeGroup(const AttentionUnit& unit, const Group& group, int32_t block,
                                                     float* const* parts, Scratch& scratch,
                                                     AttentionCall::ToFloat half_to_float) {
  const AttentionCall& call = *unit.call;
  const int32_t heads = call.heads / call.kv_heads;
  const float* left[kQueries];
  float* right[kQueries];
  Unpack<kLanes>(unit, group, scratch);
  const int32_t count = group.size * heads;
  std::fill(scratch.scores, scratch.scores + count * kBlock, 0.0F);
  for (int32_t i = 0; i < count; ++i) {
    left[i] = scratch.query + (group.rows[i / heads] * heads + i % heads) * call.key_width;
    right[i] = scratch.scores + i * kBlock;
  }
  Product<kLanes>(count, left, scratch.key, call.key_width, kBlock, right);
  for (int32_t i = 0; i < count; ++i) {
    const int32_t number = group.rows[i / heads];
    const AttentionRow& row = unit.rows[number];
    const int32_t cells = std::min(kBlock, row.count - block * kBlock);
    if (row.biased) {
      const char* const mask = call.mask + static_cast<size_t>(unit.row_begin + number) * call.mask_row;
      for (int32_t c = 0; c < cells; ++c) {
        float bias = 0;
        half_to_float(mask + static_cast<size_t>(group.cells[c]) * sizeof(uint16_t), &bias, 1);
        right[i][c] += bias;
      }
    }
    Weigh<kLanes>(right[i], cells, parts[number * heads + i % heads], call.value_width);
  }
  for (int32_t i = 0; i < count; ++i) {
    left[i] = scratch.scores + i * kBlock;
    right[i] = parts[group.rows[i / heads] * heads + i % heads] + 2;
  }
  Product<kLanes>(count, left, scratch.value, kBlock, call.value_width, right);
}

template <int32_t kLanes>
HEADGATE_INLINE void Compute(const AttentionUnit& unit, AttentionCall::ToFloat half_to_float) {
  const AttentionCall& call = *unit.call;
  const int32_t heads = call.heads / call.kv_heads;
  const int32_t part_size = 2 + call.value_width;
  Scratch scratch;  // NOLINT: not initialised on purpose
  float* parts[kQueries];
  int32_t first = std::numeric_limits<int32_t>::max();
  int32_t last = 0;
  for (int32_t i = 0; i < unit.row_count * heads; ++i) {
    const AttentionRow& of = unit.rows[i / heads];
    if (of.BlocksBefore(unit.span) == of.BlocksBefore(unit.span + 1)) continue;
    first = std::min(first, of.BlocksBefore(unit.span));
    last = std::max(last, of.BlocksBefore(unit.span + 1));
    const int32_t row = unit.row_begin + i / heads;
    const int32_t head = unit.kv_head * heads + i % heads;
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
  Group group;  // NOLINT: not initialised on purpose
  int32_t waiting[kQueries];
  for (int32_t block = first; block < last; ++block) {
    int32_t count = 0;
    for (int32_t i = 0; i < unit.row_count; ++i) {
      const AttentionRow& row = unit.rows[i];
      if (row.BlocksBefore(unit.span) <= block && block < row.BlocksBefore(unit.span + 1)) waiting[count++] = i;
    }
    while (count > 0) {
      TakeGroup(unit, block, waiting, count, group);
      ComputeGroup<kLanes>(unit, group, block, parts, scratch, half_to_float);
    }
  }
}

void Plain(const AttentionUnit& unit) { Compute<4>(unit, HalfToFloatPlain); }
#ifdef HEADGATE_X86_LEVELS
__attribute__((target("arch=x86-64-v3"))) void V3(const AttentionUnit& unit) { Compute<8>(unit, HalfToFloatV3); }
__attribute__((target("arch=x86-64-v4"))) void V4(const AttentionUnit& unit) { Compute<16>(unit, HalfToFloatV4); }
#endif

}  // namespace

int32_t AttentionRow::BlocksBefore(int32_t span) const {
  const int32_t blocks = (count + kBlock - 1) / kBlock;
  constexpr int32_t kSpans = AttentionKernel::kSpans;
  return std::min(blocks, span * std::max(AttentionKernel::kSpanBlocks, (blocks + kSpans - 1) / kSpans));
}

int32_t AttentionKernel::Levels() {
#ifdef HEADGATE_X86_LEVELS
  static const int32_t levels = __builtin_cpu_supports("x86-64-v4")   ? 3
                                : __builtin_cpu_supports("x86-64-v3") ? 2
                                                                      : 1;
  return levels;
#else
  return 1;
#endif
}

const AttentionKernel& AttentionKernel::At(int32_t level) {
  static const AttentionKernel kernels[] = {{HalfToFloatPlain, Plain},
#ifdef HEADGATE_X86_LEVELS
                                            {HalfToFloatV3, V3},
                                            {HalfToFloatV4, V4},
#endif
  };
  return kernels[level];
}

}  // namespace headgate::engine
