// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/gbnf_literals.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <vector>

namespace headgate::engine {
namespace {

// Characters of a literal, escapes whole.
using Units = std::vector<std::string_view>;

size_t UnitSize(std::string_view text) {
  if (text[0] == '\\' && text.size() > 1) {
    const size_t digits = text[1] == 'x' ? 2 : text[1] == 'u' ? 4 : text[1] == 'U' ? 8 : 0;
    return std::min(text.size(), 2 + digits);
  }
  size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;  // UTF-8
  return size;
}

size_t SkipBlanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

// From the opening sign at `at` to behind the closing one; text.size() when there is none.
size_t SkipQuoted(std::string_view text, size_t at) {
  const char end = text[at] == '[' ? ']' : '"';
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == end) {
      return at + 1;
    }
  }
  return text.size();
}

// The literals of the group that opens at `at`, which is moved behind it; empty when it holds anything else.
std::vector<Units> ReadLiterals(std::string_view text, size_t& at) {
  std::vector<Units> literals;
  size_t next = SkipBlanks(text, at + 1);
  while (next < text.size() && text[next] == '"') {
    const size_t end = SkipQuoted(text, next);
    if (end == text.size()) return {};
    Units units;
    for (size_t i = next + 1; i < end - 1; i += units.back().size()) {
      units.push_back(text.substr(i, UnitSize(text.substr(i, end - 1 - i))));
    }
    literals.push_back(std::move(units));
    next = SkipBlanks(text, end);
    if (next == text.size()) return {};
    if (text[next] == ')') {
      at = next + 1;
      return literals;
    }
    if (text[next] != '|') return {};
    next = SkipBlanks(text, next + 1);
  }
  return {};
}

// Of sorted literals [first, last) that agree in the first `from` units, from there on.
void Write(const std::vector<Units>& literals, size_t first, size_t last, size_t from, std::string& out) {
  size_t common = from;
  const Units& low = literals[first];
  const Units& high = literals[last - 1];
  while (common < low.size() && common < high.size() && low[common] == high[common]) ++common;
  if (common > from || last - first == 1) {
    out += '"';
    for (size_t i = from; i < (last - first == 1 ? low.size() : common); ++i) out += low[i];
    out += '"';
    if (last - first == 1) return;
    out += ' ';
  }
  const bool ends = low.size() == common;  // sorted: the one that ends here comes first
  if (ends) ++first;
  out += '(';
  for (size_t begin = first; begin < last;) {
    size_t end = begin + 1;
    while (end < last && literals[end][common] == literals[begin][common]) ++end;
    if (begin > first) out += " | ";
    Write(literals, begin, end, common, out);
    begin = end;
  }
  out += ends ? ")?" : ")";
}

}  // namespace

std::string FactorLiterals(std::string_view gbnf) {
  std::string out;
  for (size_t at = 0; at < gbnf.size();) {
    size_t end = at + 1;
    if (gbnf[at] == '"' || gbnf[at] == '[') {
      end = SkipQuoted(gbnf, at);
    } else if (gbnf[at] == '#') {
      end = std::min(gbnf.find('\n', at), gbnf.size());
    } else if (gbnf[at] == '(') {
      size_t behind = at;
      auto literals = ReadLiterals(gbnf, behind);
      if (literals.size() >= static_cast<size_t>(kLiteralsMin)) {
        std::sort(literals.begin(), literals.end());
        literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
        out += '(';
        Write(literals, 0, literals.size(), 0, out);
        out += ')';
        at = behind;
        continue;
      }
    }
    out += gbnf.substr(at, end - at);
    at = end;
  }
  return out;
}

}  // namespace headgate::engine
