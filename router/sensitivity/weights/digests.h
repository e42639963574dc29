// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "2d33558cee6ff234f67cf1afad6298187be347e587839be94458b0b54f2f3df0";
inline constexpr char kNameSha256[] =
    "0016c78e0c1258abbfa87abaeaaf7c0563f2b4b17d46e71f976de1dd210caab7";

}  // namespace headgate::router
