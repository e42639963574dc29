// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/trace.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace headgate {
namespace {

constexpr size_t kBytes = 55;

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text) { return IsHex(text) && text.find_first_not_of('0') != text.npos; }

}  // namespace

std::string TraceContext::Header() const { return absl::StrCat("00-", trace_id, "-", parent_id, "-", flags); }

std::optional<TraceContext> ParseTraceparent(std::string_view header) {
  if (header.size() < kBytes || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  const std::string_view version = header.substr(0, 2);
  if (!IsHex(version) || version == "ff") return std::nullopt;
  if (version == "00" ? header.size() != kBytes : header.size() > kBytes && header[kBytes] != '-') return std::nullopt;
  const std::string_view trace = header.substr(3, 32), parent = header.substr(36, 16), flags = header.substr(53, 2);
  if (!IsId(trace) || !IsId(parent) || !IsHex(flags)) return std::nullopt;
  return TraceContext{std::string(trace), std::string(parent), std::string(flags)};
}

TraceContext ChildOf(const TraceContext& caller, const RandomBytes& random) {
  return {caller.trace_id, Hex(random(8)), caller.flags};
}

}  // namespace headgate
