// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A router's own audit log as a trace. The log holds no content, so which prompts begin alike is not in it; it holds
// how many tokens of each prompt the side that answered found cached. From those, prefixes are rebuilt: a prompt that
// had c tokens cached begins with the first c tokens of an earlier prompt of the same tenant on the same side, that of
// equal content, else the conversation that it seems to continue, else the latest that is long enough. What two sides
// have in common is not in the log and is not rebuilt. Retries, hedges and refusals are counted and said; none is
// replayed.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "planner/audit_log.h"
#include "planner/trace.h"

namespace headgate::planner {
namespace {

constexpr int64_t kAuditBlockTokens = 64;  // finer than a trace's: recorded hits are not multiples of 512
constexpr size_t kCandidatesMax = 256;     // earlier prompts of a tenant and side that are looked at
constexpr int64_t kTurnSlack = 2 * kAuditBlockTokens;  // what a chat template adds between an answer and the next turn
constexpr double kGapNote = 3600;

using Outcomes = std::vector<const AuditOutcome*>;  // by arrival

absl::Time ArrivalOf(const AuditOutcome& outcome) { return outcome.time - outcome.duration; }

bool IsAbsurd(const AuditOutcome& outcome) {
  return outcome.prompt_tokens > kInputTokensMax || outcome.completion_tokens > kOutputTokensMax;
}

// Gives every prompt its blocks.
class Prefixes {
 public:
  explicit Prefixes(Trace* trace) : trace_(*trace) {}

  void Add(const AuditOutcome& outcome, TraceRequest* request) {
    auto& earlier = earlier_[{request->client, outcome.target == "cloud"}];
    const int64_t wanted = std::min<int64_t>(outcome.cached_tokens, request->input_tokens) / kAuditBlockTokens;
    recorded_ += outcome.cached_tokens;
    const Prompt* from = wanted > 0 ? Choose(earlier, outcome) : nullptr;
    const uint32_t shared = from == nullptr ? 0 : std::min(static_cast<uint32_t>(wanted), from->count);
    rebuilt_ += shared * kAuditBlockTokens;
    request->first_block = static_cast<uint32_t>(trace_.blocks.size());
    request->block_count = static_cast<uint32_t>(request->input_tokens / kAuditBlockTokens);
    for (uint32_t i = 0; i < request->block_count; ++i) {
      trace_.blocks.push_back(i < shared ? trace_.blocks[from->first + i] : next_++);
    }
    earlier.push_back({request->first_block, request->block_count, request->input_tokens, request->output_tokens,
                       outcome.content});
    if (earlier.size() > kCandidatesMax) earlier.pop_front();
  }
  int64_t recorded() const { return recorded_; }
  int64_t rebuilt() const { return rebuilt_; }

 private:
  struct Prompt {
    uint32_t first, count;
    int64_t tokens, answered;
    uint64_t content;
  };
  static const Prompt* Choose(const std::deque<Prompt>& earlier, const AuditOutcome& outcome) {
    const Prompt *turn = nullptr, *longer = nullptr, *longest = nullptr;
    for (auto prompt = earlier.rbegin(); prompt != earlier.rend(); ++prompt) {
      if (outcome.content != 0 && prompt->content == outcome.content) return &*prompt;
      const int64_t after = prompt->tokens + prompt->answered;  // where the next turn's new text begins
      const int64_t cached = outcome.cached_tokens;
      const bool continues = cached > prompt->tokens - kAuditBlockTokens && cached <= after + kTurnSlack;
      if (turn == nullptr && continues) turn = &*prompt;
      if (longer == nullptr && prompt->tokens >= cached) longer = &*prompt;
      if (longest == nullptr || prompt->tokens > longest->tokens) longest = &*prompt;
    }
    return turn != nullptr ? turn : longer != nullptr ? longer : longest;
  }

