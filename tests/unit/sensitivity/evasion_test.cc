// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Identifiers with a check digit or a fixed form, generated, under every evasion, singly and in pairs: each is found.
// The same frames without a value stay clean, so that flagging their words would not pay.
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "router/classification.h"
#include "router/screening.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using Text = std::string;
using Evasion = std::function<Text(const Text&)>;

bool IsSensitive(const Text& text) {
  static const auto classification = [] {
    auto made = Classification::Make({});
    EXPECT_TRUE(made.ok()) << made.status();
    return std::move(*made);
  }();
  v1::GenerateRequest request;
  request.add_messages()->set_content(text);
  const Prompt prompt(std::move(request));
  return classification->Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, {}, Screening(LimitsConfig{}).Screen(prompt))
      .sensitive();
}

Text Utf8(char32_t c) {
  if (c < 0x80) return Text(1, static_cast<char>(c));
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
  if (c < 0x10000) {
    return {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            static_cast<char>(0x80 | (c & 0x3F))};
  }
  return {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
          static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
}

Evasion Digits(char32_t zero) {
  return [zero](const Text& value) {
    Text out;
    for (const char c : value) out += c >= '0' && c <= '9' ? Utf8(zero + static_cast<char32_t>(c - '0')) : Text(1, c);
    return out;
  };
}
Evasion Words(std::vector<Text> digits, Text between = "") {
  return [digits = std::move(digits), between = std::move(between)](const Text& value) {
    Text out;
    for (const char c : value) {
      out += c >= '0' && c <= '9' ? digits[static_cast<size_t>(c - '0')] : Text(1, c);
      out += between;
    }
    return out.substr(0, out.size() - between.size());
  };
}
// `between` after every character of ASCII, or after every fourth.
Evasion Apart(Text between, size_t every) {
  return [between = std::move(between), every](const Text& value) {
    Text out;
    size_t count = 0;
    for (size_t i = 0; i < value.size(); ++i) {
      const bool begins = (static_cast<uint8_t>(value[i]) & 0xC0) != 0x80;
      if (begins && count > 0 && count % every == 0) out += between;
      count += begins;
      out += value[i];
    }
    return out;
  };
}
Evasion Each(std::function<Text(uint8_t)> map) {
  return [map = std::move(map)](const Text& value) {
    Text out;
    for (const char c : value) out += map(static_cast<uint8_t>(c));
    return out;
  };
}
Text Hex2(uint8_t byte) {
  constexpr char kHex[] = "0123456789abcdef";
  return {kHex[byte >> 4], kHex[byte & 15]};
}
Text Base64(const Text& value) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Text out;
  for (size_t i = 0; i < value.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < value.size() ? static_cast<uint8_t>(value[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= value.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}
Text FullWidthAll(const Text& value) {
  Text out;
  for (const char c : value) out += c > ' ' && static_cast<uint8_t>(c) < 0x7F ? FullWidth(c) : Text(1, c);
  return out;
}

struct Named {
  const char* name;
  Evasion evade;
  bool ascii = false;  // writes ASCII bytes from bytes: may follow anything
};

const std::vector<Named>& Evasions() {
  static const std::vector<Named> evasions = {
      {"full_width", FullWidthAll},
      {"bold", Digits(0x1D7CE)},
      {"arabic", Digits(0x0660)},
      {"keycap", Words({"0️⃣", "1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣",
                        "8️⃣", "9️⃣"})},
      {"circled", Words({"⓪", "①", "②", "③", "④", "⑤", "⑥", "⑦", "⑧", "⑨"})},
      {"chinese", Words({"〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"})},
      {"financial", Words({"零", "壹", "贰", "叁", "肆", "伍", "陆", "柒", "捌", "玖"})},
      {"spoken", Words({"洞", "幺", "两", "三", "四", "五", "六", "拐", "八", "勾"})},
      {"english", Words({"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}, " ")},
      {"zero_width", Apart("\u200B", 2)},
      {"soft_hyphen", Apart("\u00AD", 3)},
      {"bidi", Apart("\u202E", 4)},
      {"single_spaces", Apart(" ", 1)},
      {"groups_space", Apart(" ", 4)},
      {"groups_hyphen", Apart("-", 4)},
      {"groups_dot", Apart(".", 4)},
      {"groups_slash", Apart("/", 4)},
      {"groups_underscore", Apart("_", 4)},
      {"groups_comma", Apart("、", 4)},
      {"newlines", Apart("\n", 6)},
      {"glued_chinese", [](const Text& value) { return "号" + value + "号"; }},
      {"json_value", [](const Text& value) { return "{\"v\":\"" + value + "\"}"; }, true},
      {"json_key", [](const Text& value) { return "{\"" + value + "\":1}"; }, true},
      {"table", [](const Text& value) { return "| " + value + " |"; }, true},
      {"base64", Base64, true},
      {"hex", Each(Hex2), true},
      {"url", Each([](uint8_t byte) { return "%" + Hex2(byte); }), true},
      {"html", Each([](uint8_t byte) {
         return byte < 0x80 ? "&#" + std::to_string(byte) + ";" : Text(1, static_cast<char>(byte));
       }),
       true},
      {"json_u",
       Each([](uint8_t byte) { return byte < 0x80 ? "\\u00" + Hex2(byte) : Text(1, static_cast<char>(byte)); }), true},
  };
  return evasions;
}

struct Identifier {
  const char* name;
  const char* before;
  const char* after;
  std::function<Text(std::mt19937&)> make;
};

Text Iban(std::mt19937& random) {  // the check digits by trying all
  const Text body = RandomDigits(random, 18);
  for (int check = 2; check <= 98; ++check) {
    const Text iban = "DE" + Text(check < 10 ? "0" : "") + std::to_string(check) + body;
    int remainder = 0;
    for (const char c : body + "1314" + iban.substr(2, 2)) remainder = (remainder * 10 + (c - '0')) % 97;
    if (remainder == 1) return iban;
  }
  return "";
}

const std::vector<Identifier>& Identifiers() {
  static const std::vector<Identifier> identifiers = {
      {"resident_id", "我的身份证号是 ", " 请核对", RandomResidentId},
      {"union_pay", "卡号 ", " 收到了吗",
       [](std::mt19937& random) { return WithLuhnCheck("622202" + RandomDigits(random, 12)); }},
      {"visa", "card ", " please",
       [](std::mt19937& random) { return WithLuhnCheck("4539" + RandomDigits(random, 11)); }},
      {"mobile", "手机 ", " 联系我", [](std::mt19937& random) { return "139" + RandomDigits(random, 7) + "6"; }},
      {"iban", "IBAN ", " for the invoice", Iban},
      {"api_key", "key ", " is this right",
       [](std::mt19937& random) {
         Text key = "sk-";
         for (int i = 0; i < 24; ++i)
           key += i % 3 == 0 ? static_cast<char>('0' + random() % 10)
                             : static_cast<char>((i % 2 == 0 ? 'a' : 'A') + random() % 26);
         return key;
       }},
  };
  return identifiers;
}

// What an evasion cannot do to this value without destroying it for a reader as well.
bool Fits(const Identifier& identifier, const Named& evasion) {
  const std::string_view name = evasion.name;
  if (identifier.name != std::string_view("api_key")) return true;
  return name != "groups_hyphen" && name != "english" && name != "groups_dot" && name != "groups_slash" &&
         name != "groups_underscore" && name != "groups_comma" && name != "newlines" && name != "groups_space" &&
         name != "chinese" && name != "financial" && name != "spoken" && name != "arabic" && name != "single_spaces";
}

TEST(Evasion, EachIdentifierIsFoundUnderEach) {
  std::mt19937 random(20261122);
  for (const Identifier& identifier : Identifiers()) {
    EXPECT_FALSE(IsSensitive(Text(identifier.before) + identifier.after)) << identifier.name << " without a value";
    for (const Named& evasion : Evasions()) {
      if (!Fits(identifier, evasion)) continue;
      for (int round = 0; round < 5; ++round) {
        const Text text = identifier.before + evasion.evade(identifier.make(random)) + identifier.after;
        ASSERT_TRUE(IsSensitive(text)) << identifier.name << " " << evasion.name << ": " << text;
      }
    }
  }
}

TEST(Evasion, EachIdentifierIsFoundUnderPairs) {
  std::mt19937 random(7);
  int missed = 0, tried = 0;
  for (const Identifier& identifier : Identifiers()) {
    for (const Named& first : Evasions()) {
      for (const Named& second : Evasions()) {
        // The second one writes what the first one made in another form; two ways to write one digit exclude each
        // other.
        if (!second.ascii || !Fits(identifier, first) || !Fits(identifier, second)) continue;
        const Text text = identifier.before + second.evade(first.evade(identifier.make(random))) + identifier.after;
        ++tried;
        if (IsSensitive(text)) continue;
        ++missed;
        ADD_FAILURE() << identifier.name << " " << first.name << " then " << second.name << ": " << text;
      }
    }
  }
  EXPECT_GT(tried, 1000);
  EXPECT_EQ(missed, 0);
}

TEST(Evasion, SeparatorsComeOnTopOfOtherDigits) {
  std::mt19937 random(11);
  for (const Identifier& identifier : Identifiers()) {
    if (identifier.name == std::string_view("api_key")) continue;
    for (const char* digits : {"full_width", "bold", "arabic", "circled", "chinese", "financial", "spoken"}) {
      for (const char* apart :
           {"single_spaces", "groups_space", "groups_hyphen", "zero_width", "newlines", "groups_comma"}) {
        const auto evade = [](const char* name, const Text& value) {
          for (const Named& evasion : Evasions()) {
            if (evasion.name == std::string_view(name)) return evasion.evade(value);
          }
          return Text();
        };
        const Text text = identifier.before + evade(digits, evade(apart, identifier.make(random))) + identifier.after;
        EXPECT_TRUE(IsSensitive(text)) << identifier.name << " " << digits << " " << apart << ": " << text;
      }
    }
  }
}

}  // namespace
}  // namespace headgate::router
