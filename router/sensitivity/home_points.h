// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Where somebody lives, as coordinates: `my home is at 39.90421, 116.40739`.
//
// Thread-safety: all functions from any thread.
#pragma once

#include "router/sensitivity/rule.h"

namespace headgate::router {

// Reports as ADDRESS two coordinates as exact as a house beside a word for a home or a person. Those of a city, a shop
// or a map's example are public.
void ReadHomePoints(const Evidence& evidence, Report report);

}  // namespace headgate::router
