// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_slices.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Endpoint(const std::string& ip, const std::string& conditions) {
  return absl::StrCat(R"({"addresses":[")", ip, R"("],"conditions":{)", conditions, "}}");
}
std::string Slice(const std::string& name, const std::string& version, const std::string& endpoints,
                  const std::string& ports = R"([{"name":"grpc","port":8090}])") {
  return absl::StrCat(R"({"metadata":{"name":")", name, R"(","resourceVersion":")", version, R"("},"ports":)", ports,
                      R"(,"endpoints":[)", endpoints, "]}");
}
std::string List(const std::string& version, const std::string& items) {
  return absl::StrCat(R"({"metadata":{"resourceVersion":")", version, R"("},"items":[)", items, "]}");
}
std::string Event(const std::string& type, const std::string& object) {
  return absl::StrCat(R"({"type":")", type, R"(","object":)", object, "}");
}

TEST(EndpointSlices, WhoTakesRequests) {
  struct Row {
    const char* name;
    const char* conditions;
    bool taken;
  };
  const Row rows[] = {
      {"ready", R"("ready":true,"serving":true,"terminating":false)", true},
      {"nothing said", "", true},
      {"ready is null", R"("ready":null)", true},
      {"not ready", R"("ready":false,"serving":false)", false},
      {"not serving, yet called ready", R"("ready":true,"serving":false,"terminating":false)", false},
      {"ready, serving not said", R"("ready":true,"terminating":false)", true},
      {"terminating", R"("ready":false,"serving":true,"terminating":true)", false},
      {"terminating, yet called ready", R"("ready":true,"serving":true,"terminating":true)", false},
  };
  for (const Row& row : rows) {
    EndpointSlices slices("");
    ASSERT_TRUE(slices.TakeList(List("1", Slice("a", "1", Endpoint("10.0.0.1", row.conditions)))).ok()) << row.name;
    EXPECT_EQ(slices.Addresses().size(), row.taken ? 1u : 0u) << row.name;
  }
}

TEST(EndpointSlices, WhichPort) {
  const std::string two = R"([{"name":"grpc","port":8090},{"name":"metrics","port":9090}])";
  struct Row {
    const char* name;
    std::string wanted, ports;
    std::vector<std::string> addresses;
  };
  const Row rows[] = {
      {"the only one", "", R"([{"name":"x","port":7}])", {"10.0.0.1:7"}},
      {"several, none named", "", two, {}},
      {"by name", "metrics", two, {"10.0.0.1:9090"}},
      {"by number", "8090", two, {"10.0.0.1:8090"}},
      {"another", "http", two, {}},
      {"out of range", "", R"([{"port":70000}])", {}},
      {"none", "", "null", {}},
  };
  for (const Row& row : rows) {
    EndpointSlices slices(row.wanted);
    ASSERT_TRUE(slices.TakeList(List("1", Slice("a", "1", Endpoint("10.0.0.1", ""), row.ports))).ok()) << row.name;
    EXPECT_EQ(slices.Addresses(), row.addresses) << row.name;
  }
}

TEST(EndpointSlices, FollowsChanges) {
  EndpointSlices slices("");
  ASSERT_TRUE(slices.TakeList(List("5", Slice("a", "4", Endpoint("10.0.0.1", "")))).ok());
  EXPECT_EQ(slices.resource_version(), "5");
  // A second slice, with one pod of the first and an IPv6 one.
  const std::string more = absl::StrCat(Endpoint("10.0.0.1", ""), ",", Endpoint("fd00::1", ""));
  ASSERT_TRUE(slices.TakeEvent(Event("ADDED", Slice("b", "6", more))).ok());
  EXPECT_THAT(slices.Addresses(), ElementsAre("10.0.0.1:8090", "[fd00::1]:8090"));
  ASSERT_TRUE(slices.TakeEvent(Event("MODIFIED", Slice("a", "7", Endpoint("10.0.0.9", "")))).ok());
  EXPECT_THAT(slices.Addresses(), ElementsAre("10.0.0.1:8090", "10.0.0.9:8090", "[fd00::1]:8090"));
  ASSERT_TRUE(slices.TakeEvent(Event("DELETED", Slice("b", "8", ""))).ok());
  EXPECT_THAT(slices.Addresses(), ElementsAre("10.0.0.9:8090"));
  ASSERT_TRUE(slices.TakeEvent(Event("BOOKMARK", R"({"metadata":{"resourceVersion":"99"}})")).ok());
  EXPECT_EQ(slices.resource_version(), "99");
  ASSERT_TRUE(slices.TakeList(List("120", "")).ok()) << "a list replaces everything";
  EXPECT_THAT(slices.Addresses(), IsEmpty());
}

TEST(EndpointSlices, WhatItDoesNotTake) {
  EndpointSlices slices("");
  ASSERT_TRUE(slices.TakeList(List("5", Slice("a", "4", Endpoint("10.0.0.1", "")))).ok());
  EXPECT_TRUE(absl::IsOutOfRange(slices.TakeEvent(Event("ERROR", R"({"code":410,"reason":"Expired"})"))));
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("{}"), Event("ERROR", R"({"code":500})"),
        Event("ADDED", R"({"metadata":{"name":"x"}})"), Event("MOVED", Slice("a", "9", "")),
        std::string(R"({"type":5,"object":{}})"), std::string(R"({"type":"ADDED","object":null})")}) {
    EXPECT_TRUE(absl::IsUnavailable(slices.TakeEvent(bad))) << bad;
  }
  for (const std::string& bad : {std::string("{}"), std::string("null"), std::string(R"({"items":[]})"),
                                 std::string(R"({"metadata":{"resourceVersion":"1"},"items":{}})")}) {
    EXPECT_TRUE(absl::IsUnavailable(slices.TakeList(bad))) << bad;
  }
  EXPECT_THAT(slices.Addresses(), ElementsAre("10.0.0.1:8090")) << "nothing has changed";
  // Odd endpoints are left out, the rest stays.
  const std::string odd = R"({"addresses":[]},{"addresses":[7]},{"addresses":"x"},7,{"addresses":["10.0.0.2"]})";
  ASSERT_TRUE(slices.TakeEvent(Event("MODIFIED", Slice("a", "6", odd))).ok());
  EXPECT_THAT(slices.Addresses(), ElementsAre("10.0.0.2:8090"));
}

TEST(EndpointSlices, IsBounded) {
  EndpointSlices slices("");
  std::string items;
  for (size_t i = 0; i <= EndpointSlices::kSlicesMax; ++i) {
    absl::StrAppend(&items, i == 0 ? "" : ",", Slice(absl::StrCat("s", i), "1", ""));
  }
  EXPECT_TRUE(absl::IsUnavailable(slices.TakeList(List("1", items))));
  std::string endpoints;
  for (size_t i = 0; i < EndpointSlices::kSliceAddressesMax + 10; ++i) {
    absl::StrAppend(&endpoints, i == 0 ? "" : ",", Endpoint(absl::StrCat("10.0.", i / 250, ".", i % 250), ""));
  }
  ASSERT_TRUE(slices.TakeList(List("1", Slice("a", "1", endpoints))).ok());
  EXPECT_EQ(slices.Addresses().size(), EndpointSlices::kSliceAddressesMax);
}

}  // namespace
}  // namespace headgate::router
