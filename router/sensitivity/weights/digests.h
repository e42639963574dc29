// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "49406bcc045aea13212b933295151dd6525d9cdfe7dbbe7046b97bcde2db08e3";
inline constexpr char kNameSha256[] =
    "e2c6250f0f84cf16c180d457cf2b8176489d8b033792d738345559a4ca1118af";

}  // namespace headgate::router
