// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// More of what has a check digit or a provider's prefix: other issuers, other countries, other providers.
#include <string_view>

#include "tests/unit/sensitivity/evasion_samples.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using Text = std::string;
using Random = std::mt19937;

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kCapitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kAlnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

Text Of(Random& random, std::string_view characters, size_t size) {
  Text text;
  while (text.size() < size) text += characters[random() % characters.size()];
  return text;
}

std::function<Text(Random&)> Card(const char* issuer, size_t size) {
  return [issuer, size](Random& random) {
    return WithLuhnCheck(issuer + RandomDigits(random, size - 1 - std::string_view(issuer).size()));
  };
}
std::function<Text(Random&)> Key(const char* prefix, std::string_view characters, size_t size) {
  return [=](Random& random) { return prefix + Of(random, characters, size); };
}

int ValueOf(char c) { return c >= 'A' ? c - 'A' + 10 : c - '0'; }
// By the definition: the remainder of the number that the characters make.
Text Iban(const Text& country, const Text& body) {
  int remainder = 0;
  for (const char c : body + country + "00") remainder = (remainder * (c >= 'A' ? 100 : 10) + ValueOf(c)) % 97;
  const int check = 98 - remainder;
  return country + (check < 10 ? "0" : "") + std::to_string(check) + body;
}
Text HongKongIdOfTwoLetters(Random& random) {
  const Text body = "X" + Of(random, "ABCDEGH", 1) + RandomDigits(random, 6);
  int sum = 0;
  for (size_t i = 0; i < body.size(); ++i) sum += ValueOf(body[i]) * static_cast<int>(9 - i);
  const int check = (11 - sum % 11) % 11;
  return body + "(" + (check == 10 ? Text("A") : std::to_string(check)) + ")";
}

}  // namespace

const std::vector<Identifier>& MoreCheckedIdentifiers() {
  static const std::vector<Identifier> identifiers = {
      {"amex", "card ", " please", Card("3714", 15)},
      {"jcb", "card ", " please", Card("3566", 16)},
      {"mastercard_5", "card ", " please", Card("5412", 16)},
      {"union_pay_16", "卡号 ", " 收到了吗", Card("625965", 16)},
      {"hk_id_two_letters", "香港身份证 ", " 已提交", HongKongIdOfTwoLetters},
      {"iban_fr", "IBAN ", " for the invoice",
       [](Random& random) {
         return Iban("FR", RandomDigits(random, 10) + Of(random, kCapitals, 11) + RandomDigits(random, 2));
       }},
      {"iban_it", "IBAN ", " for the invoice",
       [](Random& random) { return Iban("IT", "X" + RandomDigits(random, 10) + Of(random, kCapitals, 12)); }},
      {"iban_nl", "IBAN ", " for the invoice",
       [](Random& random) { return Iban("NL", "ABNA" + RandomDigits(random, 10)); }},
      {"amazon", "use ", " for s3", Key("AKIA", kBase32, 16), true},
      {"google", "use ", " for maps", Key("AIza", kAlnum, 35), true},
      {"slack", "use ", " for slack",
       [](Random& random) {
         return "xoxb-" + RandomDigits(random, 12) + "-" + RandomDigits(random, 12) + "-" + Of(random, kAlnum, 24);
       },
       true},
      {"gitlab", "use ", " for the push", Key("glpat-", kAlnum, 20), true},
      {"github_pat", "use ", " for the push",
       [](Random& random) { return "github_pat_" + Of(random, kAlnum, 22) + "_" + Of(random, kAlnum, 59); }, true},
      {"npm", "use ", " for the push", Key("npm_", kAlnum, 36), true},
      {"hugging_face", "use ", " for the push", Key("hf_", kAlnum, 34), true},
      {"anthropic", "key ", " is this right", Key("sk-ant-api03-", kAlnum, 40), true},
      {"openai_project", "key ", " is this right", Key("sk-proj-", kAlnum, 48), true},
      {"deepseek", "key ", " is this right", Key("sk-", kHex, 32), true},
      {"stripe", "key ", " is this right", Key("sk_live_", kAlnum, 24), true},
      {"sendgrid", "key ", " is this right",
       [](Random& random) { return "SG." + Of(random, kAlnum, 22) + "." + Of(random, kAlnum, 43); }, true},
      {"tencent", "key ", " is this right", Key("AKID", kAlnum, 32), true},
      {"digital_ocean", "key ", " is this right", Key("dop_v1_", kHex, 64), true},
      {"databricks", "key ", " is this right", Key("dapi", kHex, 32), true},
      {"webhook", "key ", " is this right", Key("whsec_", kAlnum, 32), true},
  };
  return identifiers;
}

}  // namespace headgate::router
