// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "94d22646eca6115a6ed256e9337a4ffe2db148c4855cedbf36588c7101d08299";
inline constexpr char kNameSha256[] =
    "97ab9d4daed79f122c47d8f0de6a6433b8ebb80a8ae51d7ebfc641f378dddca3";

}  // namespace headgate::router
