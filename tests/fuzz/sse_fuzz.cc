// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SseReader on arbitrary bytes: it never crashes, and where the bytes are cut never matters. The first byte chooses the
// length of the pieces.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "router/upstream/cloud_wire.h"

namespace {

using headgate::router::SseReader;
using Events = std::vector<headgate::v1::GenerateStreamResponse>;

bool ReadAll(std::string_view bytes, size_t piece, Events& events) {
  SseReader reader;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
    if (!reader.Read(bytes.substr(0, piece), events).ok()) return false;
  const bool ok = reader.End(events).ok();
  // A clean end has exactly one finish, the last event.
  if (ok != reader.done() || (ok && (events.empty() || !events.back().has_finish()))) std::abort();
  return ok;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Events whole, pieces;
  const bool whole_ok = ReadAll(bytes, bytes.size() + 1, whole);
  const bool pieces_ok = ReadAll(bytes, size_t{1} + data[0], pieces);
  if (whole_ok != pieces_ok || whole.size() != pieces.size()) std::abort();
  for (size_t i = 0; i < whole.size(); ++i)
    if (whole[i].SerializeAsString() != pieces[i].SerializeAsString()) std::abort();
  return 0;
}
