// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "8a3e1815f0994626e9ed89c79a0509300c6e8350c708b11e7ea13cb256bd1616";
inline constexpr char kNameSha256[] =
    "c52a3641bfc0e635243a9cd24ef1c85a7a16147ef689995868d19dd03327eba3";

}  // namespace headgate::router
