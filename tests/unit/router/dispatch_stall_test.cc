// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Engines that accept requests and report their load, and give nothing: who is moved elsewhere, and who is not.

#include "tests/unit/router/dispatch_world.h"

namespace headgate::router {
namespace {

constexpr char kFirst[] = "10.0.0.1:1";
constexpr char kSecond[] = "10.0.0.2:1";

// Two engines. Until Open the second one takes nothing.
struct Stalls : World {
  explicit Stalls(LocalConfig local = LocalConfig()) : World({kFirst, kSecond}, std::move(local)) {
    engine(kSecond).StopReporting();
    clock.Advance(Seconds(2));
    Answers(kFirst, {Script::StallAfter({})});
    Answers(kSecond, {kLocalAnswer});
  }
  ~Stalls() {
    for (auto& request : requests) {
      if (!request->result) request->client.Cancel(absl::CancelledError("end of test"));
    }
    clock.RunUntilIdle();
  }
  struct Request {
    Cancellation client;
    std::optional<Result> result;
  };
  FakeEngine& engine(const char* address) { return fleet.engine(address); }
  void Open() { engine(kSecond).ReportLoad(Milliseconds(100)); }
  void Answers(const char* address, Scripts scripts) {
    engine(address).set_answerer([scripts = std::move(scripts), n = size_t{0}](const Prompt&,
                                                                             const CallOptions&) mutable {
      return scripts[std::min(n++, scripts.size() - 1)];
    });
  }
  Request& Start(bool whole = false, bool sensitive = true) {
    Request& request = *requests.emplace_back(std::make_unique<Request>());
    const Sensitivity level =
        Classified(sensitive ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_PUBLIC);
    Ticket ticket = MakeTicket(Seconds(120));
    ticket.whole = whole;
    Spawn(io, TalkAs(std::move(ticket), level, Decide("req-1", level, false), request.client), &request.result);
    clock.RunUntilIdle();
    return request;
  }
  // The first engine's reports from now on, every 100 ms for so long: free cells as it says.
  void Report(absl::Duration lasts, const std::function<int64_t(int)>& free_cells) {
    engine(kFirst).StopReporting();
    const int times = static_cast<int>(lasts / Milliseconds(100));
    for (int i = 0; i < times; ++i) {
      v1::Load load;
      load.set_running_max(64);
      load.set_kv_cells_total(1'000'000);
      load.set_kv_cells_free(free_cells(i));
      engine(kFirst).ReportLoad(load);
      clock.Advance(Milliseconds(100));
    }
  }
  std::vector<std::unique_ptr<Request>> requests;
};

TEST(DispatchStall, OnlyWhatShowsNoWorkIsGivenUp) {
  const Script gives_to_others = Script::Answer(std::vector<std::string>(60, "x")).Every(Seconds(2));
  const auto moves = [](int i) { return 900'000 - i; };
  const auto rests = [](int) { return 1'000'000; };  // as before
  const auto moves_at_first = [](int i) { return 900'000 - std::min(i, 10); };
  const struct {
    const char* name;
    std::optional<Script> before;  // of another request there
    std::function<int64_t(int)> free_cells;
    bool whole;
    bool moved;
  } rows[] = {
      {"nothing at all", std::nullopt, rests, false, true},
      {"others get tokens there", gives_to_others, rests, false, false},
      {"its reports show work", std::nullopt, moves, false, false},
      {"its reports showed work", std::nullopt, moves_at_first, false, true},
      {"whole, its reports show work", std::nullopt, moves, true, false},
      {"whole, its reports showed work", std::nullopt, moves_at_first, true, true},
      {"whole, and its reports never showed any", std::nullopt, rests, true, false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    Stalls world;
    if (row.before) {
      world.Answers(kFirst, {*row.before, Script::StallAfter({})});
      world.Start();
    }
    auto& request = world.Start(row.whole);
    world.Open();
    world.Report(Seconds(30), row.free_cells);
    EXPECT_EQ(request.result.has_value(), row.moved);
    if (!request.result) continue;
    EXPECT_EQ(request.result->text, "local");
    EXPECT_EQ(request.result->attempts.local, 2);
    EXPECT_LE(request.result->took, Seconds(12));
    EXPECT_EQ(world.Count("local", "timeout"), 1);
  }
}

TEST(DispatchStall, WithoutAnotherPlaceItStays) {
  LocalConfig reserve;
  reserve.reserved_share = 0.5;
  const struct {
    const char* name;
    bool open, sensitive;
  } rows[] = {{"no other engine", false, true}, {"only the reserve has room", true, false}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    Stalls world(reserve);
    world.Answers(kFirst, {Script::Answer({"slow"}).After(Seconds(60))});
    auto& request = world.Start(false, row.sensitive);
    if (row.open) {
      // Two engines with 64 places: 64 of them are open, and taken.
      for (int i = 0; i < 63; ++i) world.Start(false, false);
      world.Answers(kSecond, {Script::Answer(std::vector<std::string>(60, "x")).Every(Seconds(2))});
      world.Open();
    }
    world.clock.Advance(Seconds(61));
    ASSERT_TRUE(request.result.has_value());
    EXPECT_EQ(request.result->text, "slow");
    EXPECT_EQ(request.result->attempts.local, 1);
  }
}

// Slow engines are not asked everything twice: of fifty that wait, ten at a time are on a further attempt.
TEST(DispatchStall, MovingHasABudget) {
  Stalls world;
  world.Answers(kSecond, {Script::Answer({"local"}).After(Seconds(3))});
  for (int i = 0; i < 50; ++i) world.Start();
  world.Open();
  int most = 0;
  for (int i = 0; i < 900; ++i) {
    world.clock.Advance(Milliseconds(50));
    most = std::max(most, world.engine(kSecond).live_streams());
  }
  EXPECT_GE(most, 5);
  EXPECT_LE(most, 10);
  for (const auto& request : world.requests) {
    ASSERT_TRUE(request->result.has_value());
    EXPECT_EQ(request->result->text, "local");
    EXPECT_EQ(request->result->attempts.local, 2);
  }
  EXPECT_EQ(world.engine(kFirst).calls(), 50);
  EXPECT_EQ(world.cloud.calls(), 0);
}

TEST(DispatchStall, AStalledEngineIsLeftAloneUntilItWorks) {
  Stalls world;
  world.Start();
  world.Open();
  world.clock.Advance(Seconds(11));
  ASSERT_TRUE(world.requests[0]->result.has_value());
  for (int i = 0; i < 20; ++i) world.Start();
  EXPECT_EQ(world.engine(kFirst).calls(), 1) << "left alone";
  world.clock.Advance(Seconds(5));
  for (int i = 0; i < 20; ++i) {
    auto other = world.clock.Await(world.dispatch->WaitForLocal("", world.clock.Monotonic() + Seconds(1), world.never));
    ASSERT_TRUE(other.ok());
    EXPECT_EQ((*other)->address, kSecond) << "for calls without a place neither";
  }
  world.Answers(kSecond, {Script::StallAfter({})});
  for (int i = 0; i < 20; ++i) world.Start();
  EXPECT_EQ(world.engine(kFirst).calls(), 2) << "one request tries it";
  // It works again, for that one.
  world.Answers(kFirst, {kLocalAnswer});
  for (auto& request : world.requests) request->client.Cancel(absl::CancelledError("left"));
  world.clock.Advance(Seconds(1));
  world.engine(kSecond).StopReporting();
  world.clock.Advance(Seconds(2));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.Start().result->text, "local");
  EXPECT_EQ(world.engine(kFirst).calls(), 22);
}

}  // namespace
}  // namespace headgate::router
