// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/address_ranges.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace headgate::router {
namespace {

TEST(AddressInRanges, Table) {
  struct Row {
    const char* ip;
    std::vector<std::string> ranges;
    bool in;
  };
  const std::vector<Row> rows = {
      {"10.1.2.3", {"10.0.0.0/8"}, true},
      {"11.1.2.3", {"10.0.0.0/8"}, false},
      {"172.31.255.255", {"172.16.0.0/12"}, true},
      {"172.32.0.0", {"172.16.0.0/12"}, false},
      {"192.168.1.77", {"10.0.0.0/8", "192.168.1.64/26"}, true},
      {"192.168.1.128", {"192.168.1.64/26"}, false},
      {"10.1.2.3", {"10.1.2.3"}, true},
      {"10.1.2.4", {"10.1.2.3"}, false},
      {"10.1.2.3", {"10.1.2.3/32"}, true},
      {"8.8.8.8", {"0.0.0.0/0"}, true},
      {"fd00::1", {"fc00::/7"}, true},
      {"fe80::1", {"fc00::/7"}, false},
      {"::1", {"::1/128"}, true},
      {"::2", {"::1/128"}, false},
      {"2001:db8::1", {"0.0.0.0/0"}, false},
      {"10.1.2.3", {"::/0"}, false},
      {"::ffff:10.1.2.3", {"10.0.0.0/8"}, true},
      {"::ffff:8.8.8.8", {"10.0.0.0/8"}, false},
      {"::ffff:8.8.8.8", {"::/0"}, false},
      {"10.1.2.3", {"::ffff:10.0.0.0/104"}, true},
      {"10.1.2.3", {}, false},
      {"10.1.2.3", {"10.0.0.0/33"}, false},
      {"10.1.2.3", {"10.0.0.0/"}, false},
      {"10.1.2.3", {"10.0.0.0/-1"}, false},
      {"10.1.2.3", {"nonsense", "10.0.0.0/8"}, true},
      {"engine.example", {"0.0.0.0/0"}, false},
      {"", {"0.0.0.0/0"}, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(AddressInRanges(row.ip, row.ranges), row.in) << row.ip << " in " << testing::PrintToString(row.ranges);
  }
}

}  // namespace
}  // namespace headgate::router
