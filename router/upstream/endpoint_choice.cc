// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace headgate::router {
namespace {

// An engine may have this many batches waiting before it counts as full.
constexpr double kWaitingBatchesMax = 1;
constexpr size_t kCandidatesMax = 16;
constexpr size_t kAffinityEntriesMax = 1 << 16;
constexpr size_t kKnownMax = 1 << 14;
// Scores as close as this are equal: reports are a tenth of a second old.
constexpr double kNearSeconds = 0.05;
constexpr double kNearShare = 0.1;
// Seconds that a first token may come later for a second of prompt that need not be computed again.
constexpr double kAgainWeight = 2;
// Sums over small fleets are made anew for every request; over large ones they may be this old.
constexpr size_t kSmallFleet = 64;
constexpr absl::Duration kTotalsAgeMax = absl::Milliseconds(10);
// For how long an engine may show no work: its rate may be half of what it said, and nobody may know it.
constexpr double kStallFactor = 3;
constexpr double kPrefillRateUnknown = 500;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Reports lag behind a burst, own counting does not see other routers: the larger one counts.
double Occupancy(const Endpoint& endpoint) {
  const int64_t reported =
      endpoint.load.running() + endpoint.load.waiting() + endpoint.started_since_load - endpoint.ended_since_load;
  return static_cast<double>(std::max(reported, endpoint.in_flight));
}

bool Reachable(const Endpoint& endpoint) { return !endpoint.gone && !endpoint.load.draining(); }

bool Serves(const Endpoint& endpoint, std::string_view model) {
  return model.empty() || endpoint.load.model() == model;
}

}  // namespace

EndpointChoice::EndpointChoice(const Clock& clock, RandomBytes random, const LocalConfig& config,
                               std::shared_ptr<const FleetCount> fleet)
    : clock_(clock), random_(std::move(random)), fleet_(std::move(fleet)), affinity_(kAffinityEntriesMax) {
  Apply(config);
}

void EndpointChoice::Apply(const LocalConfig& config) {
  reserved_share_ = config.reserved_share;
  load_age_max_ = config.load_age_max;
  stall_timeout_ = config.stall_timeout;
}

bool EndpointChoice::Fresh(const Endpoint& endpoint) const {
  return clock_.Monotonic() - endpoint.load_at <= load_age_max_;
}

const EndpointChoice::Totals& EndpointChoice::Sum(const Endpoints& endpoints) {
  const MonotonicTime now = clock_.Monotonic();
  if (endpoints.size() > kSmallFleet && now - totals_.at < kTotalsAgeMax) return totals_;
  totals_ = {.at = now};
  double rates = 0;
  const v1::Load* first = nullptr;
  for (const auto& endpoint : endpoints) {
    if (!Reachable(*endpoint) || !Fresh(*endpoint)) continue;
    const v1::Load& load = endpoint->load;
    if (first == nullptr) first = &load;
    totals_.several_models |= load.model() != first->model();
    ++totals_.reporting;
    totals_.ejected += now < endpoint->retry_at;
    totals_.sequences += load.running_max() > 0 ? load.running_max() : kInfinite;
    totals_.of_others += Occupancy(*endpoint) - static_cast<double>(endpoint->in_flight);
    totals_.prefill_rate += load.prefill_tokens_per_second();
    rates += load.prefill_tokens_per_second() > 0;
    const auto waiting = static_cast<double>(load.prompt_tokens_waiting());  // without a rate nothing has waited yet
    const double rate = load.prefill_tokens_per_second();
    totals_.wait_seconds = std::min(totals_.wait_seconds, rate > 0 ? waiting / rate : 0);
  }
  if (rates > 0) totals_.prefill_rate /= rates;
  return totals_;
}

std::string_view EndpointChoice::ModelNamed(const Endpoints& endpoints, std::string_view name) {
  if (name.empty() || !Sum(endpoints).several_models) return {};
  const bool served = std::any_of(endpoints.begin(), endpoints.end(), [&](const std::shared_ptr<Endpoint>& endpoint) {
    return Reachable(*endpoint) && endpoint->load.model() == name;
  });
  return served ? name : std::string_view();
}

bool EndpointChoice::OpenHasRoom(const Totals& totals) const {
  if (reserved_share_ <= 0 || !std::isfinite(totals.sequences)) return reserved_share_ < 1;
  double reserved = std::ceil(reserved_share_ * totals.sequences - 1e-9);
  if (reserved_share_ < 1) reserved = std::min(reserved, totals.sequences - 1);
  return static_cast<double>(fleet_->open_in_flight) + totals.of_others < totals.sequences - reserved;
}

