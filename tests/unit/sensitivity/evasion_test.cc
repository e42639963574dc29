// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Identifiers with a check digit or a fixed form, generated, under every evasion, singly and in pairs, in every place
// and over several: each is found. The same frames without a value stay clean, so that flagging their words would not
// pay.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/sensitivity/evasion_checks.h"
#include "tests/unit/sensitivity/evasion_samples.h"

namespace headgate::router {
namespace {

// As what it is without any evasion: a number that is taken for another kind of number was not read.
bool IsFound(const Identifier& identifier, const Types& found) {
  static std::map<Text, Types> plain;
  Types& types = plain[identifier.name];
  if (types.empty()) {
    std::mt19937 random(1);
    types = Found(identifier.before + identifier.make(random) + identifier.after);
    // The word decides.
    if (identifier.name == Text("mo_id") || identifier.name == Text("hk_id")) types.insert("NATIONAL_ID");
    if (Text(identifier.name) == "nino") types.insert("INSURANCE_NO");
    if (Text(identifier.name) == "old_resident_id") types.insert("BANK_CARD");  // one in ten that begins like a card
    if (Text(identifier.name) == "mbi") types.insert({"INSURANCE_NO", "NATIONAL_ID", "US_MBI"});
  }
  return std::any_of(found.begin(), found.end(), [&](const Text& type) { return types.contains(type); });
}
bool IsFound(const Identifier& identifier, const Text& text) { return IsFound(identifier, Found(text)); }

TEST(Evasion, EachIdentifierIsFoundUnderEach) {
  std::mt19937 random(20261122);
  Misses misses;
  for (const Identifier& identifier : AllIdentifiers()) {
    EXPECT_TRUE(Found(Text(identifier.before) + identifier.after).empty()) << identifier.name << " without a value";
    for (int round = 0; round < 4; ++round) {
      const Text value = identifier.make(random);
      misses.Check(IsFound(identifier, identifier.before + value + identifier.after), Text(identifier.name) + " plain",
                   value);
      for (const Evasion& evasion : AllEvasions()) {
        if (!Fits(identifier, evasion)) continue;
        const Text text = identifier.before + evasion.write(value) + identifier.after;
        misses.Check(IsFound(identifier, text), absl::StrCat(identifier.name, " ", evasion.name), text);
      }
    }
  }
}

// Glued to letters, what has no check digit, or one that any tenth number has, may be a part of any code: it is found
// as it is written, and not in every disguise as what it is, nor over several messages; nor is a gap within brackets
// one that a number is written with.
bool IsGluedCode(const Identifier& identifier, const Text& first, const Text& second) {
  const std::set<Text> unchecked = {"mo_id",   "ssn", "itin", "nino",           "mobile",
                                    "routing", "mbi", "usci", "old_resident_id"};
  if (first != "glued_latin" && second != "glued_latin") return false;
  return unchecked.contains(identifier.name) || (Text(identifier.name) == "hk_id" && first.starts_with("groups"));
}

// National Insurance numbers that begin like words: `ME 12 34 56 C`.
TEST(Evasion, InsuranceNumbersThatBeginLikeWordsAreFound) {
  std::mt19937 random(29);
  Misses misses;
  for (const Identifier& identifier : AllIdentifiers()) {
    if (identifier.name != Text("nino")) continue;
    for (const char* prefix : {"AS", "BE", "HE", "ME", "MR", "PC", "TA", "WE"}) {
      const Text value = prefix + identifier.make(random).substr(2);
      for (const Evasion& evasion : AllEvasions()) {
        const Text text = identifier.before + evasion.write(value) + identifier.after;
        misses.Check(IsFound(identifier, text), absl::StrCat(prefix, " ", evasion.name), text);
      }
    }
  }
}

// `visit(identifier, what, value)` for every pair that fits.
void ForEachPair(uint32_t seed, const std::function<void(const Identifier&, const Text&, const Text&)>& visit) {
  std::mt19937 random(seed);
  for (const Identifier& identifier : AllIdentifiers()) {
    for (const Evasion& first : AllEvasions()) {
      for (const Evasion& second : AllEvasions()) {
        if (!Fits(identifier, first) || !Fits(identifier, second) || !Fits(first, second)) continue;
        if (IsGluedCode(identifier, first.name, second.name)) continue;
        visit(identifier, absl::StrCat(identifier.name, " ", first.name, " then ", second.name),
              second.write(first.write(identifier.make(random))));
      }
    }
  }
}

TEST(Evasion, EachIdentifierIsFoundUnderPairs) {
  Misses misses;
  ForEachPair(7, [&](const Identifier& identifier, const Text& what, const Text& value) {
    const Text text = identifier.before + value + identifier.after;
    misses.Check(IsFound(identifier, text), what, text);
  });
  EXPECT_GT(misses.tried(), 8000);
}

bool IsBase85(const Evasion& evasion) {
  return std::set<Text>{"ascii85", "rfc1924", "z85"}.contains(evasion.name);
}

// What no reader undoes: dumps of which the digits are in words or the columns cut again, base85 whose letters are set
// apart with some of its digits in words, and words cut into literals.
bool IsUnread(const Text& first, const Text& second) {
  const std::set<Text> words = {"chinese", "financial", "traditional", "spoken", "english", "groups_space"};
  return (first == "hex_dump" && words.contains(second)) ||
         ((first == "rfc1924" || first == "z85") && second == "english") ||
         (first == "english" && second == "concatenated");
}

// Any two of all in either order, whether a person would still understand it or not: one in four, or all of them as
// often as HEADGATE_ALL_EVASIONS says, of which one in a thousand may be missed.
TEST(Evasion, CheckedIdentifiersAreFoundUnderAnyTwo) {
  constexpr size_t kOneIn = 4;
  const size_t all = RoundsOfAll();
  std::mt19937 random(31), chosen(37);
  Misses misses(all == 0 ? 0 : 1000);
  for (size_t round = 0; round < std::max<size_t>(all, 1); ++round) {
    for (const Identifier& identifier : AllIdentifiers()) {
      if (!IsChecked(identifier) || identifier.code) continue;
      for (const Evasion& first : AllEvasions()) {
        for (const Evasion& second : AllEvasions()) {
          const Text value = identifier.make(random), once = first.write(value), twice = second.write(once);
          if (once == value || twice == once || (chosen() % kOneIn != 0 && all == 0)) continue;
          // In base85 these two may be any code.
          const bool base85 = IsBase85(first) || IsBase85(second);
          if (base85 && (identifier.name == Text("usci") || identifier.name == Text("mbi"))) continue;
          if (IsUnread(first.name, second.name)) continue;
          const Text what = absl::StrCat(identifier.name, " ", first.name, " then ", second.name);
          const Text text = identifier.before + twice + identifier.after;
          misses.Check(!Found(text).empty(), what, text);
        }
      }
    }
  }
  EXPECT_GT(misses.tried(), 7000);
}

const Place kPlaces[] = {
    {"arguments", [](const Text& text, auto& request) { PutArguments(Dump(text, false), request); }},
    {"arguments_ascii", [](const Text& text, auto& request) { PutArguments(Dump(text, true), request); }},
    {"json_in_arguments",
     [](const Text& text, auto& request) { PutArguments(Dump(Dump(text, true), false), request); }},
    {"json_in_json_in_arguments",
     [](const Text& text, auto& request) { PutArguments(Dump(Dump(Dump(text, false), true), true), request); }},
    {"json_in_tool_result",
     [](const Text& text, auto& request) {
       PutArguments("{}", request);
       request.mutable_messages(2)->set_content(Dump(Dump(text, false), false));
     }},
    {"json_in_a_code_fence",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, "Is this valid?\n```json\n" + Dump(text, true) + "\n```\nThanks.");
     }},
    {"json_in_url_in_json",
     [](const Text& text, auto& request) {
       PutArguments(Dump(EvasionNamed("url").write(Dump(text, true)), false), request);
     }},
    {"tool_parameters",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, "Use the tool.");
       request.add_tools()->set_parameters_json(Dump(text, true));
     }},
    {"schema",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, "As JSON.");
       request.mutable_response_format()->set_json_schema(Dump(text, false));
     }},
};

