// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Records that are written together at the end of the executor's turn.
#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/audit.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using Lines = std::vector<std::string>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
const std::string kKey(32, 'k');

// Takes `room` lines more; says how many came with each call.
class Grouped : public AuditStore {
 public:
  Grouped(Lines& lines, std::vector<size_t>& groups, size_t& room) : lines_(lines), groups_(groups), room_(room) {}
  absl::Status Append(const std::string& line) override {
    if (room_ == 0) return absl::UnavailableError("full");
    --room_;
    lines_.push_back(line);
    return absl::OkStatus();
  }
  absl::Status AppendAll(const std::vector<std::string>& lines, size_t* stored) override {
    groups_.push_back(lines.size());
    return AuditStore::AppendAll(lines, stored);
  }

 private:
  Lines& lines_;
  std::vector<size_t>& groups_;
  size_t& room_;
};

struct World {
  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  Lines lines;
  std::vector<size_t> groups;
  size_t room = 1000;
  std::unique_ptr<Audit> audit = std::make_unique<Audit>(
      clock, kKey, std::make_unique<Grouped>(lines, groups, room), "chain", metrics);

  static v1::AuditRecord Record(const std::string& request_id) {
    v1::AuditRecord record;
    record.set_kind(v1::AuditRecord::KIND_OUTCOME);
    record.set_request_id(request_id);
    return record;
  }
  void Soon(const std::string& request_id) { audit->WriteSoon(io.get_executor(), Record(request_id)); }
  // Says in `outcomes` what became of it, in the order in which those who wait are told.
  void Together(const std::string& request_id) {
    const auto wait = [](World& world, std::string id) -> Task<void> {
      const absl::Status written = co_await world.audit->WriteTogether(world.io.get_executor(), Record(id));
      const bool there = !world.lines.empty() && world.lines.back().find("\"" + id + "\"") != std::string::npos;
      world.outcomes.push_back(absl::StrCat(id, written.ok() ? " written" : " not written", there ? ", last" : ""));
    };
    boost::asio::co_spawn(io.get_executor(), wait(*this, request_id), boost::asio::detached);
  }
  std::vector<std::string> outcomes;
  void Turn() {
    io.restart();
    io.poll();
  }
};

TEST(AuditGroup, RecordsOfATurnAreWrittenTogetherInOrder) {
  World world;
  for (const char* id : {"a", "b", "c"}) world.Soon(id);
  EXPECT_TRUE(world.lines.empty());
  world.Turn();
  world.Soon("d");
  world.Turn();
  EXPECT_THAT(world.groups, ElementsAre(3, 1));
  EXPECT_THAT(world.lines, ElementsAre(HasSubstr("\"a\""), HasSubstr("\"b\""), HasSubstr("\"c\""), HasSubstr("\"d\"")));
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(AuditGroup, WhoWaitsIsToldAfterTheRecordsOfTheTurnAreWritten) {
  World world;
  for (const char* id : {"a", "b", "c"}) world.Together(id);
  world.Turn();
  EXPECT_THAT(world.groups, ElementsAre(3));
  EXPECT_THAT(world.outcomes, ElementsAre("a written", "b written", "c written, last"));
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(AuditGroup, WhoWaitsIsToldOfAFailureAndNobodyOfAnother) {
  World world;
  world.room = 0;
  for (const char* id : {"a", "b"}) world.Together(id);
  world.Turn();
  EXPECT_THAT(world.outcomes, ElementsAre("a not written", "b not written"));
  world.Together("c");  // still full: tried at once
  world.Turn();
  world.room = 1000;
  world.Together("d");
  world.Turn();
  world.Together("e");
  world.Turn();
  EXPECT_THAT(world.outcomes,
              ElementsAre("a not written", "b not written", "c not written", "d written", "e written, last"));
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(AuditGroup, WhatMustBeWrittenNowTakesThoseBeforeItAlong) {
  World world;
  world.Soon("a");
  ASSERT_TRUE(world.audit->Write(World::Record("b")).ok());
  EXPECT_THAT(world.groups, ElementsAre(2)) << "before Write returns";
  world.Turn();
  EXPECT_THAT(world.groups, ElementsAre(2)) << "nothing is left";
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(AuditGroup, IsBoundedAndWrittenBeforeTheEnd) {
  World world;
  for (int i = 0; i < 100; ++i) world.Soon(absl::StrCat(i));
  ASSERT_EQ(world.groups.size(), 1u);
  EXPECT_LT(world.groups[0], 100u);
  world.audit.reset();
  world.Turn();
  EXPECT_EQ(world.lines.size(), 100u);
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

TEST(AuditGroup, FailureInTheMiddleClosesTheCloudAndIsCounted) {
  World world;
  world.room = 1;
  for (const char* id : {"a", "b", "c"}) world.Soon(id);
  EXPECT_TRUE(world.audit->writable());
  world.Turn();
  EXPECT_FALSE(world.audit->writable());
  EXPECT_THAT(world.lines, ElementsAre(HasSubstr("\"a\"")));
  world.Soon("d");  // at once, and in vain
  EXPECT_EQ(world.lines.size(), 1u);
  world.room = 1000;
  world.Soon("e");
  EXPECT_TRUE(world.audit->writable());
  EXPECT_THAT(world.lines, ElementsAre(HasSubstr("\"a\""), HasSubstr("\"e\""), HasSubstr("records lost: 3")));
  EXPECT_TRUE(VerifyAuditChain(kKey, world.lines).ok());
}

}  // namespace
}  // namespace headgate::router
