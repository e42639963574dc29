// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// PatternDatabase: one compiled Vectorscan database in block mode, without start-of-match (it triples the cost): every
// pattern matches a fixed number of bytes, so that the caller knows where a match began.
//
// Thread-safety: Scan from any thread; one scratch per thread, shared by all databases.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct hs_database;

namespace headgate::router {

class PatternDatabase {
 public:
  struct Pattern {
    std::string expression;  // Vectorscan syntax over bytes; never \b; always matches the same number of bytes
    bool caseless = false;   // ASCII letters only
  };

  // INVALID_ARGUMENT names the pattern that does not compile or whose length varies.
  static absl::StatusOr<PatternDatabase> Compile(const std::vector<Pattern>& patterns);

  // Calls `on_match(index of the pattern, begin, end)` for every match, in the order of ends. UNAVAILABLE when the text
  // could not be scanned completely, also when `on_match` threw.
  absl::Status Scan(std::string_view text,
                    absl::FunctionRef<void(size_t pattern, size_t begin, size_t end)> on_match) const;

 private:
  struct Free {
    void operator()(hs_database* database) const;
  };
  PatternDatabase(std::unique_ptr<hs_database, Free> database, std::vector<uint32_t> lengths);

  std::unique_ptr<hs_database, Free> database_;
  std::vector<uint32_t> lengths_;
  uint64_t id_;  // never reused, unlike an address
};

}  // namespace headgate::router
