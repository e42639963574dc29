// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/pattern_database.h"

#include <hs/hs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace headgate::router {
namespace {

struct CompileErrorFree {
  void operator()(hs_compile_error_t* error) const { hs_free_compile_error(error); }
};

// Scratch grows to fit every database this thread has used, and fits them from then on. Asking again costs a check of
// the whole database (0.1 ms), so the databases it was made to fit are remembered: the last few, as a reload makes new
// ones.
struct ThreadScratch {
  static constexpr size_t kKnownMax = 16;
  hs_scratch_t* scratch = nullptr;
  std::array<uint64_t, kKnownMax> known{};  // 0: none
  size_t next = 0;
  ThreadScratch() = default;
  ThreadScratch(const ThreadScratch&) = delete;
  ~ThreadScratch() { hs_free_scratch(scratch); }
  bool Fits(uint64_t id) const { return std::find(known.begin(), known.end(), id) != known.end(); }
  void Know(uint64_t id) { known[next++ % kKnownMax] = id; }
};
thread_local ThreadScratch thread_scratch;

absl::StatusOr<uint32_t> FixedLength(const PatternDatabase::Pattern& pattern, unsigned flags) {
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t result = hs_expression_info(pattern.expression.c_str(), flags, &info, &error);
  const std::unique_ptr<hs_compile_error_t, CompileErrorFree> error_owner(error);
  const std::unique_ptr<hs_expr_info_t, decltype(&std::free)> info_owner(info, &std::free);
  if (result != HS_SUCCESS || info == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("pattern `", pattern.expression, "`: ", error != nullptr ? error->message : "does not compile"));
  }
  if (info->min_width == 0 || info->min_width != info->max_width) {
    return absl::InvalidArgumentError(
        absl::StrCat("pattern `", pattern.expression, "`: must match a fixed number of bytes"));
  }
  return info->min_width;
}

struct Matching {
  const std::vector<uint32_t>& lengths;
  absl::FunctionRef<void(size_t, size_t, size_t)> on_match;
  bool threw = false;
};

// Called by Vectorscan: an exception must not pass through its C frames.
int OnMatch(unsigned id, unsigned long long, unsigned long long end, unsigned, void* context) noexcept {  // NOLINT
  auto* matching = static_cast<Matching*>(context);
  try {
    matching->on_match(id, static_cast<size_t>(end) - matching->lengths[id], static_cast<size_t>(end));
    return 0;
  } catch (...) {
    matching->threw = true;  // becomes UNAVAILABLE in Scan
    return 1;
  }
}

}  // namespace

void PatternDatabase::Free::operator()(hs_database* database) const { hs_free_database(database); }

PatternDatabase::PatternDatabase(std::unique_ptr<hs_database, Free> database, std::vector<uint32_t> lengths)
    : database_(std::move(database)), lengths_(std::move(lengths)) {
  static std::atomic<uint64_t> last_id{0};
  id_ = ++last_id;
}

absl::StatusOr<PatternDatabase> PatternDatabase::Compile(const std::vector<Pattern>& patterns) {
  if (hs_valid_platform() != HS_SUCCESS) return absl::UnavailableError("this processor cannot run Vectorscan");
  std::vector<const char*> expressions;
  std::vector<unsigned> flags, ids;
  std::vector<uint32_t> lengths;
  for (const Pattern& pattern : patterns) {
    const unsigned pattern_flags = pattern.caseless ? HS_FLAG_CASELESS : 0;
    const absl::StatusOr<uint32_t> length = FixedLength(pattern, pattern_flags);
    if (!length.ok()) return length.status();
    lengths.push_back(*length);
    ids.push_back(static_cast<unsigned>(ids.size()));
    expressions.push_back(pattern.expression.c_str());
    flags.push_back(pattern_flags);
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t result =
      hs_compile_multi(expressions.data(), flags.data(), ids.data(), static_cast<unsigned>(ids.size()), HS_MODE_BLOCK,
                       nullptr, &database, &error);
  const std::unique_ptr<hs_compile_error_t, CompileErrorFree> error_owner(error);
  if (result != HS_SUCCESS) {
    const bool known =
        error != nullptr && error->expression >= 0 && error->expression < static_cast<int>(patterns.size());
    return absl::InvalidArgumentError(absl::StrCat("pattern `", known ? patterns[error->expression].expression : "",
                                                   "`: ", error != nullptr ? error->message : "does not compile"));
  }
  return PatternDatabase(std::unique_ptr<hs_database, Free>(database), std::move(lengths));
}

absl::Status PatternDatabase::Scan(std::string_view text,
                                   absl::FunctionRef<void(size_t, size_t, size_t)> on_match) const {
  if (text.empty()) return absl::OkStatus();
  if (text.size() > std::numeric_limits<unsigned>::max()) return absl::UnavailableError("the text is too long to scan");
  if (!thread_scratch.Fits(id_)) {
    if (hs_alloc_scratch(database_.get(), &thread_scratch.scratch) != HS_SUCCESS) {
      thread_scratch.known.fill(0);  // what is left of it is not known
      return absl::UnavailableError("no scratch space for the scan");
    }
    thread_scratch.Know(id_);
  }
  Matching matching{lengths_, on_match};
  const hs_error_t result = hs_scan(database_.get(), text.data(), static_cast<unsigned>(text.size()), 0,
                                    thread_scratch.scratch, OnMatch, &matching);
  if (result != HS_SUCCESS || matching.threw) return absl::UnavailableError(absl::StrCat("the scan failed: ", result));
  return absl::OkStatus();
}

}  // namespace headgate::router
