// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/prefix_affinity.h"

#include <algorithm>
#include <cstring>

namespace headgate::router {
namespace {

constexpr size_t kBytesMax = PrefixBytes(kPrefixChunksMax);

// Two rounds of a multiply-xorshift mixer (constants of MurmurHash3's 64-bit finaliser).
uint64_t Mix(uint64_t hash, uint64_t word) {
  hash ^= word;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> 33);
}

uint64_t MixBytes(uint64_t hash, std::string_view bytes) {
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    hash = Mix(hash, word);
  }
  uint64_t rest = bytes.size() << 56;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  return Mix(hash, rest);
}

// What a chat template renders first comes first.
std::string Beginning(const v1::GenerateRequest& content) {
  std::string text;
  const auto add = [&text](std::string_view piece) {
    if (text.size() < kBytesMax) text.append(piece.substr(0, kBytesMax - text.size())).push_back('\0');
  };
  for (const v1::Tool& tool : content.tools()) add(tool.name()), add(tool.description()), add(tool.parameters_json());
  for (const v1::Message& message : content.messages()) {
    text.push_back(static_cast<char>(message.role()));
    add(message.content());
    for (const v1::ToolCall& call : message.tool_calls()) add(call.name()), add(call.arguments());
  }
  add(content.prompt());
  return text;
}

}  // namespace

PrefixKeys PrefixKeysOf(uint64_t secret, const std::string& tenant, const Prompt& prompt) {
  PrefixKeys keys;
  if (prompt.text_bytes() < kPrefixChunkBytes) return keys;
  const std::string text = Beginning(prompt.content());
  uint64_t hash = MixBytes(secret, tenant);
  for (size_t at = 0; keys.size() < kPrefixChunksMax;) {
    const size_t end = PrefixBytes(keys.size() + 1);
    if (end > text.size()) break;
    hash = MixBytes(hash, std::string_view(text).substr(at, end - at));
    keys.push_back(hash);
    at = end;
  }
  return keys;
}

std::vector<PrefixAffinity::Match> PrefixAffinity::Find(const PrefixKeys& keys) const {
  std::vector<Match> matches;
  for (size_t i = keys.size(); i > 0 && matches.size() < kMatchesMax; --i) {
    const auto found = entries_.find(keys[i - 1]);
    if (found == entries_.end()) continue;
    for (const uint64_t endpoint : found->second->endpoints) {
      const bool known = std::any_of(matches.begin(), matches.end(),
                                     [endpoint](const Match& match) { return match.endpoint == endpoint; });
      if (endpoint != 0 && !known && matches.size() < kMatchesMax) {
        matches.push_back({endpoint, static_cast<double>(PrefixBytes(i))});
      }
    }
  }
  return matches;
}

void PrefixAffinity::Remember(const PrefixKeys& keys, uint64_t endpoint) {
  for (const uint64_t key : keys) {
    if (const auto found = entries_.find(key); found != entries_.end()) {
      auto& endpoints = found->second->endpoints;
      if (endpoints[0] != endpoint) endpoints = {endpoint, endpoints[0]};
      recent_.splice(recent_.begin(), recent_, found->second);
      continue;
    }
    if (entries_.size() >= entries_max_) {
      entries_.erase(recent_.back().key);
      recent_.pop_back();
    }
    recent_.push_front({key, {endpoint, 0}});
    entries_[key] = recent_.begin();
  }
}

}  // namespace headgate::router
