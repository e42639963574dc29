// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// conversation: once sensitive, it stays local. Remembers, as keyed digests only, which sessions and which turns belong
// to requests that had to stay in the cluster, and which answers belong to requests that did not. A later request is
// sensitive when
//   - its session, or its beginning (all messages up to some point), was part of a sensitive request;
//   - one of its assistant turns was the answer to a sensitive request;
//   - one of its assistant turns is not known at all: the memory is lost (restart, another router, eviction), or the
//     client wrote the turn itself. `unknown_history: classify` judges such a request by its text alone.
//
// An assistant turn is known by itself when it is long enough to be distinctive, and together with the message before
// it. The latter counts more: the same polite words may end a sensitive conversation and an everyday one.
//
// Bounded: half of `entries_max` for either kind of memory, the least recently seen go first. Forgetting makes a turn
// unknown, never clean.
//
// Thread-safety: executor thread only.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "headgate/v1/inference.pb.h"
#include "router/classification.h"
#include "router/config.h"
#include "router/prompt.h"

namespace headgate::router {

class Conversation {
 public:
  // `key`: secret for the digests.
  Conversation(const Clock& clock, const ConversationConfig& config, std::string key, Metrics& metrics);
  void Apply(const ConversationConfig& config);

  enum class Known { kNothing, kClean, kSensitive, kUnknown };  // kNothing: no session, no history
  // Raises `sensitivity` by what is remembered: a finding `CONVERSATION:sensitive` or `CONVERSATION:unknown`.
  Known Recall(const TenantConfig& tenant, const Prompt& prompt, Sensitivity& sensitivity);
  // The request is sensitive and stays: so will what follows it. Before anything is answered.
  void RememberSensitive(const TenantConfig& tenant, const Prompt& prompt, v1::SensitivityLevel level);
  // Adds a piece to the answer that RememberAnswer gets; of a very long one the end is left out, and the turn stays
  // unknown.
  static void Collect(const v1::Delta& delta, v1::Message& answer);
  // What the client got, also when it broke off. `sensitive`: of the request.
  void RememberAnswer(const TenantConfig& tenant, const Prompt& prompt, const v1::Message& answer, bool sensitive,
                      v1::SensitivityLevel level);

 private:
  struct Mark {
    std::string key;
    bool sensitive = false;
    v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
    MonotonicTime expires;
  };
  using Marks = std::list<Mark>;

  std::string Digest(std::string_view kind, const std::vector<std::string_view>& parts) const;
  std::string MessageDigest(const v1::Message& message) const;
  std::string SessionKey(const TenantConfig& tenant, const Prompt& prompt) const;
  // Under which an assistant turn is remembered: alone (empty when too short), and after `before`.
  // `digest`, `before`: MessageDigest of the turn, and of the message before it.
  std::string TurnKey(const TenantConfig& tenant, const v1::Message& turn, const std::string& digest) const;
  std::string PairKey(const TenantConfig& tenant, const std::string& before, const std::string& digest) const;
  // Null when not known (any more).
  const Mark* Find(const std::string& key);
  const Mark* FindTurn(const TenantConfig& tenant, const std::string& before, const v1::Message& turn,
                       const std::string& digest);
  void Put(const std::string& key, bool sensitive, v1::SensitivityLevel level);
  void Evict();

  const Clock& clock_;
  ConversationConfig config_;
  const std::string key_;
  Gauge& entries_gauge_;
  Marks clean_, sensitive_;  // most recently seen first
  absl::flat_hash_map<std::string, Marks::iterator> by_key_;
};

std::string_view Name(Conversation::Known known);

}  // namespace headgate::router
