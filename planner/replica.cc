// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/replica.h"

#include <algorithm>

namespace headgate::planner {
namespace {

constexpr double kTokenSlack = 1e-6;  // tokens; what rounding leaves over

}  // namespace

PrefixCache::PrefixCache(int64_t tokens_max, int64_t block_tokens)
    : block_tokens_(block_tokens), blocks_max_(static_cast<size_t>(tokens_max / block_tokens)) {}

int64_t PrefixCache::Match(const uint32_t* blocks, uint32_t count) const {
  uint32_t match = 0;
  while (match < count && where_.contains(blocks[match])) ++match;
  return match;
}

double PrefixCache::CachedTokens(const uint32_t* blocks, uint32_t count, int64_t tokens) const {
  return static_cast<double>(std::min<int64_t>(Match(blocks, count) * block_tokens_, std::max<int64_t>(0, tokens - 1)));
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

void Replica::Sharing::Add(double tokens, uint32_t id, double output) {
  if (members.empty()) served = 0;  // keeps the sums small
  members.push_back({served + tokens, id, output});
  std::push_heap(members.begin(), members.end());
}

bool Replica::Sharing::Pop(Member* out) {
  if (members.empty() || NextLeft() > kTokenSlack) return false;
  *out = members.front();
  std::pop_heap(members.begin(), members.end());
  members.pop_back();
  return true;
}

Replica::Replica(const ReplicaModel& model, double available_at, int64_t block_tokens)
    : model_(model), available_at_(available_at), prefixes_(model.prefix_cache_tokens, block_tokens) {}

const Replica::Class* Replica::Served() const {
  if (!urgent_.prompts.empty()) return &urgent_;
  return ordinary_.prompts.empty() ? nullptr : &ordinary_;
}

Replica::Rates Replica::Now() const {
  Rates rates;
  const double answers = static_cast<double>(answers_.size());
  const Class* served = Served();
  const double wanted = std::min(1.0, answers * model_.stream_tokens_per_second / model_.decode_tokens_per_second);
  rates.decode_share = served != nullptr ? std::min(wanted, 1 - model_.prefill_share_min) : wanted;
  if (served != nullptr) {
    rates.prefill_share = 1 - rates.decode_share;
    rates.per_prompt =
        rates.prefill_share * model_.prefill_tokens_per_second / static_cast<double>(served->prompts.size());
  }
  if (answers > 0) rates.per_answer = rates.decode_share * model_.decode_tokens_per_second / answers;
  return rates;
}

void Replica::Add(const Job& job) {
  (job.sensitive ? urgent_ : ordinary_).waiting.push_back(job);
  std::vector<ReplicaEvent> none;
  if (now_ >= available_at_) Admit(none);  // nobody who just came can be late
}

double Replica::NextEvent() const {
  const Rates rates = Now();
  const double from = std::max(now_, available_at_);
  double next = kNever;
  if (const Class* served = Served()) next = from + std::max(0.0, served->prompts.NextLeft()) / rates.per_prompt;
  if (!answers_.empty()) next = std::min(next, from + std::max(0.0, answers_.NextLeft()) / rates.per_answer);
  // One that waited for the boot begins with it.
  if (next == kNever && !idle()) next = from;
  return next;
}

// Whoever finds a place begins; whoever has waited too long is gone.
void Replica::Admit(std::vector<ReplicaEvent>& events) {
  for (Class* of : {&urgent_, &ordinary_}) {
    while (!of->waiting.empty()) {
      const Job& job = of->waiting.front();
      if (now_ > job.begin_by) {
        events.push_back({ReplicaEvent::Kind::kDropped, job.id, now_});
      } else if (in_batch() < model_.running_max) {
        of->prompts.Add(job.prompt_left, job.id, job.output);
      } else {
        break;
      }
      of->waiting.pop_front();
    }
  }
}

void Replica::EndPrompts(Class& from, std::vector<ReplicaEvent>& events) {
  for (Sharing::Member ready; from.prompts.Pop(&ready);) {
    events.push_back({ReplicaEvent::Kind::kFirstToken, ready.id, now_});
    // The first token came with the prompt.
    if (ready.output <= 1) events.push_back({ReplicaEvent::Kind::kEnd, ready.id, now_});
    else answers_.Add(ready.output - 1, ready.id, ready.output);
  }
}

void Replica::Advance(double now, std::vector<ReplicaEvent>& events) {
  const Rates rates = Now();
  const double passed = std::max(0.0, now - std::max(now_, available_at_));
  now_ = std::max(now_, now);
  if (now_ < available_at_) return;
  work_done_ += passed * (rates.prefill_share + rates.decode_share);
  answers_.served += passed * rates.per_answer;
  for (Sharing::Member ended; answers_.Pop(&ended);) {
    events.push_back({ReplicaEvent::Kind::kEnd, ended.id, now_});
  }
  if (const Class* served = Served()) {
    Class& from = served == &urgent_ ? urgent_ : ordinary_;
    from.prompts.served += passed * rates.per_prompt;
    EndPrompts(from, events);
  }
  Admit(events);
}

void Replica::Die(std::vector<uint32_t>* again, std::vector<uint32_t>* broken) {
  for (Class* of : {&urgent_, &ordinary_}) {
    for (const Sharing::Member& member : of->prompts.members) again->push_back(member.id);
    for (const Job& job : of->waiting) again->push_back(job.id);
    *of = {};
  }
  for (const Sharing::Member& member : answers_.members) broken->push_back(member.id);
  answers_ = {};
  // Heaps keep no order that a reader could know.
  std::sort(again->begin(), again->end());
  std::sort(broken->begin(), broken->end());
}

double Replica::prompt_tokens_left() const {
  double sum = 0;
  for (const Class* of : {&urgent_, &ordinary_}) {
    for (const Sharing::Member& member : of->prompts.members) sum += std::max(0.0, member.ends_at - of->prompts.served);
    for (const Job& job : of->waiting) sum += job.prompt_left;
  }
  return sum;
}

}  // namespace headgate::planner
