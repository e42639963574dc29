// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/refusals.h"

#include <utility>

namespace headgate::router {
namespace {

constexpr std::array<std::string_view, kRefusals> kNames = {
    "not_http",     "header_too_large", "body_too_large", "unknown_path", "method",
    "content_type", "malformed",        "unknown_key",    "admin_key",    "no_room", "tls"};

v1::AuditRecord Record(Refusal reason) {
  v1::AuditRecord record;
  record.set_kind(v1::AuditRecord::KIND_REFUSAL);
  record.set_stage("front_door");
  record.set_detail(std::string(Name(reason)));
  return record;
}

}  // namespace

std::string_view Name(Refusal reason) { return kNames[static_cast<size_t>(reason)]; }

Refusals::Refusals(Clock& clock, Metrics& metrics, std::function<void(v1::AuditRecord)> write)
    : clock_(clock), write_(std::move(write)) {
  for (size_t i = 0; i < kRefusals; ++i) {
    counters_[i] = &metrics.GetCounter("headgate_router_front_door_refusals_total",
                                       "What was turned away before it was a request",
                                       {{"reason", std::string(kNames[i])}});
  }
}

bool Refusals::TakeWhole(Refusal reason) {
  counters_[static_cast<size_t>(reason)]->Increment();
  Window& window = windows_[static_cast<size_t>(reason)];
  if (!window.end) window.end = clock_.CallAt(clock_.Monotonic() + kWindow, [this, reason] { End(reason); });
  if (window.whole < kWholeMax) return ++window.whole, true;
  return ++window.more, false;
}

void Refusals::Add(Refusal reason, const std::string& api, absl::StatusCode code, const std::string& request_id) {
  if (!TakeWhole(reason)) return;
  v1::AuditRecord record = Record(reason);
  record.set_api(api);
  record.set_request_id(request_id);
  record.set_status(absl::StatusCodeToString(code));
  write_(std::move(record));
}

void Refusals::End(Refusal reason) {
  const Window window = std::exchange(windows_[static_cast<size_t>(reason)], Window());
  if (window.more == 0) return;
  v1::AuditRecord record = Record(reason);
  record.set_count(window.more);
  write_(std::move(record));
}

void Refusals::Flush() {
  for (size_t i = 0; i < kRefusals; ++i) End(static_cast<Refusal>(i));
}

}  // namespace headgate::router
