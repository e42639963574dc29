// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Our attention against its definition in doubles, and inside ggml against ggml's own; equal bits for equal rows.

#include "engine/backend/attention.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/backend/ggml_attention.h"
#include "engine/backend/llama_log.h"
#include "gtest/gtest.h"
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

namespace headgate::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// What a row sees.
// kTwo: two sequences whose cells lie in patches; kPrefix: one half in common, and cells of its own.
enum class Sight { kAll, kPast, kOwn, kTwo, kPrefix, kNothing };

struct Shape {
  std::string name;
  int32_t rows, cells, heads, kv_heads, key_width, value_width;
  Sight sight;
  int32_t threads = 1;
  ggml_type type = GGML_TYPE_F16;
};

bool Sees(const Shape& shape, int32_t row, int32_t cell) {
  switch (shape.sight) {
    case Sight::kAll: return true;
    case Sight::kPast: return cell <= shape.cells - shape.rows + row;
    case Sight::kOwn: return cell % shape.rows == row;
    case Sight::kTwo: return cell / 7 % 2 == row % 2 && cell <= shape.cells - shape.rows + row;
    case Sight::kPrefix: return cell < shape.cells / 2 || cell % shape.rows == row;
    case Sight::kNothing: return row % 2 == 1 && cell == row;
  }
  return false;
}

// A problem, packed as ggml packs it.
class Problem {
 public:
  explicit Problem(const Shape& shape) : shape_(shape) {
    query_ = Values(shape.rows * shape.heads * shape.key_width);
    key_ = Pack(shape.cells * shape.kv_heads, shape.key_width, key_values_);
    value_ = Pack(shape.cells * shape.kv_heads, shape.value_width, value_values_);
    for (int32_t row = 0; row < shape.rows; ++row) {
      for (int32_t cell = 0; cell < shape.cells; ++cell) {
        mask_.push_back(ggml_fp32_to_fp16(Sees(shape, row, cell) ? 0 : kNever));
      }
    }
  }

  std::vector<float> Ours(int32_t level) const {
    std::vector<float> out(static_cast<size_t>(shape_.rows * shape_.heads * shape_.value_width), 7);
    const size_t key_row = ggml_row_size(shape_.type, shape_.key_width);
    const size_t value_row = ggml_row_size(shape_.type, shape_.value_width);
    const AttentionCall::ToFloat to_float = shape_.type == GGML_TYPE_F16
                                                ? AttentionKernel::At(AttentionKernel::Levels() - 1).half_to_float
                                                : ggml_get_type_traits(shape_.type)->to_float;
    AttentionCall call;
    call.query = reinterpret_cast<const char*>(query_.data());
    call.query_head = static_cast<size_t>(shape_.key_width) * sizeof(float);
    call.query_row = call.query_head * static_cast<size_t>(shape_.heads);
    call.key = key_.data();
    call.key_head = key_row;
    call.key_cell = key_row * static_cast<size_t>(shape_.kv_heads);
    call.key_to_float = to_float;
    call.value = value_.data();
    call.value_head = value_row;
    call.value_cell = value_row * static_cast<size_t>(shape_.kv_heads);
    call.value_to_float = to_float;
    call.mask = reinterpret_cast<const char*>(mask_.data());
    call.mask_row = static_cast<size_t>(shape_.cells) * sizeof(ggml_fp16_t);
    call.out = out.data();
    call.rows = shape_.rows;
    call.cells = shape_.cells;
    call.heads = shape_.heads;
    call.kv_heads = shape_.kv_heads;
    call.key_width = shape_.key_width;
    call.value_width = shape_.value_width;
    call.scale = Scale();
    Attention attention;
    attention.UseLevel(level);
    attention.Prepare(call);
    for (int32_t thread = 0; thread < shape_.threads; ++thread) attention.Look(thread, shape_.threads);
    attention.Compute();
    for (int32_t thread = 0; thread < shape_.threads; ++thread) attention.Merge(thread, shape_.threads);
    return out;
  }

  // The row and the cells that it sees, and nothing else.
  Problem Alone(int32_t row) const {
    Problem alone = *this;
    alone.shape_.rows = 1;
    const auto query_size = static_cast<std::ptrdiff_t>(shape_.heads * shape_.key_width);
    alone.query_ = {query_.begin() + row * query_size, query_.begin() + (row + 1) * query_size};
    alone.key_.clear();
    alone.value_.clear();
    const auto take = [](const std::vector<char>& from, int32_t cell, int32_t cells, std::vector<char>& to) {
      const auto size = static_cast<std::ptrdiff_t>(from.size()) / cells;
      to.insert(to.end(), from.begin() + cell * size, from.begin() + (cell + 1) * size);
    };
    for (int32_t cell = 0; cell < shape_.cells; ++cell) {
      if (!Sees(shape_, row, cell)) continue;
      take(key_, cell, shape_.cells, alone.key_);
      take(value_, cell, shape_.cells, alone.value_);
    }
    alone.shape_.cells = static_cast<int32_t>(alone.key_.size() * static_cast<size_t>(shape_.cells) / key_.size());
    alone.mask_.assign(static_cast<size_t>(alone.shape_.cells), ggml_fp32_to_fp16(0));
    return alone;
  }

