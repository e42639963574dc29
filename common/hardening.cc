// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace headgate {

void ForbidCoreDumps() {
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__  // LeakSanitizer attaches to the process, which this forbids
  prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace headgate
