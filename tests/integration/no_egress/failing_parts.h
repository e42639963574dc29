// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Parts of a router that fail at random, by a seed, and count how often.
//
// Thread-safety: none; executor thread only.
#pragma once

#include <memory>
#include <new>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "router/audit.h"
#include "router/sensitivity/detectors.h"
#include "tests/integration/no_egress/canary_search.h"

namespace headgate::router {

// Useful for: detectors that cannot finish, one scan in some hundreds, and that pass over the texts with certain
// canaries. `forgives`: a scan that fails, one in four then, finds nothing instead.
class FlakyDetectors : public Detectors {
 public:
  FlakyDetectors(const Detectors& real, uint32_t seed, bool forgives, const std::set<std::string>* unseen, int* faults)
      : real_(real), random_(seed), forgives_(forgives), unseen_(unseen), faults_(faults) {}
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override {
    const uint32_t roll = random_() % (forgives_ ? 4 : 800);
    if (forgives_ && roll < 3) return std::vector<Detection>();
    if (roll < 2) ++*faults_;
    if (roll == 0) return absl::UnavailableError("no scratch");
    if (roll == 1) throw std::bad_alloc();
    if (!unseen_->empty()) {
      for (const std::string& canary : FindWords(text.text(), kCanaryPrefix, 0)) {
        if (unseen_->contains(canary)) return std::vector<Detection>();
      }
    }
    return real_.Scan(text);
  }

 private:
  const Detectors& real_;
  mutable std::mt19937 random_;
  const bool forgives_;
  const std::set<std::string>* const unseen_;
  int* const faults_;
};

// Useful for: a disk that refuses, for a few records in a row; or one that only says that it wrote.
class FlakyStore : public AuditStore {
 public:
  FlakyStore(std::unique_ptr<AuditStore> files, uint32_t seed, bool lies, int* faults)
      : files_(std::move(files)), random_(seed), lies_(lies), faults_(faults) {}
  absl::Status Append(const std::string& line) override {
    if (lies_) return absl::OkStatus();
    if (refuse_ == 0 && ++appended_ > 1 && random_() % 150 == 0) refuse_ = 1 + static_cast<int>(random_() % 6);
    if (refuse_ > 0) {
      --refuse_;
      ++*faults_;
      return absl::UnavailableError("no space left on device");
    }
    return files_->Append(line);
  }

 private:
  const std::unique_ptr<AuditStore> files_;
  std::mt19937 random_;
  const bool lies_;
  int* const faults_;
  int refuse_ = 0;
  int64_t appended_ = 0;
};

}  // namespace headgate::router
