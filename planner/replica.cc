// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/replica.h"

#include <algorithm>

#include "planner/trace.h"

namespace headgate::planner {
namespace {

constexpr double kTokenSlack = 1e-6;  // tokens; what rounding leaves over

}  // namespace

PrefixCache::PrefixCache(int64_t tokens_max) : blocks_max_(static_cast<size_t>(tokens_max / kBlockTokens)) {}

int64_t PrefixCache::Match(const uint32_t* blocks, uint32_t count) const {
  uint32_t match = 0;
  while (match < count && where_.contains(blocks[match])) ++match;
  return match;
}

void PrefixCache::Insert(const uint32_t* blocks, uint32_t count) {
  if (blocks_max_ == 0) return;
  // From the back, so that a prompt's first blocks are its most recent ones: they are no use without each other.
  for (uint32_t i = count; i-- > 0;) {
    const auto found = where_.find(blocks[i]);
    if (found != where_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      continue;
    }
    order_.push_front(blocks[i]);
    where_[blocks[i]] = order_.begin();
    if (where_.size() > blocks_max_) {
      where_.erase(order_.back());
      order_.pop_back();
    }
  }
}

Replica::Replica(const ReplicaModel& model, double available_at)
    : model_(model), available_at_(available_at), prefixes_(model.prefix_cache_tokens) {}

std::deque<Job>* Replica::Head() {
  if (static_cast<int64_t>(decoding_.size()) >= model_.running_max) return nullptr;  // no place for another answer
  if (!urgent_.empty()) return &urgent_;
  return ordinary_.empty() ? nullptr : &ordinary_;
}

Replica::Rates Replica::Now() const {
  Rates rates;
  const double answers = static_cast<double>(decoding_.size());
  const bool prompt = Head() != nullptr;
  const double wanted = std::min(1.0, answers * model_.stream_tokens_per_second / model_.decode_tokens_per_second);
  rates.decode_share = prompt ? std::min(wanted, 1 - model_.prefill_share_min) : wanted;
  rates.prefill_share = prompt ? 1 - rates.decode_share : 0;
  if (answers > 0) rates.per_answer = rates.decode_share * model_.decode_tokens_per_second / answers;
  return rates;
}

void Replica::Add(const Job& job) {
  (job.sensitive ? urgent_ : ordinary_).push_back(job);
  (job.sensitive ? urgent_tokens_ : ordinary_tokens_) += job.prompt_left;
}

double Replica::NextEvent() const {
  const Rates rates = Now();
  const double from = std::max(now_, available_at_);
  double next = kNever;
  if (const auto* queue = Head()) {
    next = from + std::max(0.0, queue->front().prompt_left) / (rates.prefill_share * model_.prefill_tokens_per_second);
  }
  if (!decoding_.empty()) {
    next = std::min(next, from + std::max(0.0, decoding_.top().first - served_) / rates.per_answer);
  }
  return next;
}

void Replica::DropLate(std::vector<ReplicaEvent>& events) {
  for (auto* queue : {&urgent_, &ordinary_}) {
    while (!queue->empty() && !queue->front().begun && now_ > queue->front().begin_by) {
      (queue == &urgent_ ? urgent_tokens_ : ordinary_tokens_) -= queue->front().prompt_left;
      events.push_back({ReplicaEvent::Kind::kDropped, queue->front().id, now_});
      queue->pop_front();
    }
  }
}

void Replica::Advance(double now, std::vector<ReplicaEvent>& events) {
  const Rates rates = Now();
  const double passed = std::max(0.0, now - std::max(now_, available_at_));
  now_ = std::max(now_, now);
  work_done_ += passed * (rates.prefill_share + rates.decode_share);
  served_ += passed * rates.per_answer;
  if (auto* queue = Head()) {
    Job& job = queue->front();
    const double done = std::min(job.prompt_left, passed * rates.prefill_share * model_.prefill_tokens_per_second);
    job.prompt_left -= done;
    if (done > 0) job.begun = true;
    double& waiting = queue == &urgent_ ? urgent_tokens_ : ordinary_tokens_;
    waiting = std::max(0.0, waiting - done);
    if (job.prompt_left <= kTokenSlack) {
      const Job ready = job;
      queue->pop_front();
      events.push_back({ReplicaEvent::Kind::kFirstToken, ready.id, now_});
      output_mean_ += (ready.output - output_mean_) / 50;
      // The first token came with the prompt.
      if (ready.output <= 1) events.push_back({ReplicaEvent::Kind::kEnd, ready.id, now_});
      else decoding_.emplace(served_ + ready.output - 1, ready.id);
    }
  }
  while (!decoding_.empty() && decoding_.top().first - served_ <= kTokenSlack) {
    events.push_back({ReplicaEvent::Kind::kEnd, decoding_.top().second, now_});
    decoding_.pop();
  }
  if (decoding_.empty()) served_ = 0;  // keeps the sums small
  DropLate(events);
}

double Replica::PredictFirstToken(double prompt_tokens, bool sensitive) const {
  const double answers = static_cast<double>(decoding_.size());
  const double ahead = urgent_tokens_ + (sensitive ? 0 : ordinary_tokens_);
  const double jobs_ahead = static_cast<double>(urgent_.size() + (sensitive ? 0 : ordinary_.size()));
  // Those ahead will be decoding by then.
  const double decode_share =
      std::min(1 - model_.prefill_share_min,
               (answers + jobs_ahead) * model_.stream_tokens_per_second / model_.decode_tokens_per_second);
  double wait = (ahead + prompt_tokens) / ((1 - decode_share) * model_.prefill_tokens_per_second);
  const double places_short = answers + jobs_ahead + 1 - static_cast<double>(model_.running_max);
  if (places_short > 0) {
    // A place comes free at the rate at which answers end.
    wait = std::max(wait, places_short * output_mean_ / model_.decode_tokens_per_second);
  }
  return wait;
}

}  // namespace headgate::planner
