// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The audit log on a request's way: what cannot be kept, or is not on the medium, does not leave.
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

// This world's store takes no payloads.
TEST(AuditPath, ContentThatCannotBeKeptStays) {
  World world;
  EXPECT_EQ(world.Ask(World::Everyday()).route.target(), v1::Route::TARGET_CLOUD);
  world.audit.KeepPayloads(std::string(32, 'p'), SeededRandom(3));
  const Client client = world.Ask(World::Everyday());
  EXPECT_TRUE(client.status.ok()) << client.status;
  EXPECT_EQ(client.route.target(), v1::Route::TARGET_LOCAL);
  EXPECT_EQ(world.cloud.calls(), 1);
}

TEST(AuditPath, TheRecordSaysWhoWouldGetWhatLeaves) {
  World world;
  EXPECT_EQ(world.Records("chain_start").at(0)["detail"],
            absl::StrCat("start; cloud ", world.config.cloud.name, " at ", world.config.cloud.base_url));
  const Client client = world.Ask(World::Everyday("12345"));
  EXPECT_EQ(world.Records("decision").at(0)["text_bytes"], 5);
  EXPECT_EQ(world.Records("outcome").at(0)["text_bytes"], 5);
}

// Whoever has no key must not fill the disk: the first of each minute whole, then a number.
TEST(AuditPath, WhatIsTurnedAwayIsRecordedAndBounded) {
  struct Row {
    const char* name;
    const char* kind;    // of the records of the first ones
    const char* detail;  // of the record with the number
    std::function<void(World&)> turn_away;
  };
  const Row rows[] = {
      {"unknown_key", "outcome", "unknown_key",
       [](World& w) { w.Ask(World::Everyday(), [](RequestHead& head) { head.api_key = "nobody"; }); }},
      {"unknown_key_of_a_batch", "refusal", "unknown_key",
       [](World& w) {
         RequestHead head = w.Head();
         head.api_key = "nobody";
         EXPECT_FALSE(w.router->TenantOf(head).ok());
       }},
      {"body_too_large", "refusal", "body_too_large",
       [](World& w) {
         w.router->Refused(Refusal::kBodyTooLarge, "http", absl::StatusCode::kResourceExhausted, "");
       }},
      {"admin_key", "refusal", "admin_key",
       [](World& w) {
         w.router->Refused(Refusal::kAdminKey, "admin.Drain", absl::StatusCode::kUnauthenticated, "id");
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World world;
    const int64_t whole = Refusals::kWholeMax;
    const auto numbered = [&](int64_t count) {
      int64_t found = 0;
      for (const json& record : world.Records("refusal")) {
        found += record.value("detail", "") == row.detail && record.value("count", 0) == count;
      }
      return found;
    };
    for (int64_t i = 0; i < whole + 25; ++i) row.turn_away(world);
    const bool by_outcome = std::string(row.kind) == "outcome";
    EXPECT_EQ(world.Records(row.kind).size(), static_cast<size_t>(whole));
    EXPECT_EQ(world.Records(row.kind).at(0)["stage"], by_outcome ? "admission" : "front_door");
    EXPECT_EQ(numbered(25), 0);
    world.clock.Advance(Refusals::kWindow + Seconds(1));
    EXPECT_EQ(numbered(25), 1);
    // A minute without any has no record; the next one begins whole again.
    world.clock.Advance(Refusals::kWindow + Seconds(1));
    row.turn_away(world);
    EXPECT_EQ(world.Records("refusal").size() + world.Records("outcome").size(), static_cast<size_t>(whole + 2));
    // Other reasons have places of their own.
    world.router->Refused(Refusal::kMethod, "http", absl::StatusCode::kInvalidArgument, "");
    EXPECT_EQ(world.Records("refusal").at(0)["detail"], "method");
    // The end does not lose the number.
    for (int64_t i = 0; i < whole; ++i) row.turn_away(world);
    EXPECT_EQ(numbered(1), 0);
    world.router.reset();
    EXPECT_EQ(numbered(1), 1);
    EXPECT_EQ(world.Records("chain_end").size(), 1u);
    EXPECT_TRUE(VerifyAuditChain(world.audit_key, world.lines).ok());
  }
}

}  // namespace
}  // namespace headgate::router