bool EndpointChoice::HasRoom(const Totals& totals, const Endpoint& endpoint, bool sensitive) const {
  const v1::Load& load = endpoint.load;
  if (endpoint.full || (endpoint.stalls > 0 && endpoint.in_flight > 0)) return false;
  if (load.kv_cells_total() > 0) {
    const double kept = sensitive ? 0 : std::min(reserved_share_, 0.95) * static_cast<double>(load.kv_cells_total());
    if (static_cast<double>(load.kv_cells_free()) <= kept) return false;
  }
  if (!sensitive && !OpenHasRoom(totals)) return false;
  return load.running_max() <= 0 || Occupancy(endpoint) < load.running_max() * (1 + kWaitingBatchesMax);
}

bool EndpointChoice::Ready(const Endpoints& endpoints, const Endpoint& endpoint, bool sensitive) {
  return Reachable(endpoint) && clock_.Monotonic() >= endpoint.retry_at && Fresh(endpoint) &&
         HasRoom(Sum(endpoints), endpoint, sensitive);
}

double EndpointChoice::Rate(const Endpoint& endpoint) const {
  const double rate = endpoint.load.prefill_tokens_per_second();
  return rate > 0 ? rate : totals_.prefill_rate;
}

double EndpointChoice::PromptSeconds(const Endpoint& endpoint, double uncached_tokens) const {
  const double rate = Rate(endpoint);
  if (rate <= 0) return 0;
  return (static_cast<double>(endpoint.load.prompt_tokens_waiting()) + endpoint.prompt_tokens_since_load +
          uncached_tokens) /
         rate;
}

double EndpointChoice::FirstTokenSeconds(const Endpoint& endpoint, double prompt_tokens) const {
  // How full the batch is, as if a whole batch took a second, and the prompts that must be read first.
  const double max = std::max(1, endpoint.load.running_max());
  double wait = Occupancy(endpoint) / max;
  if (Occupancy(endpoint) >= max) wait += 1;  // a sequence must end first
  return wait + PromptSeconds(endpoint, prompt_tokens);
}

absl::Duration EndpointChoice::StallLimit(const Endpoint& endpoint, double prompt_tokens) const {
  const double before = endpoint.reports_work
                            ? 0
                            : static_cast<double>(endpoint.load.prompt_tokens_waiting()) +
                                  std::max(0.0, endpoint.prompt_tokens_since_load - prompt_tokens);
  const double rate = Rate(endpoint) > 0 ? Rate(endpoint) : kPrefillRateUnknown;
  return std::max(stall_timeout_, absl::Seconds(kStallFactor * (before + prompt_tokens) / rate));
}

double EndpointChoice::Uncached(const LocalAsk& ask, const std::vector<PrefixAffinity::Match>& matches,
                                uint64_t endpoint) {
  for (const PrefixAffinity::Match& match : matches) {
    // Four bytes a token, as everywhere. Some of it may have been evicted since.
    if (match.endpoint == endpoint) return std::max(0.0, ask.prompt_tokens - match.bytes / 4);
  }
  return ask.prompt_tokens;
}

double EndpointChoice::Score(const Endpoint& endpoint, double uncached_tokens) const {
  const double rate = Rate(endpoint);
  return FirstTokenSeconds(endpoint, uncached_tokens) + (rate > 0 ? kAgainWeight * uncached_tokens / rate : 0);
}

Outlook EndpointChoice::Look(const Endpoints& endpoints, const LocalAsk& ask) {
  const Totals& totals = Sum(endpoints);
  if (!ask.sensitive && !OpenHasRoom(totals)) return {};
  const std::string_view model = ModelNamed(endpoints, ask.model);
  const auto matches = affinity_.Find(ask.prefix);
  const MonotonicTime now = clock_.Monotonic();
  const Endpoint* best = nullptr;
  double best_score = kInfinite;
  const auto consider = [&](const Endpoint& endpoint) {
    if (!Reachable(endpoint) || now < endpoint.retry_at || !Fresh(endpoint)) return;
    if (!Serves(endpoint, model) || !HasRoom(totals, endpoint, ask.sensitive)) return;
    const double score = Score(endpoint, Uncached(ask, matches, endpoint.id));
    if (score < best_score) best = &endpoint, best_score = score;
  };
  if (endpoints.size() <= kSmallFleet) {
    for (const auto& endpoint : endpoints) consider(*endpoint);
  } else {
    for (const PrefixAffinity::Match& match : matches) {
      const auto found = known_.find(match.endpoint);
      if (const auto known = found == known_.end() ? nullptr : found->second.lock()) consider(*known);
    }
    const double anew = totals.prefill_rate > 0 ? ask.prompt_tokens / totals.prefill_rate : 0;
    if (totals.wait_seconds + (1 + kAgainWeight) * anew < best_score) return {totals.wait_seconds + anew, 0};
  }
  if (best == nullptr) return {};
  const double uncached = Uncached(ask, matches, best->id);
  return {PromptSeconds(*best, uncached), ask.prompt_tokens - uncached};
}

