// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/prefix_affinity.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace headgate::router {
namespace {

// The finaliser of MurmurHash3.
uint64_t Finalised(uint64_t word) {
  word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdULL;
  word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return word ^ (word >> 33);
}

// The chain of a prompt's chunks: piece by piece, so that nothing is put together for it.
class Chain {
 public:
  Chain(uint64_t secret, std::string_view tenant) : secret_(Finalised(secret)), hash_(secret) { Mix(tenant); }

  // Two pieces are not one that reads the same.
  void Add(std::string_view piece) {
    while (!full()) {
      const std::string_view part = piece.substr(0, PrefixBytes(keys_.size() + 1) - bytes_);
      piece.remove_prefix(part.size());
      Mix(part);
      Count(part.size() + (piece.empty() ? 1 : 0));
      if (piece.empty()) return;
    }
  }
  bool full() const { return keys_.size() == kPrefixChunksMax; }
  PrefixKeys Keys() && { return std::move(keys_); }

 private:
  void Count(size_t bytes) {
    bytes_ += bytes;  // one too many at most
    if (bytes_ >= PrefixBytes(keys_.size() + 1)) keys_.push_back(Finalised(hash_));
  }
  void Mix(std::string_view bytes) {
    uint64_t words[2];
    Mix(bytes.size(), 0);
    for (; bytes.size() >= sizeof(words); bytes.remove_prefix(sizeof(words))) {
      std::memcpy(words, bytes.data(), sizeof(words));
      Mix(words[0], words[1]);
    }
    if (bytes.empty()) return;
    words[0] = words[1] = 0;
    std::memcpy(words, bytes.data(), bytes.size());
    Mix(words[0], words[1]);
  }
  // Both halves of the product: who does not know the secret cannot make a factor 0.
  void Mix(uint64_t first, uint64_t second) {
    const auto product = static_cast<unsigned __int128>(first ^ secret_) * (second ^ hash_);
    hash_ = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  const uint64_t secret_;
  uint64_t hash_;
  size_t bytes_ = 0;
  PrefixKeys keys_;
};

}  // namespace

// What a chat template renders first comes first.
PrefixKeys PrefixKeysOf(uint64_t secret, const std::string& tenant, const Prompt& prompt) {
  if (prompt.text_bytes() < kPrefixChunkBytes) return {};
  Chain chain(secret, tenant);
  const v1::GenerateRequest& content = prompt.content();
  for (const v1::Tool& tool : content.tools()) {
    chain.Add(tool.name());
    chain.Add(tool.description());
    chain.Add(tool.parameters_json());
  }
  for (const v1::Message& message : content.messages()) {
    if (chain.full()) break;
    const char role = static_cast<char>(message.role());
    chain.Add({&role, 1});
    chain.Add(message.content());
    for (const v1::ToolCall& call : message.tool_calls()) {
      chain.Add(call.name());
      chain.Add(call.arguments());
    }
  }
  chain.Add(content.prompt());
  return std::move(chain).Keys();
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
