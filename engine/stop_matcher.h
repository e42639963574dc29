// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// StopMatcher: finds stop strings in a text that arrives in pieces, and holds back what may still become one.
// The answer ends where any stop string is first complete; of those complete there, the one that began first is cut
// off. The outcome does not depend on how the text was cut into pieces.
//
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::engine {

class StopMatcher {
 public:
  // Empty stop strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  // Adds text and returns the part that is certain now. After `stopped` returns nothing.
  std::string Add(std::string_view text);
  // The end without a stop string: the held-back rest.
  std::string Flush();
  bool stopped() const { return stopped_; }

 private:
  size_t CompleteAt(size_t end) const;  // longest stop string that ends at `end` of pending_; 0 = none
  size_t HeldBack() const;              // longest proper prefix of a stop string at the end of pending_

  std::vector<std::string> stops_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace headgate::engine
