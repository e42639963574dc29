// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/digest.h"

#include <string>

#include "gtest/gtest.h"

namespace headgate {
namespace {

// FIPS 180-4 and RFC 4231 (test case 2).
TEST(Digest, KnownAnswers) {
  EXPECT_EQ(Hex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, EqualConstantTime) {
  EXPECT_TRUE(EqualConstantTime("", ""));
  EXPECT_TRUE(EqualConstantTime("abc", "abc"));
  EXPECT_FALSE(EqualConstantTime("abc", "abd"));
  EXPECT_FALSE(EqualConstantTime("abc", "ab"));
}

TEST(Random, SeededIsReproducibleAndSystemIsNot) {
  EXPECT_EQ(SeededRandom(1)(16), SeededRandom(1)(16));
  EXPECT_NE(SeededRandom(1)(16), SeededRandom(2)(16));
  EXPECT_NE(SystemRandom()(16), SystemRandom()(16));
  const RandomBytes random = SeededRandom(3);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double unit = RandomUnit(random);
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
    sum += unit;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

}  // namespace
}  // namespace headgate