std::shared_ptr<Endpoint> EndpointChoice::Best(const Endpoints& candidates, const LocalAsk& ask) {
  const auto matches = affinity_.Find(ask.prefix);
  std::vector<double> scores;
  for (const auto& endpoint : candidates) scores.push_back(Score(*endpoint, Uncached(ask, matches, endpoint->id)));
  const double best = *std::min_element(scores.begin(), scores.end());
  std::vector<size_t> near;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] <= best * (1 + kNearShare) + kNearSeconds) near.push_back(i);
  }
  // Among equals, one that knows the beginning.
  const auto knows = [&](size_t i) {
    return std::any_of(matches.begin(), matches.end(),
                       [&](const PrefixAffinity::Match& match) { return match.endpoint == candidates[i]->id; });
  };
  if (std::any_of(near.begin(), near.end(), knows)) std::erase_if(near, [&](size_t i) { return !knows(i); });
  const auto at = static_cast<size_t>(RandomUnit(random_) * static_cast<double>(near.size()));
  return candidates[near[std::min(at, near.size() - 1)]];
}

double EndpointChoice::Remember(const LocalAsk& ask, const std::shared_ptr<Endpoint>& endpoint) {
  if (ask.prefix.empty()) return ask.prompt_tokens;
  const double uncached = Uncached(ask, affinity_.Find(ask.prefix), endpoint->id);
  affinity_.Remember(ask.prefix, endpoint->id);
  if (known_.size() >= kKnownMax) {
    absl::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  }
  if (known_.size() < kKnownMax) known_[endpoint->id] = endpoint;
  return uncached;
}

std::shared_ptr<Endpoint> EndpointChoice::Pick(const Endpoints& endpoints, const LocalAsk& ask,
                                               const std::vector<std::string>& exclude) {
  if (endpoints.empty()) return nullptr;
  const Totals& totals = Sum(endpoints);
  if (!ask.sensitive && !OpenHasRoom(totals)) return nullptr;
  const std::string_view model = ModelNamed(endpoints, ask.model);  // those that serve it may have gone since
  const MonotonicTime now = clock_.Monotonic();
  const bool panic = totals.reporting >= 2 && totals.ejected * 2 > totals.reporting;
  Endpoints ready, ejected, silent;
  const auto sort = [&](const std::shared_ptr<Endpoint>& endpoint) {
    if (!Reachable(*endpoint) || !Serves(*endpoint, model)) return;
    if (std::find(exclude.begin(), exclude.end(), endpoint->address) != exclude.end()) return;
    if (!Fresh(*endpoint)) {
      if (ask.sensitive && now >= endpoint->retry_at && silent.size() < kCandidatesMax) silent.push_back(endpoint);
    } else if (HasRoom(totals, *endpoint, ask.sensitive)) {
      Endpoints& group = now >= endpoint->retry_at ? ready : ejected;
      if (group.size() < kCandidatesMax) group.push_back(endpoint);
    }
  };
  const auto start = std::min(static_cast<size_t>(RandomUnit(random_) * static_cast<double>(endpoints.size())),
                              endpoints.size() - 1);
  for (size_t i = 0; i < endpoints.size() && ready.size() < kCandidatesMax; ++i) {
    sort(endpoints[(start + i) % endpoints.size()]);
  }
  if (endpoints.size() > kCandidatesMax && !ask.prefix.empty()) {
    for (const PrefixAffinity::Match& match : affinity_.Find(ask.prefix)) {
      const auto found = known_.find(match.endpoint);
      const auto known = found == known_.end() ? nullptr : found->second.lock();
      if (!known || std::find(ready.begin(), ready.end(), known) != ready.end()) continue;
      if (ready.size() == kCandidatesMax) ready.pop_back();
      sort(known);
    }
  }
  if (ready.empty() && panic) ready = std::move(ejected);
  if (ready.empty() && totals.reporting == 0) ready = std::move(silent);
  return ready.empty() ? nullptr : Best(ready, ask);
}

}  // namespace headgate::router
