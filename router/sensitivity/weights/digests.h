// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "d83d0e6332cc768c42bbf738986fe331db6860bba840752cca63f45e10a5bbf6";
inline constexpr char kNameSha256[] =
    "99432b4bb017d92ca9f3e24203d8a8d43f5128d15baa072d164fe6eef7100e4c";

}  // namespace headgate::router
