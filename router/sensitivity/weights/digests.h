// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "a1af1869b76b297ef50d80bc02800df5ee00b036bc467f194bfd32f63bc21a74";
inline constexpr char kNameSha256[] =
    "094d362632a95b3387f5f7b81b3d5c974550b602425bebb6b629c52e98ec50fd";

}  // namespace headgate::router