  std::vector<float> Slow() const {
    std::vector<float> out;
    for (int32_t row = 0; row < shape_.rows; ++row) {
      for (int32_t head = 0; head < shape_.heads; ++head) {
        const auto answer = SlowHead(row, head);
        out.insert(out.end(), answer.begin(), answer.end());
      }
    }
    return out;
  }

  // The same by ggml's CPU backend, with ours in it once it is installed.
  std::vector<float> Ggml(ggml_backend_t backend) const {
    const ggml_init_params params = {1 << 20, nullptr, true};
    ggml_context* const context = ggml_init(params);
    const auto tensor = [&](ggml_type type, int32_t width, int32_t heads, int32_t count) {
      return ggml_new_tensor_3d(context, type, width, heads, count);
    };
    ggml_tensor* const query = tensor(GGML_TYPE_F32, shape_.key_width, shape_.heads, shape_.rows);
    ggml_tensor* const key = tensor(shape_.type, shape_.key_width, shape_.kv_heads, shape_.cells);
    ggml_tensor* const value = tensor(shape_.type, shape_.value_width, shape_.kv_heads, shape_.cells);
    ggml_tensor* const mask = ggml_new_tensor_2d(context, GGML_TYPE_F16, shape_.cells, shape_.rows);
    const auto by_head = [&](ggml_tensor* of) { return ggml_permute(context, of, 0, 2, 1, 3); };
    ggml_tensor* const result =
        ggml_flash_attn_ext(context, by_head(query), by_head(key), by_head(value), mask, Scale(), 0, 0);
    EXPECT_TRUE(AttentionComputes(result));
    ggml_cgraph* const graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, result);
    ggml_backend_buffer_t const buffer =
        ggml_backend_alloc_ctx_tensors_from_buft(context, ggml_backend_cpu_buffer_type());
    std::memcpy(query->data, query_.data(), query_.size() * sizeof(float));
    std::memcpy(key->data, key_.data(), key_.size());
    std::memcpy(value->data, value_.data(), value_.size());
    std::memcpy(mask->data, mask_.data(), mask_.size() * sizeof(ggml_fp16_t));
    EXPECT_EQ(ggml_backend_graph_compute(backend, graph), GGML_STATUS_SUCCESS);
    std::vector<float> out(static_cast<size_t>(ggml_nelements(result)));
    std::memcpy(out.data(), result->data, ggml_nbytes(result));
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    return out;
  }

 private:
  float Scale() const { return 1 / std::sqrt(static_cast<float>(shape_.key_width)); }

  std::vector<float> Values(int32_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = std::normal_distribution<float>(0, 2)(random_);
    return values;
  }

  // Also what the packed form stands for.
  std::vector<char> Pack(int32_t count, int32_t width, std::vector<float>& values) {
    values = Values(count * width);
    std::vector<char> packed(static_cast<size_t>(count) * ggml_row_size(shape_.type, width));
    ggml_quantize_chunk(shape_.type, values.data(), packed.data(), 0, count, width, nullptr);
    ggml_get_type_traits(shape_.type)->to_float(packed.data(), values.data(), static_cast<int64_t>(values.size()));
    return packed;
  }

  std::vector<float> SlowHead(int32_t row, int32_t head) const {
    const int32_t kv_head = head / (shape_.heads / shape_.kv_heads);
    std::vector<double> weights;
    double sum = 0;
    for (int32_t cell = 0; cell < shape_.cells; ++cell) {
      double score = 0;
      for (int32_t d = 0; d < shape_.key_width; ++d) {
        score += static_cast<double>(query_[static_cast<size_t>((row * shape_.heads + head) * shape_.key_width + d)]) *
                 key_values_[static_cast<size_t>((cell * shape_.kv_heads + kv_head) * shape_.key_width + d)];
      }
      weights.push_back(Sees(shape_, row, cell) ? std::exp(score * Scale()) : 0);
      sum += weights.back();
    }
    std::vector<float> out;
    for (int32_t d = 0; d < shape_.value_width; ++d) {
      double value = 0;
      for (int32_t cell = 0; cell < shape_.cells; ++cell) {
        value += weights[static_cast<size_t>(cell)] *
                 value_values_[static_cast<size_t>((cell * shape_.kv_heads + kv_head) * shape_.value_width + d)];
      }
      out.push_back(sum == 0 ? 0 : static_cast<float>(value / sum));
    }
    return out;
  }

  Shape shape_;
  std::mt19937 random_{20261123};
  std::vector<float> query_, key_values_, value_values_;
  std::vector<char> key_, value_;
  std::vector<ggml_fp16_t> mask_;
};

