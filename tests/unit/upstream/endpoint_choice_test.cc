// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_choice.h"

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

// Engines that have just reported, without a registry.
struct Fleet {
  explicit Fleet(const std::vector<int>& running_max, double reserved_share = 0.3) {
    config.reserved_share = reserved_share;
    choice.emplace(clock, SeededRandom(7), config, count);
    for (const int max : running_max) {
      auto endpoint = std::make_shared<Endpoint>();
      endpoint->id = endpoints.size() + 1;
      endpoint->name = endpoint->address = absl::StrCat("e", endpoints.size());
      endpoint->fleet = count;
      endpoints.push_back(endpoint);
      v1::Load load;
      load.set_running_max(max);
      Report(endpoints.size() - 1, load);
    }
  }
  void Report(size_t i, const v1::Load& load) { endpoints[i]->Reported(load, clock.Monotonic()); }
  v1::Load& load(size_t i) { return endpoints[i]->load; }
  std::shared_ptr<Endpoint> Pick(const LocalAsk& ask) { return choice->Pick(endpoints, ask, {}); }
  std::map<std::string, int> Picks(const LocalAsk& ask, int n) {
    std::map<std::string, int> counts;
    for (int i = 0; i < n; ++i) {
      const auto picked = Pick(ask);
      ++counts[picked ? picked->name : "none"];
    }
    return counts;
  }
  // Takes places until there is none for this kind.
  int Fill(bool sensitive, std::vector<EndpointUse>& uses) {
    int taken = 0;
    while (const auto picked = Pick({.sensitive = sensitive})) {
      uses.emplace_back(picked, sensitive);
      ++taken;
    }
    return taken;
  }

  boost::asio::io_context io;
  ManualClock clock{io};
  LocalConfig config;
  std::shared_ptr<FleetCount> count = std::make_shared<FleetCount>();
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  std::optional<EndpointChoice> choice;
};

const LocalAsk kOpen = {.sensitive = false};
const LocalAsk kSensitive = {.sensitive = true};

TEST(EndpointChoice, TheReserveIsAShareOfTheFleet) {
  struct Row {
    const char* name;
    std::vector<int> running_max;
    double share;
    int open;  // requests that are not sensitive, at most
  };
  const std::vector<Row> rows = {
      {"ten", {10}, 0.3, 7},
      {"rounded up", {11}, 0.3, 7},
      {"several engines are one fleet", {4, 4, 2}, 0.3, 7},
      {"one sequence each", {1, 1, 1, 1}, 0.3, 2},
      {"a single sequence stays open", {1}, 0.3, 1},
      {"all but nothing", {10}, 0.99, 1},
      {"all", {10}, 1, 0},
      {"none: up to the engines' own queues", {10}, 0, 20},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Fleet fleet(row.running_max, row.share);
    std::vector<EndpointUse> uses;
    EXPECT_EQ(fleet.Fill(false, uses), row.open);
    EXPECT_EQ(fleet.Pick(kSensitive) != nullptr, row.share > 0) << "the reserve is for those";
  }
}

