// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "8b8a05de550d008f5c87cf2abf365b7b51d5c5047bbe83db8238fdfdda071235";
inline constexpr char kNameSha256[] =
    "094d362632a95b3387f5f7b81b3d5c974550b602425bebb6b629c52e98ec50fd";

}  // namespace headgate::router