void ExpectNear(const std::vector<float>& got, const std::vector<float>& wanted, float error) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], error) << "at " << i;
}

const Shape kShapes[] = {
    {"one_row", 1, 200, 9, 3, 64, 64, Sight::kAll, 2},
    {"one_row_deep", 1, 800, 9, 3, 64, 64, Sight::kPast, 2},
    {"one_cell", 1, 1, 2, 1, 32, 16, Sight::kAll},
    {"chunk_of_a_prompt", 37, 300, 9, 3, 64, 64, Sight::kPast, 3},
    {"tile_and_a_row", 22, 128, 9, 3, 64, 64, Sight::kPast, 2},
    {"each_its_own_cells", 13, 500, 4, 4, 80, 96, Sight::kOwn, 2},
    {"many_deep_rows_of_two", 48, 2600, 6, 2, 32, 32, Sight::kTwo, 2},
    {"a_prefix_and_own_cells", 30, 1500, 6, 2, 32, 32, Sight::kPrefix, 2},
    {"rows_that_see_nothing", 6, 100, 2, 2, 48, 32, Sight::kNothing},
    {"wide_heads", 3, 70, 8, 1, 256, 256, Sight::kPast},
    {"odd_width", 5, 65, 2, 1, 20, 16, Sight::kPast},
    {"quantised_q8", 9, 150, 6, 2, 64, 64, Sight::kPast, 2, GGML_TYPE_Q8_0},
    {"quantised_q4", 9, 150, 6, 2, 64, 64, Sight::kPast, 1, GGML_TYPE_Q4_0},
};

class AttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(AttentionTest, IsWhatTheDefinitionSaysAtEveryLevel) {
  const Problem problem(GetParam());
  const auto wanted = problem.Slow();
  for (int32_t level = 0; level < AttentionKernel::Levels(); ++level) {
    SCOPED_TRACE(level);
    ExpectNear(problem.Ours(level), wanted, 2e-5F);
  }
}

// To the bit: whatever else stands in a step and lies in the cache.
TEST_P(AttentionTest, ARowIsWhatItIsAlone) {
  const Problem problem(GetParam());
  for (int32_t level = 0; level < AttentionKernel::Levels(); ++level) {
    const auto together = problem.Ours(level);
    const auto size = static_cast<size_t>(GetParam().heads * GetParam().value_width);
    for (int32_t row = 0; row < GetParam().rows; ++row) {
      const auto begin = together.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(row) * size);
      EXPECT_EQ(std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(size)), problem.Alone(row).Ours(level))
          << "row " << row << " at level " << level;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest, testing::ValuesIn(kShapes),
                         [](const auto& info) { return info.param.name; });

TEST(AttentionTest, UnpacksEveryHalf) {
  std::vector<ggml_fp16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<ggml_fp16_t>(i);
  for (int32_t level = 0; level < AttentionKernel::Levels(); ++level) {
    std::vector<float> values(halves.size());
    const auto count = static_cast<int64_t>(values.size()) - 3;  // so that there is a rest
    AttentionKernel::At(level).half_to_float(halves.data(), values.data(), count);
    for (size_t i = 0; i + 3 < halves.size(); ++i) {
      const float wanted = ggml_fp16_to_fp32(halves[i]);
      ASSERT_TRUE(values[i] == wanted || (std::isnan(values[i]) && std::isnan(wanted))) << i << " at level " << level;
    }
  }
}

// Not InitLlama: ggml's own comes first.
TEST(GgmlAttentionTest, ComputesAsGgmlDoes) {
  ggml_backend_t const cpu = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr);
  ggml_backend_cpu_set_n_threads(cpu, 3);
  std::vector<const Shape*> shapes;
  std::vector<std::vector<float>> theirs;
  for (const Shape& shape : kShapes) {
    if (shape.key_width % 16 != 0 || shape.key_width != shape.value_width) continue;  // not ggml's
    shapes.push_back(&shape);
    theirs.push_back(Problem(shape).Ggml(cpu));
  }
  ASSERT_TRUE(InstallAttention());
  for (size_t i = 0; i < shapes.size(); ++i) {
    SCOPED_TRACE(shapes[i]->name);
    const auto ours = Problem(*shapes[i]).Ggml(cpu);
    EXPECT_NE(ours, theirs[i]);
    // ggml sums values in halves, and quantises queries for quantised keys.
    ExpectNear(ours, theirs[i], shapes[i]->type == GGML_TYPE_F16 ? 5e-2F : 2e-1F);
    EXPECT_EQ(ours, Problem(*shapes[i]).Ours(AttentionKernel::Levels() - 1));
  }
  ggml_backend_free(cpu);
}

}  // namespace
}  // namespace headgate::engine