TEST(Evasion, EachIdentifierIsFoundUnderPairsInsideOfJson) {
  Misses misses;
  size_t turn = 0;
  ForEachPair(13, [&](const Identifier& identifier, const Text& what, const Text& value) {
    if (turn++ % 2 == 0) return;  // all of them take too long
    const Place& place =
        kPlaces[turn / 2 % std::size(kPlaces)];  // over all identifiers and pairs, each place with each
    v1::GenerateRequest request;
    place.put(identifier.before + value + identifier.after, request);
    misses.Check(IsFound(identifier, Found(std::move(request))), absl::StrCat(what, " in ", place.name), value);
  });
  EXPECT_GT(misses.tried(), 8000);
}

// How the parts of a text are told apart.
struct Cut {
  const char* name;
  size_t parts;
  std::function<void(const std::vector<Text>& parts, v1::GenerateRequest& request)> put;
  bool lines = false;  // of one text
};
const Cut kCuts[] = {
    {"two_messages", 2,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) Say(request, v1::ROLE_USER, part);
     }},
    {"three_messages", 3,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) Say(request, v1::ROLE_USER, part);
     }},
    {"six_messages", 6,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) Say(request, v1::ROLE_USER, part);
     }},
    {"answers_between", 3,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) {
         Say(request, v1::ROLE_USER, part);
         Say(request, v1::ROLE_ASSISTANT, "Go on, please.");
       }
     }},
    {"over_roles", 3,
     [](const auto& parts, auto& request) {
       const v1::Role roles[] = {v1::ROLE_SYSTEM, v1::ROLE_USER, v1::ROLE_ASSISTANT};
       for (size_t i = 0; i < parts.size(); ++i) Say(request, roles[i], parts[i]);
     }},
    {"name_and_content", 2,
     [](const auto& parts, auto& request) { Say(request, v1::ROLE_USER, parts[1]).set_name(parts[0]); }},
    {"content_and_name", 2,
     [](const auto& parts, auto& request) { Say(request, v1::ROLE_USER, parts[0]).set_name(parts[1]); }},
    {"parts_of_a_message", 2,  // which come joined by newlines
     [](const auto& parts, auto& request) { Say(request, v1::ROLE_USER, parts[0] + "\n" + parts[1]); }, true},
    {"three_parts_of_a_message", 3,
     [](const auto& parts, auto& request) {
       Say(request, v1::ROLE_USER, parts[0] + "\n" + parts[1] + "\n" + parts[2]);
     },
     true},
    {"arguments_of_two_calls", 2,
     [](const auto& parts, auto& request) {
       v1::Message& message = Say(request, v1::ROLE_ASSISTANT, "");
       for (const Text& part : parts) {
         message.add_tool_calls()->set_arguments(nlohmann::json({{"part", part}}).dump(-1, ' ', true));
       }
     }},
};

