// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// ReadingWork: how much work reading one request may be, whatever it holds. Counted, not timed, so that a request reads
// the same on every machine: readers say what they look at again and again, in steps of about a nanosecond. Once all of
// it is spent they stop; what they found stands, and the request is sensitive for the rest.
//
// Thread-safety: none; each thread spends from its own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace headgate::router {

class ReadingWork {
 public:
  // Of a request of so many bytes: for 128 KiB 40 milliseconds. Ordinary ones take up to 35 (JSON in JSON).
  static constexpr int64_t kFloor = 5'000'000, kEach = 265;
  static constexpr int64_t For(size_t text_bytes) { return kFloor + kEach * static_cast<int64_t>(text_bytes); }

  explicit ReadingWork(int64_t steps) : left_(steps) {}
  int64_t left() const { return left_; }
  bool spent() const { return left_ < 0; }

  // What this thread reads while it lives is spent from `work`.
  class Use {
   public:
    explicit Use(ReadingWork& work) : before_(current_) { current_ = &work; }
    ~Use() { current_ = before_; }
    Use(const Use&) = delete;

   private:
    ReadingWork* const before_;
  };
  // False: it is spent, and the reader stops. Where nothing is in use there is no end.
  static bool Spend(size_t steps) {
    if (current_ == nullptr) return true;
    current_->left_ -= static_cast<int64_t>(steps);
    return current_->left_ >= 0;
  }
  static bool Spent() { return current_ != nullptr && current_->spent(); }

 private:
  static inline thread_local ReadingWork* current_ = nullptr;

  int64_t left_;
};

}  // namespace headgate::router
