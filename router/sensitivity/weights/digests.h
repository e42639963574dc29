// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "77a1b7100ac658b183ce63ea28e3582767c723b79dd7bdb353d72ed017986d17";
inline constexpr char kNameSha256[] =
    "a6a33c755fc101ae87d8d10efa3a0b7fc8031ba4a4a433f7c880b8e0c483b6a3";

}  // namespace headgate::router
