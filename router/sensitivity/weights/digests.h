// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "23eb4ea9e7f23ddfe8803983b985321c78cc102153d83ea259ed8bea8e3bb81f";
inline constexpr char kNameSha256[] =
    "28ef6bfeeae142b8a5149e46c52a8ff04a312039cfc220dc314045fd4e57a2ae";

}  // namespace headgate::router