TEST(EndpointChoice, ANameChoosesWhereSeveralModelsAreServed) {
  struct Row {
    const char* name;
    std::vector<const char*> served;
    const char* asked;
    std::set<std::string> picked;
  };
  const std::vector<Row> rows = {
      {"one of two", {"small", "large", "small"}, "large", {"e1"}},
      {"all that serve it", {"small", "large", "small"}, "small", {"e0", "e2"}},
      {"no name", {"small", "large"}, "", {"e0", "e1"}},
      {"the cloud's name", {"small", "large"}, "deepseek-flash", {"e0", "e1"}},
      {"one model, another name", {"small", "small"}, "large", {"e0", "e1"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Fleet fleet(std::vector<int>(row.served.size(), 8));
    for (size_t i = 0; i < row.served.size(); ++i) fleet.load(i).set_model(row.served[i]);
    LocalAsk ask = kOpen;
    ask.model = fleet.choice->ModelNamed(fleet.endpoints, row.asked);
    std::set<std::string> picked;
    for (const auto& [name, count] : fleet.Picks(ask, 40)) picked.insert(name);
    EXPECT_EQ(picked, row.picked);
  }
}

TEST(EndpointChoice, ANamedModelIsWaitedForWhileItIsServed) {
  Fleet fleet({1, 8}, 0);
  fleet.load(0).set_model("small");
  fleet.load(1).set_model("large");
  LocalAsk ask = kSensitive;
  ask.model = fleet.choice->ModelNamed(fleet.endpoints, "small");
  fleet.endpoints[0]->full = true;
  EXPECT_EQ(fleet.Pick(ask), nullptr);
  EXPECT_NE(fleet.Pick(kSensitive), nullptr);
  fleet.endpoints[0]->gone = true;
  ASSERT_NE(fleet.Pick(ask), nullptr) << "nobody serves it any more";
  EXPECT_EQ(fleet.Pick(ask)->name, "e1");
}

TEST(EndpointChoice, SensitiveWorkDoesNotUseUpTheOpenShare) {
  Fleet fleet({10});
  std::vector<EndpointUse> sensitive, open;
  for (int i = 0; i < 3; ++i) sensitive.emplace_back(fleet.Pick(kSensitive), true);
  EXPECT_EQ(fleet.Fill(false, open), 7) << "the reserve was theirs";
}

TEST(EndpointChoice, WhatOtherRoutersHaveThereCountsAsNotSensitive) {
  Fleet fleet({10});
  fleet.load(0).set_running(5);
  std::vector<EndpointUse> uses;
  EXPECT_EQ(fleet.Fill(false, uses), 2);
}

// Between two reports, what has ended makes room at once.
TEST(EndpointChoice, ShortRequestsBetweenTwoReportsDoNotFillAnEngine) {
  Fleet fleet({10});
  for (int i = 0; i < 1000; ++i) {
    if (i == 500) {
      std::vector<EndpointUse> uses;
      EXPECT_EQ(fleet.Fill(false, uses), 7);
      v1::Load load = fleet.load(0);
      load.set_running(7);
      fleet.Report(0, load);
    }
    const auto picked = fleet.Pick(kOpen);
    ASSERT_NE(picked, nullptr) << i;
    EndpointUse use(picked, false);
  }
}

TEST(EndpointChoice, LostEnginesTakeTheirShareOfTheReserveWithThem) {
  Fleet fleet({10, 10});
  fleet.endpoints[1]->gone = true;
  std::vector<EndpointUse> uses;
  EXPECT_EQ(fleet.Fill(false, uses), 7);
}

// Whatever comes and goes: while fewer sensitive requests are under way than the reserve holds, one more finds a place,
// and the others never hold more than the open share.
TEST(EndpointChoice, TheReserveHoldsUnderOverload) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 dice(seed);
    std::vector<int> sizes;
    int total = 0;
    for (uint64_t i = 0; i <= dice() % 5; ++i) {
      sizes.push_back(static_cast<int>(1 + dice() % 12));
      total += sizes.back();
    }
    const double share = 0.05 + static_cast<double>(dice() % 90) / 100;
    Fleet fleet(sizes, share);
    const int reserve = std::min(static_cast<int>(std::ceil(share * total - 1e-9)), total - 1);
    std::vector<EndpointUse> open, sensitive;
    for (int step = 0; step < 400; ++step) {
      // Reports come late: some of what is under way is in none of them.
      for (size_t i = 0; i < sizes.size() && step % 5 == 0; ++i) {
        v1::Load load = fleet.load(i);
        load.set_running(static_cast<int>(fleet.endpoints[i]->in_flight));
        fleet.Report(i, load);
      }
      const uint64_t event = dice() % 10;
      if (event < 6) {
        if (const auto picked = fleet.Pick(kOpen)) open.emplace_back(picked, false);
      } else if (event < 8) {
        const auto picked = fleet.Pick(kSensitive);
        if (static_cast<int>(sensitive.size()) < reserve) {
          ASSERT_NE(picked, nullptr) << "seed " << seed << " step " << step;
        }
        if (picked) sensitive.emplace_back(picked, true);
      } else if (event == 8 && !open.empty()) {
        open.pop_back();
      } else if (event == 9 && !sensitive.empty()) {
        sensitive.pop_back();
      }
      ASSERT_LE(static_cast<int>(open.size()), total - reserve) << "seed " << seed << " step " << step;
    }
  }
}

