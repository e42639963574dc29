// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One request on its way through Router::Path: what the stages have found so far. Private to the files of Router.
//
// Thread-safety: executor thread only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/router.h"

namespace headgate::router {

// Of a record of this request.
void AddDetail(const std::string& what, v1::AuditRecord& record);
void AddCharge(const Charge& charge, v1::AuditRecord& record);
void AddLost(const Attempts& attempts, v1::AuditRecord& record);

struct Router::Exchange {
  Exchange(const RequestHead& h, std::shared_ptr<const Rules> r) : head(h), rules(std::move(r)) {}

  const RequestHead& head;
  std::shared_ptr<const Rules> rules;  // the rules it started with, also after a reload
  std::string_view stage = "admission";
  std::optional<Ticket> ticket;
  std::vector<v1::Finding> attacks;  // what the input filter found
  bool filter_keeps_local = false;
  Sensitivity sensitivity;
  bool classified = false;
  // The same request with placeholders, found clean: what may leave in its place.
  struct Mask {
    Masked request;
    Sensitivity sensitivity;
  };
  std::optional<Mask> mask;
  size_t cloud = 0;  // the one that it would go to
  v1::Route route;
  Attempts attempts;
  v1::Usage usage;
  bool begun = false;  // an upstream's answer
  int64_t deltas = 0;  // content events of it: the estimate of tokens when the usage never came
  bool finished = false;
  std::vector<std::string> guard_flags;
  std::string input_digest;  // of the kept content
  v1::Message answer;        // what the client got
  std::string reasoning;     // with it
  MonotonicTime first_token = absl::InfiniteDuration();
  double local_predicted_s = 0;  // first token, when it was decided
  Cache::Flight flight;   // others may wait for this answer
  BudgetBook::Hold hold;  // the worst case of the cloud's attempt, until it is settled
  Attempts booked;        // what of `attempts` was lost and is booked
  Charge lost;            // the sum of that

  // What policy and dispatch are told about: the masked request when there is one.
  const Sensitivity& judged() const { return mask ? mask->sensitivity : sensitivity; }
  const Prompt& outgoing(const Prompt& prompt) const { return mask ? mask->request.prompt : prompt; }
  const CloudConfig& cloud_config() const { return CloudNumber(rules->config, cloud); }
  // It stays in the cluster for what it says.
  bool kept() const { return sensitivity.sensitive() && !mask; }
};

}  // namespace headgate::router
