// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "ef1cb8f98e4f06b4ec7bf1d65f2f55434e1b48b8992f83deed965dd07f05dd1e";
inline constexpr char kNameSha256[] =
    "8c90e6c92f822c0832af67f0815ce7d44d20f71d8ab79bd8860eb55b1d25e770";

}  // namespace headgate::router
