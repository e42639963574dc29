// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Values that standards and manuals print as examples: whoever asks about them gives nothing away.
//
// Thread-safety: a pure function.
#pragma once

#include <string_view>

namespace headgate::router {

// `value` is such an example, exactly, whatever separates its groups; a name before it (`ACCESS_KEY=`) or the next
// parameter's behind it (`&state`) may be part of what was found.
bool IsPublishedExample(std::string_view value);

}  // namespace headgate::router
