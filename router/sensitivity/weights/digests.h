// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "9d8968f96f32c862873248bbd50517b22ddcead8a0a78698db91bb12ae55d4c2";
inline constexpr char kNameSha256[] =
    "094d362632a95b3387f5f7b81b3d5c974550b602425bebb6b629c52e98ec50fd";

}  // namespace headgate::router