  Trace& trace_;
  std::map<std::pair<uint32_t, bool>, std::deque<Prompt>> earlier_;  // by client and side, by arrival
  uint32_t next_ = 0;
  int64_t recorded_ = 0, rebuilt_ = 0;
};

// What is left out, by how it ended.
void NoteLeftOut(const AuditLog& log, Trace* trace) {
  std::map<std::string, int64_t> statuses;
  int64_t all = 0, absurd = 0;
  for (const AuditOutcome& outcome : log.outcomes) {
    if (!outcome.HasUsage()) {
      ++all;
      ++statuses[outcome.status];
    }
    absurd += IsAbsurd(outcome);
  }
  if (all > 0) {
    const std::string by = absl::StrJoin(statuses, ", ", [](std::string* out, const auto& status) {
      absl::StrAppend(out, status.second, " ", status.first);
    });
    trace->notes.push_back(absl::StrCat(all, " outcomes without a usage are left out (", by,
                                        "; OK: from the cache, or calls that generate nothing): what they would have "
                                        "needed is not recorded"));
  }
  if (absurd > 0) {
    trace->notes.push_back(absl::StrCat(absurd, " outcomes with absurd usage are left out: above ", kInputTokensMax,
                                        " prompt or ", kOutputTokensMax, " answer tokens"));
  }
}

// What happened and is not replayed.
void NoteAttempts(const AuditLog& log, Trace* trace) {
  int64_t repeated = 0, beyond = 0, moved = 0, hedged = 0, lost_money = 0, money = 0, cloud = 0, answers = 0;
  std::map<std::string, int64_t> currencies;
  for (const AuditOutcome& outcome : log.outcomes) {
    const int64_t own = outcome.target == "cloud" ? 1 : 0;
    if (outcome.cloud_attempts > own) {
      ++repeated;
      beyond += outcome.cloud_attempts - own;
      moved += own == 0 && outcome.HasUsage();
    }
    hedged += outcome.hedged;
    answers += outcome.HasUsage();
    cloud += own == 1 && outcome.HasUsage();
    if (!outcome.priced) continue;
    ++currencies[outcome.currency];
    (own == 1 ? money : lost_money) += outcome.cost_micro_units;
  }
  const std::string currency = currencies.size() == 1 ? currencies.begin()->first : "several currencies";
  if (!currencies.empty()) {
    trace->notes.push_back(absl::StrFormat("the log itself: %d of %d answers from the cloud, booked at %.6f %s", cloud,
                                           answers, static_cast<double>(money + lost_money) / 1e6, currency));
  }
  if (repeated == 0) return;
  trace->notes.push_back(absl::StrFormat(
      "%d requests made %d attempts at the cloud beyond their answer's own (%d went local after all, %d were hedged; "
      "booked for those answered elsewhere: %.6f). Retries and hedges are not replayed: a replay is cheaper by them",
      repeated, beyond, moved, hedged, static_cast<double>(lost_money) / 1e6));
}

void NoteGaps(Trace* trace) {
  double last = 0, longest = 0, at = 0;
  int gaps = 0;
  for (const TraceRequest& request : trace->requests) {
    const double gap = request.arrival_s - last;
    gaps += gap > kGapNote;
    if (gap > longest) longest = gap, at = last;
    last = request.arrival_s;
  }
  if (gaps == 0) return;
  trace->notes.push_back(absl::StrFormat(
      "%d gaps of more than an hour; the longest begins at %s and takes %.0f s", gaps,
      absl::FormatTime(absl::RFC3339_sec, trace->start + absl::Seconds(at), absl::UTCTimeZone()), longest));
}

}  // namespace

absl::StatusOr<Trace> ReadAuditTrace(const std::string& path) {
  const auto log = ReadAuditLog(path);
  if (!log.ok()) return log.status();
  Outcomes outcomes;
  for (const AuditOutcome& outcome : log->outcomes) {
    if (outcome.HasUsage() && !IsAbsurd(outcome)) outcomes.push_back(&outcome);
  }
  if (outcomes.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": no answered request in the log"));
  std::stable_sort(outcomes.begin(), outcomes.end(),
                   [](const auto* a, const auto* b) { return ArrivalOf(*a) < ArrivalOf(*b); });
  Trace trace;
  trace.name = "audit";
  trace.start = ArrivalOf(*outcomes.front());
  trace.block_tokens = kAuditBlockTokens;
  trace.notes = log->notes;
  const double span = absl::ToDoubleSeconds(ArrivalOf(*outcomes.back()) - trace.start);
  if (span > kTraceSpanMax) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: time: the requests span %.0f days: a clock was wrong", path,
                                                      span / 86400));
  }
  std::map<std::string, uint32_t> clients;
  Prefixes prefixes(&trace);
  for (const AuditOutcome* outcome : outcomes) {
    const auto [found, is_new] = clients.emplace(outcome->tenant, static_cast<uint32_t>(trace.clients.size()));
    if (is_new) trace.clients.push_back(outcome->tenant);
    TraceRequest request;
    request.arrival_s = absl::ToDoubleSeconds(ArrivalOf(*outcome) - trace.start);
    request.input_tokens = static_cast<int32_t>(outcome->prompt_tokens);
    request.output_tokens = static_cast<int32_t>(outcome->completion_tokens);
    request.client = found->second;
    request.sensitivity = outcome->sensitive ? TraceRequest::Class::kSensitive : TraceRequest::Class::kOrdinary;
    prefixes.Add(*outcome, &request);
    trace.requests.push_back(request);
    const bool timed = outcome->first_token > absl::ZeroDuration();
    trace.measured.push_back({timed ? static_cast<float>(absl::ToDoubleSeconds(outcome->first_token)) : -1,
                              outcome->target == "cloud"});
  }
  NoteGaps(&trace);
  NoteLeftOut(*log, &trace);
  NoteAttempts(*log, &trace);
  trace.notes.push_back(absl::StrFormat(
      "the log records %d cached prompt tokens; prefixes in blocks of %d are rebuilt for %d of them, from earlier "
      "prompts of the same tenant on the same side. Which prompts begin alike on different sides is not recorded",
      prefixes.recorded(), kAuditBlockTokens, prefixes.rebuilt()));
  return trace;
}

}  // namespace headgate::planner
