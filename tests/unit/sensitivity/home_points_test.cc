// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/home_points.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/detectors.h"

namespace headgate::router {
namespace {

// The addresses among what the rules find in `text`, as they are written.
std::vector<std::string> Addresses(const std::string& text) {
  static const auto detectors = MakePatternDetectors({});
  std::vector<std::string> addresses;
  const auto detections = (*detectors)->Scan(CanonicalText::Make(text));
  for (const Detection& detection : *detections) {
    const auto begin = static_cast<size_t>(detection.span.begin), end = static_cast<size_t>(detection.span.end);
    if (detection.type == "ADDRESS") addresses.push_back(text.substr(begin, end - begin));
  }
  return addresses;
}

TEST(HomePoints, PointsBesideAHomeAreAddresses) {
  const struct {
    const char *name, *text, *found;
  } rows[] = {
      {"english", "my home is at 39.90421, 116.40739, what is near?", "39.90421, 116.40739"},
      {"chinese", "我家坐标 31.230416,121.473701 附近有地铁吗", "31.230416,121.473701"},
      {"json", R"({"home":{"lat":51.50735,"lon":-0.12776}})", R"(51.50735,"lon":-0.12776)"},
      {"labels_and_delivery", "deliver to lon 121.473701 lat 31.230416", "121.473701 lat 31.230416"},
      {"behind_the_point", "52.520008, 13.404954 is where she lives", "52.520008, 13.404954"},
      {"degrees", "we live at 48.85837°N 2.29448°E", "48.85837°N 2.29448"},
  };
  for (const auto& row : rows) EXPECT_THAT(Addresses(row.text), testing::ElementsAre(row.found)) << row.name;
}

TEST(HomePoints, OtherPointsAndNumbersAreNot) {
  const struct {
    const char *name, *text;
  } rows[] = {
      {"city", "Beijing lies at 39.9042, 116.4074"},
      {"too_coarse_for_a_house", "my home town lies at 39.90, 116.41"},
      {"shares", "home = [0.1234, 0.5678]"},
      {"three_numbers", "live loss 1.2345, 2.3456, 3.4567"},
      {"not_on_earth", "home run rates 195.1234, 201.5678"},
      {"company", "the company's home office is at 39.90421, 116.40739"},
      {"example", "for example home: 39.90421, 116.40739"},
      {"two_lines", "home 39.90421\n116.40739"},
      {"homepage", "homepage weight 39.90421, 116.40739"},
  };
  for (const auto& row : rows) EXPECT_THAT(Addresses(row.text), testing::IsEmpty()) << row.name;
}

}  // namespace
}  // namespace headgate::router
