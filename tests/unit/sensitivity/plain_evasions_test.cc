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

std::vector<Identifier> CheckedIdentifiers() {
  std::vector<Identifier> identifiers = MoreCheckedIdentifiers();
  for (const Identifier& identifier : AllIdentifiers()) {
    if (IsChecked(identifier)) identifiers.push_back(identifier);
  }
  return identifiers;
}
std::vector<Evasion> PlainOnes() {
  std::vector<Evasion> evasions;
  for (const Evasion& evasion : AllEvasions()) {
    if (IsPlainEvasion(evasion)) evasions.push_back(evasion);
  }
  return evasions;
}
// Nothing is given up as unreadable.
bool IsRead(const Types& found) {
  return std::any_of(found.begin(), found.end(), [](const Text& type) { return !type.starts_with("NOT_INSPECTABLE"); });
}

TEST(PlainEvasions, NoneHidesAnything) {
  constexpr int kValues = 4;
  std::mt19937 random(40);
  Misses misses;
  for (const Identifier& identifier : CheckedIdentifiers()) {
    EXPECT_TRUE(Found(Text(identifier.before) + identifier.after).empty()) << identifier.name << " without a value";
    for (int round = 0; round < kValues; ++round) {
      for (const Evasion& evasion : PlainOnes()) {
        const Text text = identifier.before + evasion.write(identifier.make(random)) + identifier.after;
        misses.Check(IsRead(Found(text)), absl::StrCat(identifier.name, " ", evasion.name), text);
      }
    }
  }
  EXPECT_EQ(misses.tried(), 41 * 34 * kValues);
}

// HEADGATE_ALL_EVASIONS says how many values of each kind and pair, HEADGATE_SEED which. Of very many one in 5,000 may
// be missed: a key of which the groups read as words, say.
TEST(PlainEvasions, AnyTwoHideNothing) {
  const size_t rounds = std::max<size_t>(RoundsOfAll(), 1);
  std::mt19937 random(SeedOr(41));
  Misses misses(rounds > 1 ? 5000 : 0);
  for (size_t round = 0; round < rounds; ++round) {
    for (const Identifier& identifier : CheckedIdentifiers()) {
      for (const Evasion& first : PlainOnes()) {
        for (const Evasion& second : PlainOnes()) {
          const Text twice = second.write(first.write(identifier.make(random)));
          const Text text = identifier.before + twice + identifier.after;
          misses.Check(IsRead(Found(text)), absl::StrCat(identifier.name, " ", first.name, " then ", second.name),
                       text);
        }
      }
    }
  }
  EXPECT_EQ(misses.tried(), 41 * 34 * 34 * static_cast<int>(rounds));
}

// What a word beside them makes identifiers, between gaps of two kinds.
TEST(PlainEvasions, AnyTwoHideNoLabelledNumber) {
  const size_t rounds = std::max<size_t>(RoundsOfAll(), 1);
  std::mt19937 random(47);
  Misses misses;
  for (size_t round = 0; round < rounds; ++round) {
    for (const Identifier& identifier : AllIdentifiers()) {
      const Text name = identifier.name;
      if (name != "nino" && name != "mo_id" && !name.starts_with("permit")) continue;
      for (const Evasion& first : PlainOnes()) {
        for (const Evasion& second : PlainOnes()) {
          const Text value = identifier.make(random), once = first.write(value), twice = second.write(once);
          if (once == value || (twice == once && &first != &second)) continue;
          const Text text = identifier.before + twice + identifier.after;
          misses.Check(!Found(text).empty(), absl::StrCat(name, " ", first.name, " then ", second.name), text);
        }
      }
    }
  }
  EXPECT_GT(misses.tried(), 5000);
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
  for (const Identifier& identifier : CheckedIdentifiers()) {
    for (const Evasion& evasion : PlainOnes()) {
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
  EXPECT_GT(misses.tried(), 5000);
}

// Cut, they are read as one again; names that a prefix stands in, and what follows a key in the documentation, are not.
TEST(PlainEvasions, OnlyKeysAreReadAsKeys) {
  for (const char* text :
       {"use L T A I three 2P k1 Dh9 jfo urU8 gS ix9 TzQ for oss",
        "use ghp_ 九xx三 Kx二p X八JY 八Ne九 Gl九l Y五Ta 七Ln六 yB二Y X九lp",
        "key AKIA 7QX、B2N、ZK4T、WR、3J5M is this right", "use AKIASAIPVYQCIZHTGHTT for s3",
        "nosk-0cd8210a48ac3d9df4d0218e44031c07ok", "sk-0cd8 210a 48ac 3d9d f4d0 218e 4403 1c07",
        "sk_l、ive、_Jg、Jiw、Qh7、Mto、yik、xJF、5Cu、sqk0",
        "AKIAR55MMHI75EH5IHHM", "| noglpat-snAnzvreivzSLyUghiaKok |",
        "s k - d 、 7 9 5 5 、 1 0 8 5 、 5 5 9 8 、 6 7 6 9 、 b 3 3 4 、 1 2 1 8 、 3 2 0 3 、 4 2 1",
        "glpa t-hs OgoH elyJ Nine wexo pt", "my key is value=nosk-rx5X6bjcYLGDYoDrYsGHFxgPvlNZromok",
        "my key is dmFsdWU9bm9zay1yeDVYNmJqY1lMR05EWW9EcllzR0hGeGdQdmxOWnJvbW9r"}) {
    EXPECT_TRUE(Found(Text(text)).contains("API_KEY")) << text;
  }
  for (const char* text :
       {"In the docs they use AKIAIOSFODNN7EXAMPLE, is that a real key", "task-id 70b61c0f-57ce-4715-a247-cae8729dcce9",
        "python convert_hf_to_gguf.py ../MiniCPM-V-4_6 --outfile ../MiniCPM-V-4_6",
        "AKID_ISSUER_SERIAL_MISMATCH 31", "task-0cd8210a48ac3d9df4d0218e44031c07", "--task-set arn:aws:ecs:us-west-2",
        "disk-0cd8 210a 48ac 3d9d f4d0 218e 4403 1c07 is full", "ASIAPACIFICREGIONALS",
        "add r8_ops DEFAULT FOR TYPE macaddr8 USING btree",
        "template<class _UIntType, int __w, int __n, int __m, int __r, _UIntType __a, int __u, int __s>",
        "(const float max_bias, const uint h, const uint n_head_log2, const float m0, const float m1) { if",
        "Q6_Vhf_equals_Vqf16(Q6_Vqf16_vmpy_VhfVhf(Q6_V_hi_W(vp_hi2), v",
        "task-1.\n  emulator_->SetBalance(1'500'000'000, 2'000'000'000)",
        "sha1(0x02),{\"03de6c570bfe24bfc328ccd7ca46b76eadaf4334\"}",
        "keys start with sk- and then the dashboard shows the last four",
        "bc147c19e7642894507  usr/lib/llvm-14/build/utils"}) {
    EXPECT_TRUE(Found(Text(text)).empty()) << text << ": " << *Found(Text(text)).begin();
  }
}

}  // namespace
}  // namespace headgate::router
