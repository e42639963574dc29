// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/engine_switch.h"

#include <algorithm>
#include <utility>

namespace headgate::engine {
namespace {

constexpr int kNumberShift = 48;
constexpr uint64_t kRequestMask = (uint64_t{1} << kNumberShift) - 1;
constexpr uint64_t kNumberMask = 0xffff;

}  // namespace

EngineSwitch::EngineSwitch(std::unique_ptr<Engine> first) {
  auto member = std::make_shared<Member>();
  member->engine = std::move(first);
  members_.push_back(std::move(member));
}

std::shared_ptr<EngineSwitch::Member> EngineSwitch::Newest() const {
  std::lock_guard lock(mutex_);
  return members_.back();
}

EngineSwitch::Members EngineSwitch::All() const {
  std::lock_guard lock(mutex_);
  return members_;
}

absl::Status EngineSwitch::CheckReplace() const {
  std::lock_guard lock(mutex_);
  if (draining_) return absl::FailedPreconditionError("the engine is draining");
  if (members_.size() == 1) return absl::OkStatus();
  return absl::FailedPreconditionError("the model before the present one is still finishing its requests");
}

absl::Status EngineSwitch::Replace(std::unique_ptr<Engine> next) {
  auto member = std::make_shared<Member>();
  member->engine = std::move(next);
  std::shared_ptr<Member> before;
  {
    std::lock_guard lock(mutex_);
    if (draining_) return absl::FailedPreconditionError("the engine is draining");
    if (members_.size() > 1) {
      return absl::FailedPreconditionError("the model before the present one is still finishing its requests");
    }
    before = members_.back();
    member->number = ++numbers_ & kNumberMask;
    members_.push_back(std::move(member));
  }
  before->engine->Drain();  // after the newest is known: who is refused here asks there
  return absl::OkStatus();
}

void EngineSwitch::Sweep() {
  Members gone;
  {
    std::lock_guard lock(mutex_);
    // Somebody may be calling into one: then it is let go the next time.
    const auto finished = [&](const std::shared_ptr<Member>& member) {
      return member != members_.back() && member->engine->Drained() && member->embeds == 0 && member.use_count() == 1;
    };
    for (auto at = members_.begin(); at != members_.end();) {
      if (!finished(*at)) {
        ++at;
        continue;
      }
      gone.push_back(std::move(*at));
      at = members_.erase(at);
    }
  }
}  // their threads end here, without the lock

absl::StatusOr<uint64_t> EngineSwitch::Submit(v1::GenerateRequest request, MonotonicTime deadline,
                                              std::shared_ptr<AnswerEvents> events, std::string tenant) {
  for (;;) {
    const auto member = Newest();
    auto id = member->engine->Submit(request, deadline, events, tenant);
    // Refused because it has been replaced meanwhile: the newer one is asked.
    if (absl::IsUnavailable(id.status()) && Newest() != member) continue;
    if (!id.ok()) return id;
    return *id | member->number << kNumberShift;
  }
}

void EngineSwitch::Cancel(uint64_t request) {
  for (const auto& member : All()) {
    if (member->number == request >> kNumberShift) member->engine->Cancel(request & kRequestMask);
  }
}

uint64_t EngineSwitch::Embed(v1::EmbedRequest request, MonotonicTime deadline,
                             std::function<void(absl::StatusOr<v1::EmbedResponse>)> done) {
  std::shared_ptr<Member> member;  // over the call
  {
    std::lock_guard lock(mutex_);
    member = members_.back();
    ++member->embeds;  // under the lock, so that Sweep sees it
  }
  // The callback counts and does not hold: it would free the engine on the engine's own thread.
  const uint64_t id = member->engine->Embed(
      std::move(request), deadline,
      [member = member.get(), done = std::move(done)](absl::StatusOr<v1::EmbedResponse> made) {
        done(std::move(made));
        --member->embeds;
      });
  return id | member->number << kNumberShift;
}

absl::StatusOr<int64_t> EngineSwitch::CountTokens(const v1::CountTokensRequest& request) const {
  return Newest()->engine->CountTokens(request);
}

absl::Status EngineSwitch::LoadAdapter(const std::string& name, const std::string& file) {
  return Newest()->engine->LoadAdapter(name, file);
}

absl::Status EngineSwitch::UnloadAdapter(const std::string& name) { return Newest()->engine->UnloadAdapter(name); }

std::vector<std::string> EngineSwitch::Adapters() const { return Newest()->engine->Adapters(); }

BackendInfo EngineSwitch::info() const { return Newest()->engine->info(); }

v1::Load EngineSwitch::CurrentLoad() const {
  const Members all = All();
  v1::Load load = all.back()->engine->CurrentLoad();
  for (const auto& member : all) {
    if (member == all.back()) continue;
    const v1::Load older = member->engine->CurrentLoad();
    load.set_running(load.running() + older.running());
    load.set_waiting(load.waiting() + older.waiting());
  }
  return load;
}

bool EngineSwitch::Healthy() const {
  const Members all = All();
  return std::all_of(all.begin(), all.end(), [](const auto& member) { return member->engine->Healthy(); });
}

void EngineSwitch::Drain() {
  Members all;
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
    all = members_;
  }
  for (const auto& member : all) member->engine->Drain();
}

bool EngineSwitch::Drained() const {
  const Members all = All();
  return std::all_of(all.begin(), all.end(), [](const auto& member) { return member->engine->Drained(); });
}

void EngineSwitch::RefreshMetrics() {
  for (const auto& member : All()) member->engine->RefreshMetrics();  // the newest last: equal names are its own
}

}  // namespace headgate::engine