// Figures in two kinds of groups at once, words cut in the middle, and what has no check digit: a line's end in them is
// a line's end.
bool FitsLines(const Identifier& identifier, const Text& evasions) {
  for (const char* name : {"mobile", "permit", "mo_id"}) {
    if (Text(identifier.name).find(name) != Text::npos) return false;
  }
  for (const char* name : {"groups", "single_spaces", "newlines", "english", "cells", "breaks", "concatenated",
                           "list_of", "character_codes", "hex_dump", "quoted_printable"}) {
    if (evasions.find(name) != Text::npos) return false;
  }
  return true;
}

// At whole characters, anywhere in the value.
std::vector<Text> Split(const Text& before, const Text& value, const Text& after, size_t parts, std::mt19937& random) {
  std::vector<Text> out;
  size_t at = 0;
  for (size_t part = 0; part + 1 < parts; ++part) {
    size_t end = value.size() * (part + 1) / parts + random() % 3;
    while (end < value.size() && (static_cast<uint8_t>(value[end]) & 0xC0) == 0x80) ++end;
    end = std::max(at, std::min(end, value.size()));
    out.push_back(value.substr(at, end - at));
    at = end;
  }
  out.push_back(value.substr(at));
  out.front() = before + out.front();
  out.back() += after;
  return out;
}

TEST(Evasion, EachIdentifierIsFoundWhereverItIsSplit) {
  std::mt19937 random(17);
  Misses misses;
  for (const Identifier& identifier : AllIdentifiers()) {
    for (const Cut& cut : kCuts) {
      const auto check = [&](const char* evasion, const Text& value) {
        if (cut.lines && !FitsLines(identifier, evasion)) return;
        if (Text(evasion) == "list_of_strings") return;  // one that is cut is no list
        if (IsGluedCode(identifier, evasion, evasion)) return;
        v1::GenerateRequest request;
        cut.put(Split(identifier.before, value, identifier.after, cut.parts, random), request);
        misses.Check(IsFound(identifier, Found(std::move(request))),
                     absl::StrCat(identifier.name, " ", evasion, " over ", cut.name), value);
      };
      for (int round = 0; round < 3; ++round) check("plain", identifier.make(random));
      for (const Evasion& evasion : AllEvasions()) {
        if (Fits(identifier, evasion)) check(evasion.name, evasion.write(identifier.make(random)));
      }
    }
  }
  EXPECT_GT(misses.tried(), 5000);
}

