// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/prefix_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/backend/reference.h"
#include "engine/kv_cells.h"

namespace headgate::engine {
namespace {

constexpr int32_t kSlots = 4;

std::vector<Token> Tokens(int32_t first, int32_t count) {
  std::vector<Token> tokens;
  for (int32_t i = 0; i < count; ++i) tokens.push_back(264 + (first + i) % 40);
  return tokens;
}

class PrefixCacheTest : public testing::Test {
 protected:
  void Start(int32_t sequences, int32_t cells_max) {
    backend_ = MakeReferenceBackend(
        {.context_tokens = 4096, .sequences_max = kSlots, .cache_sequences = sequences});
    cache_ = std::make_unique<PrefixCache>(*backend_, kSlots, sequences, cells_max);
  }
  // The slot computes what it does not hold yet of the tokens.
  void Compute(int32_t slot, const std::vector<Token>& tokens) {
    std::vector<BatchRow> rows;
    for (auto i = backend_->Length(slot); i < static_cast<int32_t>(tokens.size()); ++i) {
      rows.push_back({tokens[static_cast<size_t>(i)], i, slot, false});
    }
    if (rows.empty()) return;
    ASSERT_TRUE(backend_->Decode(rows).ok());
  }
  // A whole request: attach, compute, cache, leave. Returns how much was cached before.
  int32_t Ask(const std::string& key, const std::vector<Token>& tokens, int32_t slot = 0) {
    auto pin = cache_->Attach(key, tokens, slot, {});
    const int32_t before = pin.depth;
    EXPECT_EQ(backend_->Length(slot), before);
    Compute(slot, tokens);
    pin = cache_->Insert(key, tokens, slot, pin);
    EXPECT_EQ(backend_->Length(slot), static_cast<int32_t>(tokens.size()));
    backend_->Truncate(slot, 0);
    cache_->Release(pin);
    return before;
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<PrefixCache> cache_;
};

TEST_F(PrefixCacheTest, FindsTheLongestPrefix) {
  Start(8, 1000);
  auto one = Tokens(0, 20);
  auto two = Tokens(0, 20);
  const auto tail_one = Tokens(5, 10);
  const auto tail_two = Tokens(9, 30);
  one.insert(one.end(), tail_one.begin(), tail_one.end());
  two.insert(two.end(), tail_two.begin(), tail_two.end());
  EXPECT_EQ(Ask("", one), 0);
  EXPECT_EQ(cache_->cells(), 30);
  EXPECT_EQ(Ask("", two), 20);
  EXPECT_EQ(cache_->cells(), 60) << "the common part once";
  EXPECT_EQ(cache_->Match("", one), 30);
  EXPECT_EQ(cache_->Match("", two), 50);
  auto longer = two;
  longer.push_back(300);
  EXPECT_EQ(Ask("", longer), 50);
  EXPECT_EQ(cache_->cells(), 61);
  EXPECT_EQ(cache_->pinned(), 0);
}

TEST_F(PrefixCacheTest, KeysNeverMeet) {
  Start(8, 1000);
  EXPECT_EQ(Ask("a", Tokens(0, 20)), 0);
  EXPECT_EQ(Ask("b", Tokens(0, 20)), 0);
  EXPECT_EQ(Ask("a", Tokens(0, 20)), 20);
  EXPECT_EQ(cache_->cells(), 40);
}

TEST_F(PrefixCacheTest, ShortMatchesAreNotWorthIt) {
  Start(8, 1000);
  EXPECT_EQ(Ask("", Tokens(0, 30)), 0);
  auto other = Tokens(0, PrefixCache::kMatchMin - 1);
  other.push_back(300);
  EXPECT_EQ(cache_->Match("", other), 0);
}

TEST_F(PrefixCacheTest, TheCapHoldsToTheCell) {
  Start(8, 50);
  Ask("", Tokens(0, 30));
  Ask("", Tokens(7, 30));
  EXPECT_EQ(cache_->cells(), 50);
  EXPECT_EQ(cache_->Match("", Tokens(0, 30)), 20) << "the least recently used lost its tail";
  EXPECT_EQ(cache_->Match("", Tokens(7, 30)), 30);
  Ask("", Tokens(3, 80));
  EXPECT_EQ(cache_->cells(), 50);
  EXPECT_EQ(cache_->Match("", Tokens(3, 80)), 50) << "of what does not fit, the head";
}

TEST_F(PrefixCacheTest, WhatIsInUseStays) {
  Start(8, 1000);
  Ask("", Tokens(0, 30));
  const auto pin = cache_->Attach("", Tokens(0, 20), 1, {});
  EXPECT_EQ(pin.depth, 20);
  EXPECT_EQ(cache_->pinned(), 20);
  EXPECT_EQ(cache_->MatchPinned("", Tokens(0, 30)), 20);
  EXPECT_EQ(cache_->Evict(1000), 10) << "all that nobody uses";
  EXPECT_EQ(cache_->Match("", Tokens(0, 30)), 20);
  cache_->Release(pin);
  EXPECT_EQ(cache_->pinned(), 0);
  EXPECT_EQ(cache_->Evict(1000), 20);
  EXPECT_EQ(cache_->cells(), 0);
  for (int32_t id = kSlots; id < kSlots + 8; ++id) EXPECT_EQ(backend_->Length(id), 0) << id;
}

TEST_F(PrefixCacheTest, SequenceIdsAreReused) {
  Start(2, 1000);
  for (int32_t i = 0; i < 10; ++i) EXPECT_EQ(Ask("", Tokens(i, 20)), 0);
  EXPECT_EQ(Ask("", Tokens(9, 20)), 20);
  EXPECT_EQ(Ask("", Tokens(8, 20)), 20);
  EXPECT_EQ(cache_->cells(), 40) << "two leaves";
}

TEST_F(PrefixCacheTest, WhatWasComputedTwiceIsKeptOnce) {
  Start(8, 1000);
  const auto tokens = Tokens(0, 30);
  const auto first = cache_->Attach("", tokens, 0, {});
  const auto second = cache_->Attach("", tokens, 1, {});
  Compute(0, tokens);
  Compute(1, tokens);
  const auto pin_first = cache_->Insert("", tokens, 0, first);
  const auto pin_second = cache_->Insert("", tokens, 1, second);
  EXPECT_EQ(pin_first.depth, 30);
  EXPECT_EQ(pin_second.depth, 30) << "the second now holds the cached cells";
  EXPECT_EQ(cache_->cells(), 30);
  cache_->Release(pin_first);
  EXPECT_EQ(cache_->pinned(), 30);
  cache_->Release(pin_second);
  EXPECT_EQ(cache_->pinned(), 0);
}

// Random requests against a plain list of what may be cached; the backend's own bookkeeping is the judge of the cells.
TEST_F(PrefixCacheTest, RandomUseKeepsItsPromises) {
  Start(6, 300);
  std::mt19937 random(11);
  const auto up_to = [&](int32_t n) { return static_cast<int32_t>(random() % static_cast<uint32_t>(n + 1)); };
  struct Held {
    std::string key;
    std::vector<Token> tokens;
    PrefixCache::Pin pin;
    bool used = false;
  };
  std::vector<Held> slots(kSlots);
  std::vector<std::pair<std::string, std::vector<Token>>> seen;
  int hits = 0;
  for (int round = 0; round < 20000; ++round) {
    const int32_t slot = up_to(kSlots - 1);
    Held& held = slots[static_cast<size_t>(slot)];
    if (!held.used) {
      held.key = up_to(3) == 0 ? "b" : "a";
      held.tokens = Tokens(up_to(2), 1 + up_to(60));
      if (up_to(1) == 0) std::replace(held.tokens.begin() + up_to(static_cast<int32_t>(held.tokens.size()) - 1),
                                      held.tokens.end(), 270, 280);
      held.pin = cache_->Attach(held.key, held.tokens, slot, {});
      held.used = true;
      hits += held.pin.depth > 0 ? 1 : 0;
      const bool known = std::any_of(seen.begin(), seen.end(), [&](const auto& other) {
        return other.first == held.key && static_cast<int32_t>(other.second.size()) >= held.pin.depth &&
               std::equal(held.tokens.begin(), held.tokens.begin() + held.pin.depth, other.second.begin());
      });
      ASSERT_TRUE(held.pin.depth == 0 || known) << "a prefix of nothing that was inserted; round " << round;
      ASSERT_EQ(backend_->Length(slot), held.pin.depth);
    } else if (up_to(2) == 0) {
      Compute(slot, held.tokens);
      held.pin = cache_->Insert(held.key, held.tokens, slot, held.pin);
      ASSERT_EQ(backend_->Length(slot), static_cast<int32_t>(held.tokens.size())) << "round " << round;
      if (seen.size() < 4000) seen.emplace_back(held.key, held.tokens);
      held.tokens.push_back(264 + up_to(30));
    } else {
      backend_->Truncate(slot, 0);
      cache_->Release(held.pin);
      held = {};
    }
    if (up_to(9) == 0) cache_->Evict(up_to(50));
    ASSERT_LE(cache_->cells(), 300);
    ASSERT_GE(cache_->pinned(), 0);
    ASSERT_LE(cache_->pinned(), cache_->cells());
  }
  EXPECT_GT(hits, 1000);
  for (int32_t slot = 0; slot < kSlots; ++slot) {
    backend_->Truncate(slot, 0);
    cache_->Release(slots[static_cast<size_t>(slot)].pin);
  }
  EXPECT_EQ(cache_->pinned(), 0);
  cache_->Evict(1000);
  EXPECT_EQ(cache_->cells(), 0);
  for (int32_t id = 0; id < kSlots + 6; ++id) EXPECT_EQ(backend_->Length(id), 0) << "cells leaked, sequence " << id;
}

TEST(KvCells, ReservationsAndCacheShareTheCells) {
  const auto backend = MakeReferenceBackend({.context_tokens = 100, .sequences_max = 2, .cache_sequences = 4});
  KvCells cells(*backend, 100);
  const auto prompt = Tokens(0, 40);
  EXPECT_EQ(cells.Admit(0, "", prompt, 60), 0);
  EXPECT_EQ(cells.available(), 40);
  std::vector<BatchRow> rows;
  for (int32_t i = 0; i < 40; ++i) rows.push_back({prompt[static_cast<size_t>(i)], i, 0, false});
  ASSERT_TRUE(backend->Decode(rows).ok());
  cells.Publish(0, "", prompt);
  EXPECT_EQ(cells.available(), 40) << "cached, but in use";
  EXPECT_EQ(cells.cached(), 40);
  EXPECT_EQ(cells.MatchInUse("", prompt), 39);
  EXPECT_EQ(cells.Admit(1, "", prompt, 60), 39) << "all but the last token";
  EXPECT_EQ(cells.available(), 100 - 60 - 21);
  cells.Free(1);
  cells.Free(0);
  EXPECT_EQ(cells.available(), 100) << "cached cells that nobody uses count as free";
  EXPECT_EQ(cells.cached(), 40);
  EXPECT_EQ(cells.Admit(0, "x", prompt, 90), 0);
  EXPECT_EQ(cells.cached(), 10) << "they give way";
  cells.Grow(0, 10);
  EXPECT_EQ(cells.cached(), 0);
  EXPECT_EQ(cells.available(), 0);
}

}  // namespace
}  // namespace headgate::engine
