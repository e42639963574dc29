// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/calls.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/log.h"
#include "common/trace.h"
#include "services/router/openai_json.h"
#include "services/router/openai_request.h"

namespace headgate::services {
namespace {

bool AcceptableId(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
}

// Who shows a key that is not understood, or several, has an unknown key, not none: never somebody else's rights.
std::string KeyOf(const HeaderLookup& headers) {
  auto shown = headers("authorization");
  const bool bearer = !shown.empty();
  if (!bearer) shown = headers("x-api-key");
  if (shown.empty()) return "";
  absl::string_view key(shown[0].data(), shown[0].size());
  if (bearer) key = absl::StartsWithIgnoreCase(key, "bearer ") ? key.substr(7) : "";
  key = absl::StripAsciiWhitespace(key);
  return key.empty() || shown.size() > 1 ? "(not understood)" : std::string(key);
}

// The caller's trace goes on, in a span of the router's own. Several headers, or a malformed one, are none.
std::string TraceOf(const HeaderLookup& headers, const RandomBytes& random, const std::string& request_id) {
  const auto values = headers("traceparent");
  const auto caller = values.size() == 1 ? ParseTraceparent(values[0]) : std::nullopt;
  if (!caller) return "";
  const TraceContext own = ChildOf(*caller, random);
  HG_LOG(Info, "traced request=", request_id, " trace=", own.trace_id, " parent=", caller->parent_id, " span=",
         own.parent_id);
  return own.Header();
}

}  // namespace

absl::Status ReadHead(const HeaderLookup& headers, const RandomBytes& random, router::RequestHead& head) {
  for (std::string_view id : headers("x-request-id")) {
    if (AcceptableId(id)) head.request_id = std::string(id);
  }
  if (head.request_id.empty()) head.request_id = Hex(random(16));
  head.trace = TraceOf(headers, random, head.request_id);
  head.api_key = KeyOf(headers);
  for (std::string_view wish : headers("x-headgate-cache")) head.cacheable = wish == "yes";
  for (std::string_view name : headers("x-headgate-sensitivity")) {
    const auto level = ParseSensitivity(name);
    if (!level.ok()) return level.status();
    head.declared_sensitivity = std::max(head.declared_sensitivity, *level);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SessionOf(const HeaderLookup& headers) {
  const auto values = headers("x-headgate-session");
  if (values.empty()) return std::string();
  if (values.size() > 1 || values[0].size() > 256) {
    return FieldError("x-headgate-session", "must be one value of at most 256 bytes");
  }
  return std::string(values[0]);
}

absl::StatusOr<absl::Duration> TimeoutOf(const HeaderLookup& headers) {
  const auto values = headers("x-headgate-timeout");
  if (values.empty()) return absl::InfiniteDuration();
  double seconds = 0;
  const bool number = absl::SimpleAtod(absl::string_view(values[0].data(), values[0].size()), &seconds);
  if (values.size() > 1 || !number || !(seconds > 0 && seconds <= 86400)) {
    return FieldError("x-headgate-timeout", "must be one number of seconds above 0, at most 86400");
  }
  return absl::Seconds(seconds);
}

std::vector<std::pair<std::string, std::string>> RouteHeaders(const v1::Route& route) {
  return {{"x-headgate-route", route.target() == v1::Route::TARGET_CLOUD ? "cloud" : "local"},
          {"x-headgate-sensitivity", std::string(SensitivityName(route.sensitivity()))},
          {"x-headgate-reasons", absl::StrJoin(route.reasons(), ",")}};
}

}  // namespace headgate::services
