// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "fb6829941b52eecb0069fad7105676942d8e0792c445fe657045c79e7adfd635";
inline constexpr char kNameSha256[] =
    "094d362632a95b3387f5f7b81b3d5c974550b602425bebb6b629c52e98ec50fd";

}  // namespace headgate::router
