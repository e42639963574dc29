// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "94683b09a5c5bc38cf47461995ab9e84dd90117e0b2277942e1ce5f31c8317f7";
inline constexpr char kNameSha256[] =
    "cb13312ca8c35eae36e6a3c44cc2ffe8f479bee904eb08e85ce4dad8ef216bef";

}  // namespace headgate::router
