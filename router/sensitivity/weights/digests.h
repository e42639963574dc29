// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "9107f5b6ee3c37d9e702572470158ee63226882c56df019446f9d61f08694469";
inline constexpr char kNameSha256[] =
    "f87b81675f1ed317f336885669922ac99deb65e016d398e229d0037d84d853ea";

}  // namespace headgate::router
