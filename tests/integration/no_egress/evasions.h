// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Ways to write a value so that a reader still understands it and a pattern does not: those that the detectors promise
// to see through, alone and in pairs.
//
// Thread-safety: all functions from any thread; a generator belongs to one thread.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace headgate::router {

enum class Shape {
  kNumber,  // digits, the last one may be an X
  kSecret,  // letters, digits, - and _; case matters
  kWord,    // a keyword in Latin letters
  kEmail,
};

// Which part of screening undoes it; the harness takes each away to see that it is missed.
enum class Undone { kFolding, kJoining, kNumerals, kDecoding };

// Code points of well-formed UTF-8, and back.
std::u32string CodePointsOf(const std::string& value);
std::string Utf8Of(const std::u32string& characters);

struct Evasion {
  const char* name;
  Undone undone;
  std::string (*rewrite)(const std::string& value, std::mt19937& random);
  std::vector<Shape> shapes;
};
const std::vector<Evasion>& Evasions();
bool Fits(const Evasion& evasion, Shape shape);
// Whether `outer` can be applied to what `inner` made of a value: separators before folding before encodings, each
// part of screening once.
bool Fits(const Evasion& inner, const Evasion& outer);

}  // namespace headgate::router
