// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The W3C trace context (https://www.w3.org/TR/trace-context/, version 00): the header `traceparent`,
// `00-TRACE_ID-PARENT_ID-FLAGS`. `tracestate` is not carried.
//
// Thread-safety: values and functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/digest.h"

namespace headgate {

struct TraceContext {
  std::string trace_id;   // 32 lower-case hexadecimal digits, not all zero
  std::string parent_id;  // 16, not all zero: the span that the caller is in
  std::string flags;      // 2

  // As the header says it.
  std::string Header() const;
};

// nullopt for whatever is not well-formed: the standard wants it ignored. Later versions are read as version 00, which
// their first four fields are.
std::optional<TraceContext> ParseTraceparent(std::string_view header);

// The same trace, in a span of our own: what is handed on.
TraceContext ChildOf(const TraceContext& caller, const RandomBytes& random);

}  // namespace headgate
