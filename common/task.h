// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Task<T>: what a suspending function returns. A thin name for Boost.Asio's awaitable on an io_context executor.
//
// Rules: a Task runs on one executor and one thread at a time (the router has one io_context thread), so state that
// only coroutines touch needs no lock. A Task never lets an exception out: results are absl::Status / absl::StatusOr.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace headgate {

using Executor = boost::asio::io_context::executor_type;

template <typename T = void>
using Task = boost::asio::awaitable<T, Executor>;

}  // namespace headgate