// Several routers judge each other by load reports: between two reports each may take what was free in the last one,
// but nobody takes anything beyond the open share that a report shows (docs/decisions/0015).
TEST(EndpointChoice, SeveralRoutersOvershootByOneReportAtMost) {
  int worst = 0, reached = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 dice(seed);
    const std::vector<int> sizes = {static_cast<int>(4 + dice() % 12), static_cast<int>(4 + dice() % 12)};
    const int all = sizes[0] + sizes[1], open_places = all - static_cast<int>(std::ceil(0.3 * all - 1e-9));
    const auto routers = static_cast<int>(2 + dice() % 3);
    std::vector<std::unique_ptr<Fleet>> fleets;
    for (int i = 0; i < routers; ++i) fleets.push_back(std::make_unique<Fleet>(sizes));
    std::vector<std::vector<EndpointUse>> open(fleets.size()), sensitive(fleets.size());
    const auto count = [](const std::vector<std::vector<EndpointUse>>& uses) {
      int sum = 0;
      for (const auto& of_one : uses) sum += static_cast<int>(of_one.size());
      return sum;
    };
    for (int step = 0, most = 0; step < 1000; ++step) {
      if (step % 20 == 0) {
        for (size_t e = 0; e < sizes.size(); ++e) {
          v1::Load load;
          load.set_running_max(sizes[e]);
          int64_t running = 0;
          for (const auto& one : fleets) running += one->endpoints[e]->in_flight;
          load.set_running(static_cast<int>(running));
          for (const auto& one : fleets) one->Report(e, load);
        }
        most = std::max(count(open), open_places + (routers - 1) * std::max(0, open_places - count(open)));
      }
      const size_t router = dice() % fleets.size();
      const uint64_t event = dice() % 10;
      auto& uses = event < 8 ? open[router] : sensitive[router];
      if (event == 7 || event == 9) {
        if (!uses.empty()) uses.pop_back();
      } else if (event < 7 || count(sensitive) < all - open_places) {
        const auto picked = fleets[router]->Pick(event < 7 ? kOpen : kSensitive);
        ASSERT_TRUE(event != 8 || picked != nullptr) << "sensitive, within the reserve: seed " << seed;
        if (picked) uses.emplace_back(picked, event == 8);
      }
      ASSERT_LE(count(open), most) << "seed " << seed << " step " << step << " routers " << routers;
      worst = std::max(worst, count(open) - open_places);
      reached += count(open) > open_places;
    }
  }
  EXPECT_GT(reached, 0) << "it does happen; " << worst << " at worst";
}

TEST(EndpointChoice, PanicForgetsEjectionsOfEnginesThatReport) {
  Fleet fleet({10, 10, 10});
  const auto eject = [&](size_t i) { fleet.endpoints[i]->retry_at = fleet.clock.Monotonic() + absl::Seconds(5); };
  eject(0);
  EXPECT_EQ(fleet.Picks(kSensitive, 50).count("e0"), 0u);
  eject(1);
  EXPECT_EQ(fleet.Picks(kSensitive, 50), (std::map<std::string, int>{{"e2", 50}})) << "a healthy one is left";
  eject(2);
  EXPECT_EQ(fleet.Picks(kSensitive, 100).size(), 3u);
  EXPECT_EQ(fleet.Picks(kOpen, 100).size(), 3u);
  for (const auto& endpoint : fleet.endpoints) endpoint->load_at = -absl::InfiniteDuration();
  EXPECT_EQ(fleet.Pick(kOpen), nullptr);
  EXPECT_EQ(fleet.Pick(kSensitive), nullptr) << "silent and ejected";
}

TEST(EndpointChoice, PredictsTheFirstTokenFromTheRates) {
  Fleet fleet({10, 10});
  for (size_t i = 0; i < 2; ++i) fleet.load(i).set_prefill_tokens_per_second(1000);
  fleet.load(0).set_prompt_tokens_waiting(2000);
  EXPECT_EQ(fleet.Picks(kOpen, 50), (std::map<std::string, int>{{"e1", 50}}));
  // What was sent since the last report counts too.
  fleet.endpoints[1]->prompt_tokens_since_load = 5000;
  EXPECT_EQ(fleet.Picks(kOpen, 50), (std::map<std::string, int>{{"e0", 50}}));
}

TEST(EndpointChoice, AStartingEngineIsTakenForAnAverageOne) {
  Fleet fleet({10, 10});
  fleet.load(0).set_prefill_tokens_per_second(1000);
  fleet.load(0).set_prompt_tokens_waiting(1000);
  fleet.load(1).set_prompt_tokens_waiting(60000);  // has read nothing yet, so it knows no rate
  EXPECT_EQ(fleet.Picks(kOpen, 50), (std::map<std::string, int>{{"e0", 50}}));
}

TEST(EndpointChoice, SpreadsOverEquals) {
  Fleet fleet(std::vector<int>(8, 10));
  const auto counts = fleet.Picks(kOpen, 800);
  EXPECT_EQ(counts.size(), 8u);
  for (const auto& [name, count] : counts) EXPECT_GT(count, 50) << name;
}

TEST(EndpointChoice, ALargeFleetIsUsedThroughout) {
  Fleet fleet(std::vector<int>(1000, 10));
  EXPECT_GT(fleet.Picks(kOpen, 4000).size(), 900u);
  // One free engine among many full ones is found.
  for (size_t i = 0; i < 1000; ++i) {
    if (i != 617) fleet.load(i).set_waiting(10), fleet.load(i).set_running(10);
  }
  fleet.clock.Advance(absl::Milliseconds(20));
  EXPECT_EQ(fleet.Picks(kSensitive, 10), (std::map<std::string, int>{{"e617", 10}}));
}

