// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace headgate::engine {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, std::string());
}

size_t StopMatcher::CompleteAt(size_t end) const {
  size_t longest = 0;
  for (const auto& stop : stops_) {
    if (stop.size() <= end && stop.size() > longest && pending_.compare(end - stop.size(), stop.size(), stop) == 0) {
      longest = stop.size();
    }
  }
  return longest;
}

size_t StopMatcher::HeldBack() const {
  size_t longest = 0;
  for (const auto& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, pending_.size()); n > longest; --n) {
      if (pending_.compare(pending_.size() - n, n, stop, 0, n) == 0) longest = n;
    }
  }
  return longest;
}

std::string StopMatcher::Add(std::string_view text) {
  if (stopped_) return "";
  size_t end = pending_.size();
  pending_.append(text);
  for (++end; end <= pending_.size() && !stops_.empty(); ++end) {
    const size_t length = CompleteAt(end);
    if (length == 0) continue;
    stopped_ = true;
    pending_.resize(end - length);
    return std::exchange(pending_, "");
  }
  const size_t certain = pending_.size() - HeldBack();
  std::string out = pending_.substr(0, certain);
  pending_.erase(0, certain);
  return out;
}

std::string StopMatcher::Flush() { return std::exchange(pending_, ""); }

}  // namespace headgate::engine
