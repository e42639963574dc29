// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/request_queue.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace headgate::engine {

absl::Status RequestQueue::CheckRoom(int32_t count) const {
  if (size() + count <= size_max_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", size(), " of ", size_max_, " requests wait"));
}

void RequestQueue::Put(std::unique_ptr<Sequence> sequence) {
  tokens_left_ += sequence->left();
  const uint64_t request = sequence->request();
  sequences_.emplace(request, std::move(sequence));
}

std::unique_ptr<Sequence> RequestQueue::Take(Map::iterator at) {
  auto sequence = std::move(at->second);
  sequences_.erase(at);
  tokens_left_ -= sequence->left();
  return sequence;
}

std::unique_ptr<Sequence> RequestQueue::Remove(uint64_t request) {
  const auto at = sequences_.find(request);
  return at == sequences_.end() ? nullptr : Take(at);
}

std::vector<std::unique_ptr<Sequence>> RequestQueue::RemoveIf(const std::function<bool(const Sequence&)>& leaves) {
  std::vector<std::unique_ptr<Sequence>> removed;
  for (auto at = sequences_.begin(); at != sequences_.end();) {
    const auto next = std::next(at);
    if (leaves(*at->second)) removed.push_back(Take(at));
    at = next;
  }
  return removed;
}

std::vector<std::unique_ptr<Sequence>> RequestQueue::RemoveAll() {
  return RemoveIf([](const Sequence&) { return true; });
}

std::vector<WaitingRequest> RequestQueue::Waiting(
    MonotonicTime now, absl::Duration aging, const std::function<int32_t(const Sequence&)>& cells_needed) const {
  std::vector<WaitingRequest> waiting;
  waiting.reserve(sequences_.size());
  for (const auto& [request, sequence] : sequences_) {
    const int32_t rank = RankOf(sequence->priority());
    waiting.push_back({request, AgedRank(rank, now - sequence->submitted(), aging), rank, sequence->tenant_index,
                       cells_needed(*sequence)});
  }
  return waiting;
}

std::set<std::string> RequestQueue::Adapters() const {
  std::set<std::string> names;
  for (const auto& [request, sequence] : sequences_) {
    if (sequence->adapter() != nullptr) names.insert(sequence->adapter()->name);
  }
  return names;
}

}  // namespace headgate::engine
