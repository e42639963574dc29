// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Keywords: the configured word lists, found in canonical text in one pass. Words are canonicalised as the text is;
// ASCII case does not matter. A word that begins or ends with a Latin letter or digit must not be part of a longer one;
// Chinese words are found anywhere.
//
// Thread-safety: const methods from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "router/config.h"
#include "router/sensitivity/aho_corasick.h"

namespace headgate::router {

class Keywords {
 public:
  // INVALID_ARGUMENT names the list: no name, a name given twice, no level, or a word with nothing in it.
  static absl::StatusOr<Keywords> Make(const std::vector<KeywordListConfig>& lists);

  // Calls `on_match(index of the list, begin, end)` for every occurrence.
  void Scan(std::string_view text, absl::FunctionRef<void(size_t list, size_t begin, size_t end)> on_match) const;

 private:
  std::unique_ptr<const AhoCorasick> automaton_;  // null: no words
  // A word may stand in several lists: word i belongs to lists_of_[i].
  std::vector<std::vector<uint32_t>> lists_of_;
};

}  // namespace headgate::router
