// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// masking: the one exception to "sensitive stays" (docs/decisions/0007). For a tenant that has asked for it, a request
// whose every reason is a maskable span at level `confidential` gets placeholders in place of the values, `<PHONE_1>`;
// router.cc screens and classifies the masked request again, and only a clean verdict lets it leave. The answer flows
// back through an Unmasking, which puts the values in again.
//
// The values live in the request's own memory only: never logged, never stored, never in a Status.
//
// Thread-safety: Masking::Mask from any thread; an Unmasking belongs to one request.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headgate/v1/inference.pb.h"
#include "router/classification.h"
#include "router/config.h"
#include "router/prompt.h"
#include "router/screening.h"

namespace headgate::router {

// A request with placeholders, and what they stand for: (placeholder, value). Content: never logged.
struct Masked {
  using Values = std::vector<std::pair<std::string, std::string>>;
  Prompt prompt;
  Values values;
};

class Masking {
 public:
  // Nothing when the tenant has not asked for it, or when any reason is not a maskable span: restricted, declared, a
  // floor, a conversation, a keyword, a seam between messages, a value in another encoding, a field that is not
  // message text; and when the request already holds what looks like a placeholder.
  static std::optional<Masked> Mask(const TenantConfig& tenant, const Prompt& prompt, const Sensitivity& sensitivity);
  // Whether a value still stands anywhere in the masked request, however it is written. What told that it is a phone
  // number may be far from there, or a placeholder now: no detector would know it.
  static bool Remains(const Masked::Values& values, const Screened& masked);
};

// The way back, on the flowing answer: content, reasoning and each tool call's arguments are separate texts. What may
// be the beginning of a placeholder is held back, so a placeholder split over chunks is found.
class Unmasking {
 public:
  using Events = std::vector<v1::GenerateStreamResponse>;

  explicit Unmasking(const Masked::Values& values);  // without values everything passes as it is
  // Events that may go out now; before a finish event goes what was held back.
  Events Filter(Events events);

 private:
  void Add(v1::GenerateStreamResponse event, Events& out);
  using Channel = std::string;  // what is held
  std::string Push(Channel& held, std::string_view piece) const;
  // The value of the placeholder that `text` is, null when it is none; `may_become` when it could still be one.
  const std::string* ValueOf(std::string_view text, bool* may_become) const;

  Masked::Values values_;
  Channel content_, reasoning_;
  std::map<int32_t, Channel> arguments_;  // by tool call index
};

}  // namespace headgate::router
