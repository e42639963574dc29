// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// QuoteBook: predicts what an answer would cost, and how long its first token would take, on either side: the input
// of policy mode `cost`, of the wanted number of replicas and of the planner. It learns from answers: the length of
// answers and the share of cached prompt tokens per tenant and size of prompt, each cloud's first token (p90), and by
// how much local first tokens come later than was predicted (p95 by size of prompt: those who come later share the
// engine), and how much of what the cloud has read must be read again because a sensitive request continues it: that
// work is charged to whoever goes to the cloud first. Per tenant because averages over all would tell one tenant
// about another's traffic; bounded by the configuration.
//
// Thread-safety: executor thread only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "headgate/v1/inference.pb.h"
#include "router/accounting.h"
#include "router/config.h"
#include "router/policy.h"
#include "router/scaling.h"

namespace headgate::router {

// One request that wants a price.
struct Ask {
  double prompt_tokens = 0;
  double max_tokens = 0;                                 // 0 = not said
  double local_wait_seconds = 0;                         // until the best replica would begin its prompt
  std::optional<double> local_first_token_seconds = {};  // predicted there, where more than the wait is known
  std::optional<double> local_cached_tokens = {};        // known to be cached there; none = as before
  std::optional<double> cloud_cached_tokens = {};
  size_t cloud = 0;                                      // the one it would go to (cloud_choice.h)
};
struct Offer {
  std::optional<Quote> quote;          // none: the cloud's price is not known
  double work_seconds = 0;             // of one replica
  double local_predicted_seconds = 0;  // first token by the engine's load alone, for LocalFirstToken
  double cloud_micro_units_off_peak = 0;
  double only_cloud_knows_tokens = 0;  // of the prompt
  size_t cloud = 0;
};

class QuoteBook {
 public:
  QuoteBook(const Clock& clock, const RouterConfig& config);
  void Apply(const RouterConfig& config);

  Offer For(const std::string& tenant, const Ask& ask) const;
  // One arrival, for the wanted number and the opportunity price. `eligible`: it may go to the cloud.
  void Arrived(const std::string& tenant, bool eligible, const Offer& offer);
  // How many replicas are worth having when what is ordered now is up; asked for at most every ten seconds, nullopt in
  // between and without `scaling`. `replicas`: there or starting.
  std::optional<int64_t> Wanted(int64_t replicas);
  void Decided(const std::string& tenant, Quote::Side side);
  // A local first token: what Offer predicted and what came. Not for sensitive requests: places are kept for them, so
  // they say nothing about the wait of others.
  void LocalFirstToken(double prompt_tokens, double predicted_seconds, double seconds);
  // What an answer turned out to be; `first_token` since it was sent, infinite when not seen. `cloud`: which, if one.
  void Answered(const std::string& tenant, Quote::Side side, const v1::Usage& usage, absl::Duration first_token,
                size_t cloud = 0);

 private:
  static constexpr int kSizes = 8;  // of prompts: a factor of 4 each
  struct Learned {
    struct Size {
      double output_tokens = 0;
      double answers = 0;
    };
    std::array<Size, kSizes> sizes;
    double output_tokens = 0;
    double answers = 0;
    double cloud_cached_share = 0;
    double local_cached_share = 0;
    double read_on_cloud = 0, read_again = 0;  // prompt tokens
    Quote::Side last = Quote::Side::kNone;
  };
  struct Cloud {
    std::string model;
    double first_token_p90 = 1;  // seconds
    double asked = 0;            // micro-units at off-peak prices of what it may get, lately
  };
  // Prices at `when` relative to off-peak ones, over all clouds by what may go to each.
  double PriceLevel(absl::Time when) const;
  // Of the prompt tokens that the cloud reads, how many the engines will have to read too.
  static double AgainShare(const Learned* learned);
  double ExpectedOutput(const Learned* learned, const Ask& ask) const;

  const Clock& clock_;
  PolicyConfig policy_;
  ScalingConfig scaling_config_;
  AccountingConfig accounting_;
  Scaling scaling_;
  LocalPrice local_price_;
  MonotonicTime wanted_at_ = -absl::InfiniteDuration();
  absl::flat_hash_map<std::string, Learned> learned_;
  std::vector<Cloud> clouds_;  // by number
  std::array<double, kSizes> late_ratio_ = {1, 1, 1, 1, 1, 1, 1, 1};
};

}  // namespace headgate::router
