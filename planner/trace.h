// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Trace: which requests came when, and how large. Three sources, one shape: a CSV file, a router's own audit log, and a
// generator. Readers refuse what they cannot be sure of (disorder, absurd values, missing columns) with file and line;
// what is odd but possible (a gap) becomes a note that reports print.
//
// CSV, plain or gzip: the header `arrival_s,input_tokens,output_tokens,client[,prefix][,sensitive]`; `prefix` is a
// `-`-joined list of the numbers of 512-token blocks (a client's own: engines share prefixes within a tenant only),
// `sensitive` is 0 or 1. Arrivals are seconds, ascending.
//
// Thread-safety: values; functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace headgate::planner {

inline constexpr int64_t kBlockTokens = 512;
inline constexpr int64_t kInputTokensMax = 1'048'576;   // the cloud's context; more is a mistake in the trace
inline constexpr int64_t kOutputTokensMax = 393'216;
inline constexpr double kTraceSpanMax = 2 * 366 * 86400.0;  // seconds

struct TraceRequest {
  double arrival_s = 0;
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;
  uint32_t client = 0;         // index into Trace::clients
  uint32_t first_block = 0;    // into Trace::blocks
  uint32_t block_count = 0;
  enum class Class : uint8_t { kUnknown, kOrdinary, kSensitive } sensitivity = Class::kUnknown;
};

struct Trace {
  std::string name;
  std::vector<TraceRequest> requests;   // by arrival
  std::vector<uint32_t> blocks;
  int64_t block_tokens = kBlockTokens;  // of every block of this trace
  std::vector<std::string> clients;
  std::vector<std::string> notes;       // what a reader should know about the data
  // Of an audit log's requests, by request: what was measured; empty otherwise.
  struct Measured {
    float first_token_s = -1;           // -1: not recorded
    bool cloud = false;
  };
  std::vector<Measured> measured;
  // When arrival 0 was; unset for traces without a date.
  absl::Time start = absl::InfinitePast();

  double span_s() const { return requests.empty() ? 0 : requests.back().arrival_s; }
};

// INVALID_ARGUMENT: `file:line: column: what is wrong`. NOT_FOUND: no such file.
absl::StatusOr<Trace> ReadTrace(const std::string& path);
// The same from text in memory.
absl::StatusOr<Trace> ParseTrace(const std::string& name, const std::string& text);
// The outcomes with a usage in all `audit-*.jsonl` of a directory, or in one such file. Prefixes are rebuilt from the
// cached tokens that the records hold; what the log does not know becomes notes (audit_trace.cc).
absl::StatusOr<Trace> ReadAuditTrace(const std::string& path);

struct GeneratorOptions {
  uint64_t seed = 1;
  double hours = 1;
  double requests_per_second = 2;        // mean
  double day_night_ratio = 1;            // busiest hour / quietest hour of a sine over 24 h
  double burstiness = 1;                 // coefficient of variation of the gaps: 1 = Poisson
  double input_tokens = 1000;            // means of lognormal distributions
  double output_tokens = 200;
  double spread = 1;                     // sigma of both
  double reused_prefix = 0;              // share of requests that continue an earlier one
  int clients = 4;
  double sensitive_share = 0;
};
// The same options give the same trace. INVALID_ARGUMENT names the option that is out of range.
absl::StatusOr<Trace> GenerateTrace(const GeneratorOptions& options);
// In ReadTrace's format.
std::string FormatTrace(const Trace& trace);

}  // namespace headgate::planner
