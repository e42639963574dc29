// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/secrets.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <set>
#include <string>

#include "router/sensitivity/reading_work.h"

namespace headgate::router {
namespace {

constexpr size_t kKeyBytesMax = 512;
constexpr size_t kKeyBytesJudged = 128;
constexpr size_t kKeyPieceMin = 22;  // of one in pieces
constexpr size_t kJwtHeaderBytesMax = 2048;
constexpr size_t kJwtBytesMax = 16384;
constexpr size_t kPemHeaderBytesMax = 64;
constexpr size_t kPemLookAheadBytes = 600;  // over `Proc-Type:` and `DEK-Info:` lines
constexpr size_t kPemBodyBytesMin = 32;

bool IsTokenChar(char c) { return IsAlnum(c) || c == '_' || c == '-'; }
bool IsBase64(char c) { return IsAlnum(c) || c == '+' || c == '/' || c == '='; }

// Removes every occurrence of the words that placeholders are made of.
std::string WithoutPlaceholders(std::string_view body) {
  std::string rest(body);
  std::transform(rest.begin(), rest.end(), rest.begin(), LowerAscii);
  for (const std::string_view word :
       {"example", "your", "placeholder", "changeme", "redacted", "replace", "secret", "token", "dummy", "apikey",
        "api", "key", "here", "xxx", "000", "abcdef", "123456", "..."}) {
    for (size_t at = rest.find(word); at != std::string::npos; at = rest.find(word, at)) rest.erase(at, word.size());
  }
  return rest;
}

// What is left of a placeholder is short.
bool IsMostlyItsOwn(std::string_view body) { return WithoutPlaceholders(body).size() * 5 >= body.size() * 3; }

size_t EndOf(std::string_view text, size_t begin, size_t bytes_max, bool (*is_part)(char)) {
  size_t end = begin;
  while (end < text.size() && end - begin < bytes_max && is_part(text[end])) ++end;
  return end;
}

// Whether what begins at `begin` has nothing but a few letters in front of it, glued to it (`nosk-...`): in the middle
// of a longer word (`risk-...`, a base64 blob) it is no prefix.
bool IsGlued(std::string_view text, size_t begin) {
  constexpr size_t kGlueMax = 8;
  size_t glue = begin;
  while (glue > 0 && begin - glue <= kGlueMax && IsLetter(text[glue - 1])) --glue;
  const auto goes_on = [](char c) { return IsTokenChar(c) || (IsBase64(c) && c != '='); };  // `value=nosk-...`
  return begin - glue <= kGlueMax && (glue == 0 || !goes_on(text[glue - 1]));
}

// Words that stand where a password would, and are none.
bool IsStandIn(std::string_view value) {
  constexpr size_t kSteps = 700;
  ReadingWork::Spend(kSteps);
  std::string low(value);
  std::transform(low.begin(), low.end(), low.begin(), LowerAscii);
  for (const std::string_view word :
       {"your",        "example", "placeholder", "xxxx",     "****",   "....",    "redacted",    "<",
        "${",          "{{",      "%s",          "$(",       "getenv", "environ", "process.env", "input(",
        "secret_name", "null",    "undefined",   "changeme", "none",   "string",  "password",    "passwd",
        "test",        "foobar",  "____",        "config",   "self.",  "request", "hash",        "user.",
        "args",        "params",  "req.",        "encrypt"}) {
    const bool sign = word.size() >= 2 && !IsAlnum(word[0]);
    if ((sign || low.size() < word.size() + 6) && low.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

const std::vector<KeyPrefix>& KeyPrefixes() {
  static const std::vector<KeyPrefix> prefixes = {
      {"sk-ant-", "[A-Za-z0-9_-]", 20},   // Anthropic
      {"sk-proj-", "[A-Za-z0-9_-]", 20},  // OpenAI
      {"sk-svcacct-", "[A-Za-z0-9_-]", 20},
      {"sk-or-v1-", "[A-Za-z0-9]", 20},  // OpenRouter
      {"sk-", "[A-Za-z0-9]", 20},        // OpenAI, DeepSeek, Qwen and others
      {"sk_live_", "[A-Za-z0-9]", 16},   // Stripe
      {"rk_live_", "[A-Za-z0-9]", 16},
      {"sk_test_", "[A-Za-z0-9]", 16},
      {"whsec_", "[A-Za-z0-9+/]", 20},
      {"ghp_", "[A-Za-z0-9]", 30},  // GitHub
      {"gho_", "[A-Za-z0-9]", 30},
      {"ghu_", "[A-Za-z0-9]", 30},
      {"ghs_", "[A-Za-z0-9]", 30},
      {"ghr_", "[A-Za-z0-9]", 30},
      {"github_pat_", "[A-Za-z0-9_]", 22},
      {"glpat-", "[A-Za-z0-9_-]", 20},  // GitLab
      {"gldt-", "[A-Za-z0-9_-]", 20},
      {"AKIA", "[A-Z0-9]", 16},  // Amazon
      {"ASIA", "[A-Z0-9]", 16},
      {"AIza", "[A-Za-z0-9_-]", 30},  // Google
      {"ya29.", "[A-Za-z0-9_-]", 20},
      {"GOCSPX-", "[A-Za-z0-9_-]", 20},
      {"LTAI", "[A-Za-z0-9]", 12},    // Alibaba Cloud
      {"AKID", "[A-Za-z0-9]", 20},    // Tencent Cloud
      {"xoxb-", "[A-Za-z0-9-]", 16},  // Slack
      {"xoxp-", "[A-Za-z0-9-]", 16},
      {"xoxa-", "[A-Za-z0-9-]", 16},
      {"xoxs-", "[A-Za-z0-9-]", 16},
      {"xapp-", "[A-Za-z0-9-]", 16},
      {"hf_", "[A-Za-z0-9]", 30},   // Hugging Face
      {"gsk_", "[A-Za-z0-9]", 30},  // Groq
      {"xai-", "[A-Za-z0-9]", 30},
      {"r8_", "[A-Za-z0-9]", 30},  // Replicate
      {"npm_", "[A-Za-z0-9]", 30},
      {"pypi-", "[A-Za-z0-9_-]", 30},
      {"dckr_pat_", "[A-Za-z0-9_-]", 20},  // Docker
      {"dop_v1_", "[a-f0-9]", 40},         // DigitalOcean
      {"shpat_", "[A-Fa-f0-9]", 30},       // Shopify
      {"SG.", "[A-Za-z0-9_-]", 20},        // SendGrid
      {"AGE-SECRET-KEY-1", "[A-Z0-9]", 40},
      {"APA91b", "[A-Za-z0-9_-]", 20},  // Firebase
      {"rk_test_", "[A-Za-z0-9]", 16},
      {"EAAG", "[A-Za-z0-9]", 40},  // Meta
      {"EAAC", "[A-Za-z0-9]", 40},
      {"sq0atp-", "[A-Za-z0-9_-]", 20},  // Square
      {"sq0csp-", "[A-Za-z0-9_-]", 20},
      {"nvapi-", "[A-Za-z0-9_-]", 30},
      {"pplx-", "[A-Za-z0-9]", 30},
      {"tvly-", "[A-Za-z0-9-]", 20},
      {"lin_api_", "[A-Za-z0-9]", 20},   // Linear
      {"glsa_", "[A-Za-z0-9_]", 20},     // Grafana
      {"hvs.", "[A-Za-z0-9_-]", 20},     // Vault
      {"ATATT3x", "[A-Za-z0-9_-]", 20},  // Atlassian
      {"figd_", "[A-Za-z0-9_-]", 20},
      {"xkeysib-", "[A-Za-z0-9-]", 20},
      {"NRAK-", "[A-Z0-9]", 20},  // New Relic
      {"PMAK-", "[A-Za-z0-9-]", 20},
      {"rubygems_", "[A-Za-z0-9]", 20},
      {"sntrys_", "[A-Za-z0-9_]", 20},
      {"tskey-", "[A-Za-z0-9-]", 16},  // Tailscale
      {"dapi", "[a-f0-9]", 32},        // Databricks
      {"sbp_", "[a-f0-9]", 30},        // Supabase
      {"secret_", "[A-Za-z0-9]", 40},  // Notion
      {"ntn_", "[A-Za-z0-9]", 30},
  };
  return prefixes;
}

bool LooksGenerated(std::string_view body) {
  constexpr size_t kSteps = 60, kWordSteps = 400, kByteSteps = 6;
  ReadingWork::Spend(kSteps + kByteSteps * body.size());
  std::bitset<256> seen;
  size_t digits = 0, upper = 0, lower = 0, hyphens = 0;
  for (const char c : body) {
    seen.set(static_cast<uint8_t>(c));
    digits += IsDigit(c);
    upper += IsUpper(c);
    lower += IsLower(c);
    hyphens += c == '-' || c == '_';
  }
  if (seen.count() < 8 || hyphens * 5 > body.size()) return false;
  if (digits == 0 && (upper == 0 || lower == 0)) return false;
  ReadingWork::Spend(kWordSteps + kByteSteps * body.size());
  return IsMostlyItsOwn(body);
}

namespace {

// What decides whether characters are words or random ones; signs of a token are gone over.
struct Mixture {
  size_t digits = 0, upper = 0, lower = 0;
  size_t singles = 0;     // of small letters, which names of several words hardly have
  size_t shorts = 0;      // capitals with less than two small letters behind them
  size_t changes = 0;     // from letters to digits and back
  size_t beyond_hex = 0;  // letters behind F
  size_t vowels = 0;
  size_t rare = 0;  // capitals
  size_t size() const { return digits + upper + lower; }
};
Mixture MixtureOf(std::string_view body, size_t most, bool signs) {
  Mixture mixture;
  char last = 0, before = 0;
  for (const char c : body) {
    if (mixture.size() == most || !(IsAlnum(c) || (signs && IsTokenChar(c)))) break;
    if (!IsAlnum(c)) continue;
    mixture.digits += IsDigit(c), mixture.upper += IsUpper(c), mixture.lower += IsLower(c);
    mixture.singles += IsUpper(before) && IsLower(last) && IsUpper(c);
    mixture.shorts += IsUpper(c) && (IsUpper(last) || (IsUpper(before) && IsLower(last)));
    mixture.changes += last != 0 && IsDigit(last) != IsDigit(c);
    mixture.beyond_hex += UpperAscii(c) > 'F';
    mixture.rare += std::string_view("JKQVWXZ").find(c) != std::string_view::npos;
    mixture.vowels += std::string_view("AEIOU").find(UpperAscii(c)) != std::string_view::npos;
    before = last, last = c;
  }
  return mixture;
}

// 32 digits of hex, and what may follow.
bool IsHexBody(std::string_view body) {
  constexpr size_t kDigits = 32, kOfEach = 2, kChangesMin = 2;
  const Mixture of = MixtureOf(body, kDigits, false);
  return of.size() == kDigits && of.upper + of.beyond_hex == 0 && of.digits >= kOfEach && of.lower >= kOfEach &&
         of.changes >= kChangesMin;
}

// Sixteen letters without a digit, one Amazon key in thirty, or few different characters, one in 50,000.
bool IsPlainAmazonKey(std::string_view prefix, std::string_view body) {
  constexpr size_t kLetters = 16, kVowelsMax = 6, kDifferentMin = 6;
  if (prefix != "AKIA" && prefix != "ASIA") return false;
  const Mixture mixture = MixtureOf(body, kLetters, false);
  const bool longer = body.size() > kLetters && (IsDigit(body[kLetters]) || IsUpper(body[kLetters]));
  const bool word = prefix == "ASIA" && (mixture.rare == 0 || mixture.vowels > kVowelsMax);  // `ASIAPACIFIC...`
  if (longer || mixture.size() != kLetters || mixture.lower > 0) return false;
  if (mixture.upper == kLetters) return !word;
  const std::string_view key = body.substr(0, kLetters);
  return std::set<char>(key.begin(), key.end()).size() >= kDifferentMin && IsMostlyItsOwn(key);
}

}  // namespace

bool EndsWord(std::string_view before, std::string_view prefix) {
  if (prefix != "sk-" || before.empty()) return false;
  const char last = LowerAscii(before.back());
  return std::string_view("aeiu").find(last) != std::string_view::npos || before.ends_with("kio");
}

bool LooksRandomBehind(std::string_view prefix, std::string_view body) {
  constexpr size_t kLooked = 32, kMin = 16, kOfEach = 2, kSinglesMin = 3, kChangesMin = 6, kBeyondHexMin = 4;
  constexpr size_t kOwnLooked = 48, kOwnSinglesMin = 2, kOwnShortsMin = 2, kSurePrefixMin = 6, kSureChangesMin = 4;
  if (IsPlainAmazonKey(prefix, body)) return true;
  // Hardly anything else begins like the others.
  const bool own = prefix != "sk-", capitals = IsUpper(prefix[0]);
  const Mixture of = MixtureOf(body, own ? kOwnLooked : kLooked, own);
  if (IsHexBody(body)) return true;
  if (of.size() < kMin || !(capitals || of.lower >= kOfEach || own)) return false;
  const bool mixed = of.upper >= kOfEach || (of.changes >= kChangesMin && of.beyond_hex >= kBeyondHexMin);
  if (mixed && (of.digits > 0 || of.singles >= kSinglesMin)) return true;
  if (!own) return false;
  const size_t letters = of.upper + of.lower;
  const bool sure = prefix.size() >= kSurePrefixMin && prefix != "secret_";
  if (sure && of.digits >= kOfEach && of.changes >= kSureChangesMin) return true;
  const size_t shorts_min = sure ? 1 : kOwnShortsMin;
  return of.upper >= kOfEach && of.lower >= kOfEach &&
         (of.singles >= kOwnSinglesMin || of.shorts >= shorts_min || of.upper * 3 >= letters ||
          of.vowels * 4 <= letters);
}

bool LooksLikePassword(std::string_view value, bool quoted) {
  constexpr size_t kMin = 4, kMax = 128;
  if (value.size() < kMin || value.size() > kMax) return false;
  size_t digits = 0, upper = 0, lower = 0, other = 0;
  for (const char c : value) {
    if (static_cast<uint8_t>(c) >= 0x80) return false;  // prose
    digits += IsDigit(c), upper += IsUpper(c), lower += IsLower(c), other += !IsAlnum(c);
  }
  const auto form = [&] {
    const bool mixed = (digits > 0) + (upper > 0) + (lower > 0) + (other > 0) >= 2;
    if (digits > 0 && (mixed || value.size() >= 4)) return true;
    if (other > 0 && upper + lower >= 3 && value.find_first_of("!@#$%^&*") != std::string_view::npos) return true;
    if (upper > 1 && lower > 1 && !(IsUpper(value[0]) && upper == 1) && value.size() >= 8 && other == 0) return quoted;
    return quoted && value.size() >= 6 && (upper + lower == value.size() || value.find('-') != std::string_view::npos);
  };
  if (!form()) return false;  // most are
  if (value.front() == '$' && value.find_first_of("0123456789!#") == std::string_view::npos)
    return false;                                                                      // a variable
  if (value.find('(') != std::string_view::npos && value.back() == ')') return false;  // a call
  if (value.find("::") != std::string_view::npos || value.find("->") != std::string_view::npos) return false;
  if (std::bitset<256> seen;
      std::for_each(value.begin(), value.end(), [&](char c) { seen.set(static_cast<uint8_t>(c)); }),
      seen.count() < 3 && digits < value.size()) {
    return false;
  }
  return !IsStandIn(value);
}

bool IsPasswordShaped(std::string_view value, bool said) {
  constexpr std::string_view kSigns = "!@#$%^&*", kBesides = "-_+?~.";
  constexpr size_t kMin = 7, kMax = 40;
  if (value.size() < kMin || value.size() > kMax || !IsAlnum(value.front())) return false;
  size_t digits = 0, upper = 0, lower = 0, signs = 0;
  for (const char c : value) {
    const bool sign = kSigns.find(c) != std::string_view::npos;
    if (!IsAlnum(c) && !sign && kBesides.find(c) == std::string_view::npos) return false;
    digits += IsDigit(c), upper += IsUpper(c), lower += IsLower(c), signs += sign;
  }
  const size_t at = value.find('@');
  if (at != std::string_view::npos && value.find('.', at) != std::string_view::npos) return false;  // a mailbox
  // What every text on passwords names.
  if (value.find("@ss") != std::string_view::npos || value.find("assw") != std::string_view::npos) return false;
  if (digits == 0 || upper + lower < 3 || IsUuidOrHash(value)) return false;
  if (signs > 0 && (digits + upper > 1 || said)) return true;
  return said && digits > 1 && upper + lower > 3 && value.find_first_of("._") == std::string_view::npos &&
         (IsDigit(value.back()) || upper > 0);
}

bool IsUuidOrHash(std::string_view value) {
  const auto hex = [](char c) { return IsDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f'); };
  size_t hyphens = 0;
  for (const char c : value) {
    if (c == '-') {
      ++hyphens;
    } else if (!hex(c)) {
      return false;
    }
  }
  if (hyphens == 4) return value.size() == 36;
  return hyphens == 0 && (value.size() == 32 || value.size() == 40 || value.size() == 64 || value.size() == 128);
}

namespace {

// Whether the key may be glued to the letters before it.
bool MayBeGlued(std::string_view text, size_t begin, std::string_view prefix, std::string_view body) {
  if (!IsGlued(text, begin) || !LooksRandomBehind(prefix, body)) return false;
  return !(IsHexBody(body) && EndsWord(text.substr(0, begin), prefix));
}

}  // namespace

std::optional<TextRange> ApiKeyAt(std::string_view text, size_t begin, size_t prefix_bytes) {
  const size_t body = begin + prefix_bytes;
  const std::string_view prefix = text.substr(begin, prefix_bytes);
  if (begin > 0 && (IsAlnum(text[begin - 1]) || text[begin - 1] == '+') &&
      !MayBeGlued(text, begin, prefix, text.substr(body, kKeyBytesJudged))) {
    return std::nullopt;
  }
  size_t end = EndOf(text, body, kKeyBytesMax, IsTokenChar);
  ReadingWork::Spend(2 * (end - body));
  while (end > body && (text[end - 1] == '-' || text[end - 1] == '_')) --end;
  const std::string_view judged = text.substr(body, std::min(end - body, kKeyBytesJudged));
  // Behind a piece that is enough may stand pieces with signs between them.
  const std::string_view piece = judged.substr(0, EndOf(judged, 0, judged.size(), IsAlnum));
  const bool generated = LooksGenerated(judged) || (piece.size() >= kKeyPieceMin && LooksGenerated(piece));
  if (!generated && !IsPlainAmazonKey(prefix, judged)) return std::nullopt;
  return TextRange{begin, end};
}

std::optional<TextRange> PrivateKeyAt(std::string_view text, size_t end) {
  const size_t from = end > kPemHeaderBytesMax ? end - kPemHeaderBytesMax : 0;
  const size_t header = text.substr(from, end - from).rfind("-----BEGIN ");
  if (header == std::string_view::npos) return std::nullopt;
  const std::string_view ahead = text.substr(end, kPemLookAheadBytes);
  for (size_t at = 0; at < ahead.size();) {
    const size_t run_end = EndOf(ahead, at, ahead.size(), IsBase64);
    if (run_end - at >= kPemBodyBytesMin && LooksGenerated(ahead.substr(at, std::min(run_end - at, kKeyBytesJudged)))) {
      return TextRange{from + header, end + run_end};
    }
    at = run_end + 1;
  }
  return std::nullopt;
}

std::optional<TextRange> JwtAt(std::string_view text, size_t begin) {
  if (begin > 0 && IsTokenChar(text[begin - 1]) && !IsGlued(text, begin)) return std::nullopt;
  const size_t header_end = EndOf(text, begin, kJwtHeaderBytesMax, IsTokenChar);
  if (header_end >= text.size() || text[header_end] != '.') return std::nullopt;
  const std::optional<std::string> header = DecodeBase64(text.substr(begin, header_end - begin));
  if (!header || header->front() != '{' || header->back() != '}' || header->find("\"alg\"") == std::string::npos) {
    return std::nullopt;
  }
  const size_t payload_end = EndOf(text, header_end + 1, kJwtBytesMax, IsTokenChar);
  if (payload_end - header_end < 5) return std::nullopt;
  // Too long to look through: it begins like a token, so it counts as one.
  if (payload_end >= text.size() || text[payload_end] != '.') {
    if (payload_end - header_end - 1 < kJwtBytesMax) return std::nullopt;
    return TextRange{begin, payload_end};
  }
  const size_t end = EndOf(text, payload_end + 1, kJwtBytesMax, IsTokenChar);
  if (end - payload_end < 17) return std::nullopt;
  return TextRange{begin, end};
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  static constexpr auto kValues = [] {
    std::array<int8_t, 256> values{};
    values.fill(-1);
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
    values[static_cast<uint8_t>('-')] = 62;
    values[static_cast<uint8_t>('_')] = 63;
    return values;
  }();
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.empty() || text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int8_t value = kValues[static_cast<uint8_t>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count);
    }
  }
  return out;
}

}  // namespace headgate::router
