// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The generator.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "planner/random.h"
#include "planner/trace.h"

namespace headgate::planner {
namespace {

constexpr size_t kRequestsMax = 50'000'000;

absl::Status CheckOptions(const GeneratorOptions& o) {
  const struct {
    const char* name;
    double value, low, high;
  } ranges[] = {{"hours", o.hours, 1e-3, 24 * 366},
                {"requests-per-second", o.requests_per_second, 1e-6, 1e6},
                {"day-night-ratio", o.day_night_ratio, 1, 100},
                {"burstiness", o.burstiness, 0.05, 20},
                {"input-tokens", o.input_tokens, 1, kInputTokensMax},
                {"output-tokens", o.output_tokens, 1, kOutputTokensMax},
                {"spread", o.spread, 0, 3},
                {"reused-prefix", o.reused_prefix, 0, 1},
                {"clients", static_cast<double>(o.clients), 1, 10'000},
                {"sensitive-share", o.sensitive_share, 0, 1}};
  for (const auto& range : ranges) {
    if (!(range.value >= range.low && range.value <= range.high)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: %g is out of range; use %g to %g", range.name, range.value, range.low, range.high));
    }
  }
  if (o.hours * 3600 * o.requests_per_second > static_cast<double>(kRequestsMax)) {
    return absl::InvalidArgumentError("hours x requests-per-second: more than 50 million requests");
  }
  return absl::OkStatus();
}

// Mean 1, coefficient of variation `cv`: a mix of a short and a long exponential for cv >= 1, else a sum of them.
double Gap(Random& random, double cv) {
  if (cv >= 1) {
    const double p = 0.5 * (1 + std::sqrt((cv * cv - 1) / (cv * cv + 1)));
    const bool fast = random.Uniform() < p;
    return random.Exponential() / (2 * (fast ? p : 1 - p));
  }
  const int parts = std::max(1, static_cast<int>(std::lround(1 / (cv * cv))));
  double sum = 0;
  for (int i = 0; i < parts; ++i) sum += random.Exponential();
  return sum / parts;
}

int32_t Length(Random& random, double mean, double sigma, int64_t most) {
  const double value = mean * std::exp(sigma * random.Normal() - sigma * sigma / 2);
  return static_cast<int32_t>(std::clamp(std::round(value), 1.0, static_cast<double>(most)));
}

}  // namespace

absl::StatusOr<Trace> GenerateTrace(const GeneratorOptions& options) {
  if (auto status = CheckOptions(options); !status.ok()) return status;
  constexpr double kDay = 86400;
  Random random(options.seed);
  Trace trace;
  trace.name = absl::StrCat("generated_", options.seed);
  for (int i = 0; i < options.clients; ++i) trace.clients.push_back(absl::StrCat("c", i));
  const double swing = (options.day_night_ratio - 1) / (options.day_night_ratio + 1);
  uint32_t next_block = 0;
  for (double now = 0;;) {
    // The quietest moment is at 0, the busiest half a day later.
    const double rate = options.requests_per_second * (1 - swing * std::cos(now / kDay * 6.283185307179586));
    now += Gap(random, options.burstiness) / std::max(rate, 1e-9);
    if (now > options.hours * 3600 || trace.requests.size() >= kRequestsMax) break;
    TraceRequest request;
    request.arrival_s = now;
    request.client = static_cast<uint32_t>(random.Below(static_cast<uint64_t>(options.clients)));
    request.output_tokens = Length(random, options.output_tokens, options.spread, kOutputTokensMax);
    const int32_t fresh = Length(random, options.input_tokens, options.spread, kInputTokensMax / 2);
    request.first_block = static_cast<uint32_t>(trace.blocks.size());
    int64_t continued = 0;
    if (options.reused_prefix > 0 && !trace.requests.empty() && random.Uniform() < options.reused_prefix) {
      const size_t back = 1 + random.Below(std::min<uint64_t>(64, trace.requests.size()));
      const TraceRequest& earlier = trace.requests[trace.requests.size() - back];
      request.client = earlier.client;
      for (uint32_t i = 0; i < std::min<uint32_t>(earlier.block_count, 256); ++i) {
        trace.blocks.push_back(trace.blocks[earlier.first_block + i]);
        continued += kBlockTokens;
      }
    }
    if (options.reused_prefix > 0) {
      for (int64_t left = fresh; left >= kBlockTokens; left -= kBlockTokens) trace.blocks.push_back(next_block++);
    }
    request.block_count = static_cast<uint32_t>(trace.blocks.size()) - request.first_block;
    request.input_tokens = static_cast<int32_t>(std::min<int64_t>(continued + fresh, kInputTokensMax));
    request.sensitivity =
        random.Uniform() < options.sensitive_share ? TraceRequest::Class::kSensitive : TraceRequest::Class::kOrdinary;
    trace.requests.push_back(request);
  }
  if (trace.requests.empty()) return absl::InvalidArgumentError("hours: too short for a single request at this rate");
  return trace;
}

}  // namespace headgate::planner