TEST(Evasion, EachIdentifierIsFoundUnderPairsWhereverItIsSplit) {
  std::mt19937 random(19);
  Misses misses;
  size_t turn = 0;
  int other_types = 0;
  ForEachPair(23, [&](const Identifier& identifier, const Text& what, const Text& value) {
    if (turn++ % 2 == 0) return;
    const Cut& cut = kCuts[turn / 2 % std::size(kCuts)];
    if (cut.lines && !FitsLines(identifier, what)) return;
    if (what.find("list_of_strings") != Text::npos || what.find("hex_dump") != Text::npos) return;
    const bool base85 = what.find("85") != Text::npos || what.find("rfc1924") != Text::npos;
    if (cut.lines && base85) return;  // where it begins and ends is another's to say, on other lines
    v1::GenerateRequest request;
    cut.put(Split(identifier.before, value, identifier.after, cut.parts, random), request);
    const Types found = Found(std::move(request));
    misses.Check(!found.empty(), absl::StrCat(what, " over ", cut.name), value);
    other_types += !IsFound(identifier, found);
  });
  EXPECT_LE(other_types, 2 + misses.tried() / 1000);
  EXPECT_GT(misses.tried(), 7000);
}

// What has a check digit is put together from parts, and read backwards or with letters for digits; a table is not.
TEST(Evasion, NumbersInDisguiseAreFound) {
  const std::map<Text, std::vector<Text>> rows = {
      {"CN_RESIDENT_ID",
       {"The first part: 110105198, second part: 706121007",
        "前半 11010519 后半 8706121007",
        "starts with 110105 then 19870612 and ends in 1007",
        "last four 1007, before them 11010519870612",
        "700121607891501011",
        "ID 11O1O5198706l21007",
        "110105=19870612=1007",
        "110105 ~ 19870612 ~ 1007",
        "<b>110105</b>19870612<b>1007</b>",
        "110105<br>19870612<br>1007",
        "id=110105+19870612+1007&n=2",
        "'110105' || '19870612' || '1007'",
        "\"110105\" .. \"198706121007\"",
        "CONCAT('110105', '19870612', '1007')",
        "x = ['1','1','0','1','0','5','1','9','8','7','0','6','1','2','1','0','0','7']",
        "1,1,0,1,0,5,1,9,8,7,0,6,1,2,1,0,0,7",
        "|1|1|0|1|0|5|1|9|8|7|0|6|1|2|1|0|0|7|",
        "=31=31=30=31=30=35=31=39=38=37=30=36=31=32=31=30=30=37",
        "110105198706=\n121007",
        "chr(49)+chr(49)+chr(48)+chr(49)+chr(48)+chr(53)+chr(49)+chr(57)+chr(56)+chr(55)+chr(48)+chr(54)+chr(49)+"
        "chr(50)+chr(49)+chr(48)+chr(48)+chr(55)",
        "0x31, 0x31, 0x30, 0x31, 0x30, 0x35, 0x31, 0x39, 0x38, 0x37, 0x30, 0x36, 0x31, 0x32, 0x31, 0x30, 0x30, 0x37",
        "00000000: 3131 3031 3035 3139 3837 3036 3132 3130  1101051987061210\n00000010: 3037"
        "                                     07",
        "00000000  31 31 30 31 30 35 31 39  38 37 30 36 31 32 31 30  |1101051987061210|\n00000010  30 37"
        "                                             |07|",
        "one one zero one zero five one nine eight seven zero six one two one zero zero seven",
        "GEYTAMJQGUYTSOBXGA3DCMRRGAYDO===", "geytamjqguytsobxga3dcmrrgaydo"}},
      {"BANK_CARD",
       {"card: first half 62220202, second half 00112345679", "the card backwards: 9765432110020202226",
        "622202O2OO112345679", "6222#0202#0011#2345#679",
        "<td>6222</td><td>0202</td><td>0011</td><td>2345</td><td>679</td>", "card=6222+0202+0011+2345+679",
        "'6222' + '0202' + '0011' + '2345' + '679'", "card: 6,2,2,2,0,2,0,2,0,0,1,1,2,3,4,5,6,7,9"}},
  };
  for (const auto& [type, texts] : rows) {
    for (const Text& text : texts) EXPECT_TRUE(Found(text).contains(type)) << type << ": " << text;
  }
  for (const char* text :
       {"Chapter 110105198 has 706121009 lines", "2026:11:22:10:20:30:40", "a=1&b=22&c=333&d=4444&e=55555&f=666666",
        "The first 622202020 rows, the second 1234567 rows", "ids: 12#345#678#901", "score[12] = 3; score[13] = 4",
        "'one' + 'two' + 'three'", "<td>12</td><td>345</td><td>6789</td><td>1011</td>",
        "45, 67, 89, 92, 71, 38, 55, 49, 60, 77, 83, 91", "10:20:30 10:20:31 10:20:32"}) {
    EXPECT_TRUE(Found(text).empty()) << text << ": " << *Found(text).begin();
  }
}

}  // namespace
}  // namespace headgate::router
