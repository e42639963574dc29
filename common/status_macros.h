// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RETURN_IF_ERROR, ASSIGN_OR_RETURN and their coroutine forms. Same names and shape as Abseil's later
// status_macros.h; to be deleted when the system's Abseil has it.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define HEADGATE_CONCAT_INNER(a, b) a##b
#define HEADGATE_CONCAT(a, b) HEADGATE_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                                   \
  do {                                                          \
    if (absl::Status status_macro = (expr); !status_macro.ok()) \
      return status_macro;                                      \
  } while (false)

#define CO_RETURN_IF_ERROR(expr)                                \
  do {                                                          \
    if (absl::Status status_macro = (expr); !status_macro.ok()) \
      co_return status_macro;                                   \
  } while (false)

#define HEADGATE_ASSIGN(ret, tmp, lhs, expr) \
  auto tmp = (expr);                         \
  if (!tmp.ok()) ret tmp.status();           \
  lhs = *std::move(tmp)

#define ASSIGN_OR_RETURN(lhs, expr) HEADGATE_ASSIGN(return, HEADGATE_CONCAT(statusor_, __LINE__), lhs, expr)
#define CO_ASSIGN_OR_RETURN(lhs, expr) HEADGATE_ASSIGN(co_return, HEADGATE_CONCAT(statusor_, __LINE__), lhs, expr)
