// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace headgate::engine {
namespace {

// libgomp reads its environment in a constructor, so this one must run before (it is linked statically for that,
// cmake/Llama.cmake). Its default is to spin for milliseconds at each barrier of a graph: beside one busy process on
// two cores a decode step then takes up to 3 times as long. No spinning at all costs 3 times on an idle machine; five
// hundred rounds cost nothing there. Figures: docs/decisions/0003-llama-backend.md.
__attribute__((constructor(101))) void SpinBriefly() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "500", /*overwrite=*/0);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// "max 100000" or "150000 100000" -> cores, 0 = no quota.
int CoresOf(const std::string& quota, const std::string& period) {
  double q = 0;
  double p = 0;
  if (!absl::SimpleAtod(quota, &q) || !absl::SimpleAtod(period, &p) || q <= 0 || p <= 0) return 0;
  return std::max(1, static_cast<int>(std::ceil(q / p)));
}

int Tighter(int a, int b) {
  if (a == 0) return b;
  return b == 0 ? a : std::min(a, b);
}

}  // namespace

int QuotaCores(const std::string& proc_cgroup, const std::string& root) {
  int cores = 0;
  for (const auto line : absl::StrSplit(proc_cgroup, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[0] != "0") continue;
    // A quota on any ancestor binds too.
    for (std::string path = fields[2];; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      const std::vector<std::string> max =
          absl::StrSplit(ReadAll(root + path + "/cpu.max"), absl::ByAnyChar(" \n"), absl::SkipEmpty());
      if (max.size() == 2) cores = Tighter(cores, CoresOf(max[0], max[1]));
      if (path.empty()) break;
    }
  }
  const auto first_word = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  return Tighter(cores, CoresOf(first_word(ReadAll(root + "/cpu/cpu.cfs_quota_us")),
                                first_word(ReadAll(root + "/cpu/cpu.cfs_period_us"))));
}

int UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int allowed = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, Tighter(allowed, QuotaCores(ReadAll("/proc/self/cgroup"), "/sys/fs/cgroup")));
}

}  // namespace headgate::engine
