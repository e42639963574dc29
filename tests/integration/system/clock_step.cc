// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A library to be preloaded (LD_PRELOAD) into a program whose wall clock a test sets: CLOCK_REALTIME is off by the
// seconds in the first eight bytes of the file $HEADGATE_CLOCK_STEP. The monotonic clock stays right, as it does when
// an operator or NTP steps the real one. For faults_test.py.
//
// Thread-safety: any thread.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ctime>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

int64_t Step() {
  static const volatile int64_t* const seconds = [] {
    const char* const path = std::getenv("HEADGATE_CLOCK_STEP");
    const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void* const mapped = file < 0 ? MAP_FAILED : mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    return mapped == MAP_FAILED ? nullptr : static_cast<const volatile int64_t*>(mapped);
  }();
  return seconds == nullptr ? 0 : *seconds;
}

bool IsWall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  const long failed = syscall(SYS_clock_gettime, clock, out);
  if (failed == 0 && IsWall(clock)) out->tv_sec += Step();
  return static_cast<int>(failed);
}

int gettimeofday(timeval* out, void*) noexcept {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* out) noexcept {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
