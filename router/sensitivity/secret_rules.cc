// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Secrets that begin with a form of their own: provider keys, private keys, web tokens, URLs that carry a password.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "router/sensitivity/rule.h"
#include "router/sensitivity/secrets.h"

namespace headgate::router {
namespace {

std::optional<Value> AsValue(std::optional<TextRange> range) {
  if (!range) return std::nullopt;
  return Value{*range};
}

std::optional<Value> PrivateKey(const Match& match) { return AsValue(PrivateKeyAt(match.text(), match.end)); }
std::optional<Value> Jwt(const Match& match) { return AsValue(JwtAt(match.text(), match.begin)); }

std::optional<Value> ApiKey(const Match& match) {
  const std::string_view text = match.text();
  for (const KeyPrefix& key : KeyPrefixes()) {
    const std::string_view prefix = key.prefix;
    if (text.substr(match.begin, prefix.size()) != prefix) continue;
    if (auto range = ApiKeyAt(text, match.begin, prefix.size())) return Value{*range};
  }
  return std::nullopt;
}

// `scheme://user:password@host`.
std::optional<Value> ConnectionString(const Match& match) {
  const std::string_view text = match.text();
  constexpr size_t kSchemeMax = 24, kUserInfoMax = 256, kHostMax = 256;
  size_t begin = match.begin;
  while (begin > 0 && match.begin - begin < kSchemeMax && (IsAlnum(text[begin - 1]) || text[begin - 1] == '+')) --begin;
  if (begin == match.begin) return std::nullopt;
  size_t at = match.end, colon = 0, sign = 0;
  for (; at < text.size() && at - match.end < kUserInfoMax; ++at) {
    const char c = text[at];
    if (static_cast<uint8_t>(c) <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>') break;
    if (c == '/' && sign > 0) break;
    if (c == ':' && colon == 0) colon = at;
    if (c == '@') sign = at;
  }
  if (colon == 0 || sign < colon + 2) return std::nullopt;
  const std::string_view password = text.substr(colon + 1, sign - colon - 1);
  if (password.find('/') != std::string_view::npos && password.find_first_not_of("0123456789") == password.find('/')) {
    return std::nullopt;  // host:port/path@...
  }
  if (!LooksLikePassword(password, /*quoted=*/true)) return std::nullopt;
  size_t end = sign + 1;
  while (end < text.size() && end - sign < kHostMax &&
         (IsAlnum(text[end]) || std::string_view(".-_:/").find(text[end]) != std::string_view::npos))
    ++end;
  if (end == sign + 1) return std::nullopt;
  return Value{{begin, end}};
}

// Addresses that let anyone post into a channel: their last part is the secret.
std::optional<Value> Webhook(const Match& match) {
  constexpr size_t kBytesMax = 200, kLastMin = 20;
  const std::string_view text = match.text();
  size_t end = match.end, last = match.end;
  for (; end < text.size() && end - match.end < kBytesMax; ++end) {
    if (text[end] == '/') last = end + 1;
    if (!IsAlnum(text[end]) && text[end] != '/' && text[end] != '_' && text[end] != '-') break;
  }
  if (end - last < kLastMin || !LooksGenerated(text.substr(last, end - last))) return std::nullopt;
  return Value{{match.begin, end}};
}

std::vector<std::string> KeyExpressions() {
  std::vector<std::string> expressions;
  for (const KeyPrefix& key : KeyPrefixes()) {
    expressions.push_back(
        absl::StrCat(absl::StrReplaceAll(key.prefix, {{".", "\\."}}), key.body, "{", key.body_bytes_min, "}"));
  }
  return expressions;
}

}  // namespace

const std::vector<PatternRule>& SecretRules() {
  static const std::vector<PatternRule> rules = {
      {"PRIVATE_KEY", PrivateKey, false, {"PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"}, false, false},
      {"JWT", Jwt, false, {"eyJ[A-Za-z0-9_-]{8}"}, false, false},
      {"API_KEY", ApiKey, false, KeyExpressions(), false, false},
      {"URL_WITH_TOKEN", Webhook, false, {"hooks\\.slack\\.com/services/", "/api/webhooks/[0-9]"}, false, false},
      {"CONNECTION_STRING", ConnectionString, false, {"://"}, false, false},
  };
  return rules;
}

}  // namespace headgate::router
