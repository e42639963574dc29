// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "94c7afe31fbca66cd1148cf3103cb48dce29cb1ef873ead477454a63fb391cc5";
inline constexpr char kNameSha256[] =
    "52bea18faba41fe7ea9c3db8b22829241555f51de9161a00b8168817a7dcd4ac";

}  // namespace headgate::router
