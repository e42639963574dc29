// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A real clock on an io_context, run until something has happened: for tests with sockets.
//
// Thread-safety: none.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "boost/asio/co_spawn.hpp"
#include "boost/asio/io_context.hpp"
#include "common/clock.h"
#include "common/task.h"
#include "tests/fakes/time_scale.h"

namespace headgate::router {

struct RealLoop {
  // False when it has not happened after a long while.
  bool RunUntil(const std::function<bool()>& done) {
    io.restart();
    const MonotonicTime until = clock->Monotonic() + absl::Seconds(30) * TimeScale();
    while (!done() && clock->Monotonic() < until) io.run_one_for(std::chrono::milliseconds(20));
    return done();
  }
  void RunFor(absl::Duration time) {
    const MonotonicTime until = clock->Monotonic() + time;
    io.restart();
    while (clock->Monotonic() < until) io.run_one_for(std::chrono::milliseconds(5));
  }
  template <typename T>
  T Await(Task<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(io.get_executor(), std::move(task), [&result](std::exception_ptr error, T value) {
      if (error) std::terminate();
      result.emplace(std::move(value));
    });
    if (!RunUntil([&] { return result.has_value(); })) std::terminate();
    return *std::move(result);
  }

  boost::asio::io_context io;
  std::unique_ptr<Clock> clock = MakeRealClock(io);
};

}  // namespace headgate::router
