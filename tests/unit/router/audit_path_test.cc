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

}  // namespace
}  // namespace headgate::router
