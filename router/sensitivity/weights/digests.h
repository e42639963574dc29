// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "38668bf3f92b792212574b2a2bf85e49722164ffade046107595842a6674bafb";
inline constexpr char kNameSha256[] =
    "094d362632a95b3387f5f7b81b3d5c974550b602425bebb6b629c52e98ec50fd";

}  // namespace headgate::router
