// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Made-up identifiers with a check digit, a fixed form or a fixed prefix, and the ways to write them so that a reader
// still understands them and a pattern does not.
//
// Thread-safety: all functions from any thread; a generator belongs to one thread.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace headgate::router {

struct Evasion {
  enum class Form {
    kDigits,    // writes digits in other characters; the rest stays
    kInside,    // puts something that a reader does not see, or sees as a gap, between characters
    kFrame,     // puts something around it
    kEncoding,  // writes bytes in ASCII
  };
  const char* name;
  Form form;
  std::function<std::string(const std::string& value)> write;
};
const std::vector<Evasion>& AllEvasions();
// The digits, separators, frames and encodings that people use as well: what has a check digit or a prefix of its own
// is found under any two of them.
bool IsPlainEvasion(const Evasion& evasion);
const Evasion& EvasionNamed(std::string_view name);

struct Identifier {
  const char* name;
  const char* before;  // words that go with it
  const char* after;
  std::function<std::string(std::mt19937& random)> make;
  bool code = false;  // its letters, case and signs count: no numerals, no separators of its own in other places
};
// A check digit, a prefix of its own, or a form that little else has.
bool IsChecked(const Identifier& identifier);
const std::vector<Identifier>& AllIdentifiers();
// More of those with a check digit or a prefix of their own (checked_samples.cc).
const std::vector<Identifier>& MoreCheckedIdentifiers();

// Whether a reader can still tell what the value is.
bool Fits(const Identifier& identifier, const Evasion& evasion);
// Whether `second` can be applied to what `first` made.
bool Fits(const Evasion& first, const Evasion& second);

}  // namespace headgate::router
