// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/engine_channel.h"

#include "gtest/gtest.h"

namespace headgate::router {
namespace {

TEST(IdentityAllowed, Table) {
  struct Row {
    const char* name;
    std::vector<std::string> uris, dns, allowed;
    bool yes;
  };
  const std::vector<Row> rows = {
      {"nothing is allowed", {"spiffe://a/b"}, {"b"}, {}, false},
      {"the URI", {"spiffe://a/b"}, {}, {"spiffe://a/b"}, true},
      {"a longer URI", {"spiffe://a/bc"}, {}, {"spiffe://a/b"}, false},
      {"below", {"spiffe://a/ns/x/sa/y"}, {}, {"spiffe://a/ns/x/*"}, true},
      {"beside", {"spiffe://a/ns/xy"}, {}, {"spiffe://a/ns/x/*"}, false},
      {"the top itself is not below", {"spiffe://a/ns/x/"}, {}, {"spiffe://a/ns/x/*"}, false},
      {"out again", {"spiffe://a/ns/x/../y"}, {}, {"spiffe://a/ns/x/*"}, false},
      {"another trust domain", {"spiffe://evil/a/b"}, {}, {"spiffe://a/*"}, false},
      {"two URIs are no SPIFFE identity", {"spiffe://a/b", "spiffe://a/c"}, {}, {"spiffe://a/b"}, false},
      {"a name", {}, {"Engine.Internal"}, {"engine.internal"}, true},
      {"a wildcard proves nothing", {}, {"*.internal"}, {"engine.internal"}, false},
      {"a URI in the names", {}, {"spiffe://a/b"}, {"spiffe://a/b"}, false},
      {"a name in the URIs", {"engine.internal"}, {}, {"engine.internal"}, false},
  };
  for (const Row& row : rows) EXPECT_EQ(IdentityAllowed(row.uris, row.dns, row.allowed), row.yes) << row.name;
}

}  // namespace
}  // namespace headgate::router