v1::GenerateRequest Says(const std::string& text) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(text);
  return request;
}
LocalAsk AskOf(const std::string& tenant, const std::string& text) {
  const Prompt prompt(Says(text));
  return {.sensitive = false,
          .prompt_tokens = static_cast<double>(text.size()) / 4,
          .prefix = PrefixKeysOf(1, tenant, prompt)};
}

TEST(EndpointChoice, ConversationsComeBackUntilTheirEngineIsBusy) {
  for (const size_t engines : {4u, 100u}) {
    Fleet fleet(std::vector<int>(engines, 10));
    for (size_t i = 0; i < engines; ++i) fleet.load(i).set_prefill_tokens_per_second(1000);
    const std::string history(8000, 'h');
    EXPECT_EQ(fleet.choice->Remember(AskOf("a", history), fleet.endpoints[2]), 2000) << "all is new to it";
    EXPECT_EQ(fleet.Picks(AskOf("a", history + " and then?"), 50), (std::map<std::string, int>{{"e2", 50}}));
    EXPECT_GT(fleet.Picks(AskOf("b", history + " and then?"), 50).size(), 1u) << "another tenant's";
    EXPECT_GT(fleet.Picks(AskOf("a", "x" + history), 50).size(), 1u) << "another beginning";
    EXPECT_NEAR(fleet.choice->Remember(AskOf("a", history + " and then?"), fleet.endpoints[2]), 2.5, 64)
        << "the beginning is known there";
    // 2,000 tokens, two seconds, need not be computed again: worth two seconds' first token and twice that of waiting.
    fleet.load(2).set_prompt_tokens_waiting(5000);
    EXPECT_EQ(fleet.Picks(AskOf("a", history + " and then?"), 50), (std::map<std::string, int>{{"e2", 50}}));
    fleet.load(2).set_prompt_tokens_waiting(7000);
    EXPECT_EQ(fleet.Picks(AskOf("a", history + " and then?"), 50).count("e2"), 0u);
  }
}

TEST(PrefixKeys, ChainOverChunks) {
  const auto keys = [](const v1::GenerateRequest& request, const char* tenant = "a", uint64_t secret = 1) {
    return PrefixKeysOf(secret, tenant, Prompt(v1::GenerateRequest(request)));
  };
  const std::string text(3 * kPrefixChunkBytes, 't');
  const PrefixKeys base = keys(Says(text));
  EXPECT_EQ(base.size(), 3u);
  EXPECT_EQ(keys(Says("short")), PrefixKeys());
  const PrefixKeys longer = keys(Says(text + std::string(kPrefixChunkBytes, 'u')));
  EXPECT_EQ(PrefixKeys(longer.begin(), longer.begin() + 3), base);
  std::string changed = text;
  changed[kPrefixChunkBytes + 7] = 'x';
  const PrefixKeys other = keys(Says(changed));
  EXPECT_EQ(other[0], base[0]);
  EXPECT_NE(other[1], base[1]);
  EXPECT_NE(other[2], base[2]);
  EXPECT_NE(keys(Says(text), "b")[0], base[0]);
  EXPECT_NE(keys(Says(text), "a", 2)[0], base[0]);
  v1::GenerateRequest with_tool = Says(text);
  with_tool.add_tools()->set_name("look_up");
  EXPECT_NE(keys(with_tool)[0], base[0]) << "tools are rendered before the messages";
  EXPECT_EQ(keys(Says(std::string(1 << 20, 'z'))).size(), kPrefixChunksMax);
  v1::GenerateRequest session = Says(text);
  session.set_session("s-1");
  session.set_user("u-1");
  EXPECT_EQ(keys(session), base);
}

TEST(PrefixAffinity, KeepsTheLatestAndNoMoreThanItMay) {
  PrefixAffinity affinity(100);
  affinity.Remember({1, 2, 3}, 7);
  affinity.Remember({1, 2, 4}, 8);
  const auto found = affinity.Find({1, 2, 3, 5});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].endpoint, 7u);
  EXPECT_EQ(found[0].bytes, 3 * kPrefixChunkBytes);
  EXPECT_EQ(found[1].endpoint, 8u);
  EXPECT_EQ(found[1].bytes, 2 * kPrefixChunkBytes);
  for (uint64_t i = 10; i < 10'000; ++i) affinity.Remember({i}, 9);
  EXPECT_EQ(affinity.size(), 100u);
  EXPECT_TRUE(affinity.Find({1, 2, 3}).empty());
  EXPECT_FALSE(affinity.Find({9'999}).empty());
}

}  // namespace
}  // namespace headgate::router
