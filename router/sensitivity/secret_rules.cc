// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Secrets that begin with a form of their own: provider keys, private keys, web tokens, URLs that carry a password.
#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "router/sensitivity/reading_work.h"
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
  constexpr size_t kSteps = 300;
  ReadingWork::Spend(kSteps);
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
  constexpr size_t kSchemeMax = 24, kUserInfoMax = 256, kHostMax = 256, kSteps = 250;
  ReadingWork::Spend(kSteps);
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

// `WIFI:S:TheNest;T:WPA;P:saltmarsh88;;`, as QR codes hold it.
std::optional<Value> WifiCode(const Match& match) {
  constexpr size_t kBytesMax = 160;
  const std::string_view text = match.text().substr(0, std::min(match.text().size(), match.begin + kBytesMax));
  const size_t label = text.find(";P:", match.begin + 4), direct = text.find(":P:", match.begin + 4);
  const size_t begin = std::min(label, direct);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t end = std::min(text.find(';', begin + 3), text.size());
  const std::string_view value = text.substr(begin + 3, end - begin - 3);
  if (!LooksLikePassword(value, /*quoted=*/true)) return std::nullopt;
  return Value{{begin + 3, end}, kScoreLabelled};
}

// A disk's recovery key: eight groups of six digits.
std::optional<Value> RecoveryKey(const Match& match) {
  constexpr size_t kGroups = 8, kGroup = 7;
  const std::string_view text = match.text();
  const size_t end = match.begin + kGroups * kGroup - 1;
  if (end > text.size() || TouchesDigit(text, {match.begin, end})) return std::nullopt;
  for (size_t at = match.begin; at < end; ++at) {
    const bool sign = (at - match.begin) % kGroup == kGroup - 1;
    if (sign ? text[at] != '-' : !IsDigit(text[at])) return std::nullopt;
  }
  return Value{{match.begin, end}};
}

// The bytes around `at` that stand in one word.
TextRange WordAround(std::string_view text, size_t at) {
  constexpr size_t kReach = 40, kSteps = 100;
  ReadingWork::Spend(kSteps);
  static constexpr auto kInside = [] {
    std::array<bool, 256> inside{};
    for (size_t c = ' ' + 1; c < 0x80; ++c) inside[c] = true;
    for (const char c : std::string_view("\"'`,;<>()[]{}|=:/")) inside[static_cast<uint8_t>(c)] = false;
    return inside;
  }();
  const auto inside = [text](size_t i) { return kInside[static_cast<uint8_t>(text[i])]; };
  TextRange range{at, at};
  while (range.begin > 0 && at - range.begin < kReach && inside(range.begin - 1)) --range.begin;
  while (range.end < text.size() && range.end - at < kReach && inside(range.end)) ++range.end;
  while (range.end > range.begin && std::string_view(".,?").find(text[range.end - 1]) != std::string_view::npos) {
    --range.end;
  }
  return range;
}

// Whether a sign between letters or digits stands before the one at `at` in a short word: then it was judged there.
bool IsSignBefore(std::string_view text, TextRange word, size_t at) {
  constexpr size_t kShort = 40;
  for (size_t i = word.begin + 1; i < at; ++i) {
    const bool sign = std::string_view("!#$&*").find(text[i]) != std::string_view::npos;
    if (sign && IsAlnum(text[i - 1]) && IsAlnum(text[i + 1])) return word.end - i < kShort;
  }
  return false;
}

// `laptop = Marmalade&Toast3`, `it's popcorn!Night22`: small and capital letters, digits and a sign in one word, of
// which a sentence says what it is. Lines of code hold the like.
std::optional<Value> ShapedPassword(const Match& match) {
  constexpr size_t kMin = 9, kMax = 40, kLineBytesMax = 120;
  constexpr std::string_view kSaid[] = {" is", "it's", " to", " =", "=", "是", "为", "成"};
  const std::string_view text = match.text();
  const TextRange range = WordAround(text, match.begin + 1);
  const std::string_view value = text.substr(range.begin, range.end - range.begin);
  if (value.size() > kMax || IsSignBefore(text, range, match.begin + 1)) return std::nullopt;
  if (value.size() < kMin || std::none_of(value.begin(), value.end(), IsUpper) ||
      std::none_of(value.begin(), value.end(), IsLower) || value.find('.') != std::string_view::npos) {
    return std::nullopt;
  }
  if (!IsPasswordShaped(value, false) || !LooksLikePassword(value, false)) return std::nullopt;
  const size_t from = range.begin > kLineBytesMax ? range.begin - kLineBytesMax : 0;
  std::string_view before = text.substr(from, range.begin - from);
  before = before.substr(before.rfind('\n') + 1);
  std::string_view after = text.substr(range.end, kLineBytesMax);
  after = after.substr(0, after.find('\n'));
  const auto code = [](std::string_view part) {
    return part.find_first_of("(){};<>") != std::string_view::npos || part.find("//") != std::string_view::npos;
  };
  if (code(before) || code(after)) return std::nullopt;
  while (!before.empty() && (before.back() == ' ' || before.back() == '"')) before.remove_suffix(1);
  const auto ends = [before](std::string_view word) { return before.ends_with(word); };
  if (std::none_of(std::begin(kSaid), std::end(kSaid), ends)) return std::nullopt;
  if (match.evidence.Near(Cue::kExample, range, 40)) return std::nullopt;
  return Value{range, kScoreLikely};
}

// `guest login is demo / Lemur-Kite-4`: name and password behind a word for signing in.
std::optional<Value> LoginPair(const Match& match) {
  constexpr size_t kLookBytes = 64, kNameMin = 3;
  constexpr std::string_view kWords[] = {"login", "log in", "logon", "account", "user",   "creds", "portal",
                                         "sign in", "账号", "帐号",  "登录",    "用户", "登陆",  "跳板", "堡垒"};
  const std::string_view text = match.text();
  const TextRange name = WordAround(text, match.begin), range = WordAround(text, match.end - 1);
  const std::string_view value = text.substr(range.begin, range.end - range.begin);
  if (name.end - name.begin < kNameMin || range.begin != match.end - 1 || !IsPasswordShaped(value, true)) {
    return std::nullopt;
  }
  const size_t from = name.begin > kLookBytes ? name.begin - kLookBytes : 0;
  std::string before(text.substr(from, name.begin - from));
  std::transform(before.begin(), before.end(), before.begin(), LowerAscii);
  const auto in = [&before](std::string_view word) { return before.find(word) != std::string::npos; };
  if (std::none_of(std::begin(kWords), std::end(kWords), in)) return std::nullopt;
  if (match.evidence.Near(Cue::kExample, range, 40)) return std::nullopt;
  return Value{range, kScoreLikely};
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
      {"PASSWORD", WifiCode, false, {"WIFI:[STPH]:"}, false, false},
      {"GENERIC_SECRET", RecoveryKey, false, {"[0-9]{6}-[0-9]{6}-[0-9]{6}-"}, false, false},
      {"PASSWORD", ShapedPassword, false, {"[A-Za-z0-9][!#$&*][A-Za-z0-9]"}, false, false},
      {"PASSWORD", LoginPair, false, {"[A-Za-z0-9_] / [A-Za-z0-9]"}, false, false},
      {"CONNECTION_STRING", ConnectionString, false, {"://"}, false, false},
  };
  return rules;
}

}  // namespace headgate::router
