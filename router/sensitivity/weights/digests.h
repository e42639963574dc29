// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.
#pragma once

namespace headgate::router {

inline constexpr char kTopicSha256[] =
    "7ac72d31d87703638c697e0adc72a858bc336990b93874ce2b2540aeea6696e2";
inline constexpr char kNameSha256[] =
    "d43d8a32f7c08a8c65b1601aab89614d140c0e7ae7fe0facce093b7ce9477cd7";

}  // namespace headgate::router
