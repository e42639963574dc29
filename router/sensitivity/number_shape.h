// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// NumberShape: how a candidate number is written in the text: its groups, what separates them, what stands beside it.
// Tells a separated phone number from a table of figures, where any eleven digits in a row would do.
//
// Thread-safety: plain value, made on one thread.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "router/sensitivity/validators.h"

namespace headgate::router {

class NumberShape {
 public:
  // REQUIRES: `range` begins and ends with an alphanumeric byte of `text` and holds at most 19 of them.
  NumberShape(std::string_view text, TextRange range);

  // No digit touches it: neither end lies within a longer digit run.
  bool stands_alone() const { return stands_alone_; }
  bool separated() const { return group_count_ > 1; }
  int group_count() const { return group_count_; }
  // Characters of group i. REQUIRES: i < group_count().
  size_t group_size(size_t i) const { return groups_[i].end - groups_[i].begin; }
  // Nothing of the same list stands beside it: no digit follows or precedes over the separator that it uses inside.
  bool free_standing() const { return free_standing_; }
  // The sizes of its groups, such as `3-4-4`.
  std::string groups() const;
  // All groups of one size from `smallest` on, the last one at most as long.
  bool Uniform(int smallest) const;
  bool one_separator() const { return one_separator_; }
  bool has_comma() const { return has_comma_; }
  bool has_dot() const { return separator_.find('.') != std::string_view::npos; }
  // Four groups with dots, each below 256.
  bool LooksLikeIpv4() const;

 private:
  void LookInside();
  void LookBeside();

  static constexpr int kGroupsMax = 19;
  std::string_view text_;
  TextRange range_;
  std::array<TextRange, kGroupsMax> groups_;
  int group_count_ = 0;
  std::string_view separator_;  // the first one inside
  bool stands_alone_ = false;
  bool free_standing_ = false;
  bool one_separator_ = true;
  bool has_comma_ = false;
};

// `140,2395,2859, 55` is a piece of a list of figures.
bool IsListedByCommas(std::string_view text, TextRange range);

}  // namespace headgate::router
