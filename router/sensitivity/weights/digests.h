// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "9f7c5e25e879358a2923b91baa39d66d77129cbd47407b8fd7ad364cd0d66096";
inline constexpr char kNameSha256[] =
    "28ef6bfeeae142b8a5149e46c52a8ff04a312039cfc220dc314045fd4e57a2ae";

}  // namespace headgate::router
