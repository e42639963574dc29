// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What has a check digit or a prefix of its own, under any two of the evasions that people use and in every place: all
// of it is found. Nothing is left out.
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/unit/sensitivity/evasion_checks.h"
#include "tests/unit/sensitivity/evasion_samples.h"

namespace headgate::router {
namespace {

// Nothing is given up as unreadable. HEADGATE_ALL_EVASIONS says how many values of each kind.
TEST(PlainEvasions, AnyTwoHideNothing) {
  std::mt19937 random(41);
  Misses misses;
  for (size_t round = 0; round < std::max<size_t>(RoundsOfAll(), 1); ++round) {
    for (const Identifier& identifier : AllIdentifiers()) {
      if (!IsChecked(identifier)) continue;
      for (const Evasion& first : AllEvasions()) {
        for (const Evasion& second : AllEvasions()) {
          if (!IsPlainEvasion(first) || !IsPlainEvasion(second)) continue;
          const Text twice = second.write(first.write(identifier.make(random)));
          const Text text = identifier.before + twice + identifier.after;
          const Types found = Found(text);
          const bool read = std::any_of(found.begin(), found.end(),
                                        [](const Text& type) { return !type.starts_with("NOT_INSPECTABLE"); });
          misses.Check(read, absl::StrCat(identifier.name, " ", first.name, " then ", second.name), text);
        }
      }
    }
  }
  EXPECT_EQ(misses.tried(), 17 * 34 * 34 * static_cast<int>(std::max<size_t>(RoundsOfAll(), 1)));
}

// Places other than the last message, for every plain evasion.
const Place kOtherPlaces[] = {
    {"system",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_SYSTEM, text);
       Say(request, v1::ROLE_USER, "Hello");
     }},
    {"an_earlier_turn",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, text);
       Say(request, v1::ROLE_ASSISTANT, "Noted. What else?");
       Say(request, v1::ROLE_USER, "Write a poem about the sea.");
     }},
    {"arguments", [](const Text& text, auto& request) { PutArguments(Dump(text, true), request); }},
    {"tool_result",
     [](const Text& text, auto& request) {
       PutArguments("{}", request);
       request.mutable_messages(2)->set_content(text);
     }},
    {"the_end_of_100,000_characters",
     [](const Text& text, auto& request) {
       Text all;
       while (all.size() < 100'000) all += "This part says nothing but that the weather is fine in spring. ";
       Say(request, v1::ROLE_USER, all + text);
     }},
};

TEST(PlainEvasions, HideNothingInOtherPlaces) {
  constexpr size_t kLongOneIn = 8;  // they take long
  std::mt19937 random(43);
  Misses misses;
  size_t turn = 0;
  for (const Identifier& identifier : AllIdentifiers()) {
    if (!IsChecked(identifier)) continue;
    for (const Evasion& evasion : AllEvasions()) {
      if (!IsPlainEvasion(evasion)) continue;
      ++turn;
      for (const Place& place : kOtherPlaces) {
        if (&place == std::end(kOtherPlaces) - 1 && turn % kLongOneIn != 0) continue;
        const Text value = evasion.write(identifier.make(random));
        v1::GenerateRequest request;
        place.put(identifier.before + value + identifier.after, request);
        misses.Check(!Found(std::move(request)).empty(),
                     absl::StrCat(identifier.name, " ", evasion.name, " in ", place.name), value);
      }
    }
  }
  EXPECT_GT(misses.tried(), 2000);
}

// Cut, they are read as one again; names that a prefix stands in, and what follows a key in the documentation, are not.
TEST(PlainEvasions, OnlyKeysAreReadAsKeys) {
  for (const char* text :
       {"use L T A I three 2P k1 Dh9 jfo urU8 gS ix9 TzQ for oss",
        "use ghp_ 九xx三 Kx二p X八JY 八Ne九 Gl九l Y五Ta 七Ln六 yB二Y X九lp",
        "key AKIA 7QX、B2N、ZK4T、WR、3J5M is this right"}) {
    EXPECT_TRUE(Found(Text(text)).contains("API_KEY")) << text;
  }
  for (const char* text :
       {"In the docs they use AKIAIOSFODNN7EXAMPLE, is that a real key", "task-id 70b61c0f-57ce-4715-a247-cae8729dcce9",
        "python convert_hf_to_gguf.py ../MiniCPM-V-4_6 --outfile ../MiniCPM-V-4_6",
        "AKID_ISSUER_SERIAL_MISMATCH 31", "add r8_ops DEFAULT FOR TYPE macaddr8 USING btree"}) {
    EXPECT_TRUE(Found(Text(text)).empty()) << text << ": " << *Found(Text(text)).begin();
  }
}

}  // namespace
}  // namespace headgate::router
