// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// PrefixAffinity: which engine has probably read the beginning of a prompt. An approximate radix tree: a prompt is its
// chain of chunk hashes, the table maps a chain's hash to the engines that were last sent it. It holds hashes only,
// mixed with a secret of the process and the tenant: engines share prefixes within a tenant only, and so does this.
//
// Thread-safety: executor thread only; PrefixKeysOf is pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/prompt.h"

namespace headgate::router {

inline constexpr size_t kPrefixChunkBytes = 256;  // of the first chunk
inline constexpr size_t kPrefixChunksMax = 128;
// Bytes of the first `count` chunks: they grow with the depth, 64 of 256 B, 32 of 1 KiB, 32 of 8 KiB. 0 .. 304 KiB.
constexpr size_t PrefixBytes(size_t count) {
  constexpr size_t kFine = 64, kMiddle = 96;
  const size_t fine = std::min(count, kFine);
  const size_t middle = std::min(count, kMiddle) - fine;
  return kPrefixChunkBytes * (fine + 4 * middle + 32 * (std::min(count, kPrefixChunksMax) - fine - middle));
}

// Key i stands for the first i + 1 whole chunks of the prompt. At most kPrefixChunksMax.
using PrefixKeys = std::vector<uint64_t>;
PrefixKeys PrefixKeysOf(uint64_t secret, const std::string& tenant, const Prompt& prompt);

class PrefixAffinity {
 public:
  explicit PrefixAffinity(size_t entries_max) : entries_max_(entries_max) {}

  struct Match {
    uint64_t endpoint = 0;
    double bytes = 0;  // of the prompt's beginning, probably read there
  };
  static constexpr size_t kMatchesMax = 2;
  // The engines with the longest known beginnings, at most kMatchesMax; longest first.
  std::vector<Match> Find(const PrefixKeys& keys) const;
  void Remember(const PrefixKeys& keys, uint64_t endpoint);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint64_t key;
    std::array<uint64_t, kMatchesMax> endpoints;  // the latest first; 0 = none
  };
  const size_t entries_max_;
  std::list<Entry> recent_;  // the most recent first
  absl::flat_hash_map<uint64_t, std::list<Entry>::iterator> entries_;
};

}  // namespace headgate::router
