// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What is left on the cloud's account: asked for now and then (GET /user/balance, which carries no content), shown as a
// metric, reported when it is low. Several keys may be of several accounts: each is asked for its own.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "router/config_upstreams.h"
#include "router/upstream/curl_multi.h"

namespace headgate::router {

struct CloudBalance {
  bool available = true;
  struct Amount {
    std::string currency;     // three capital letters
    int64_t micro_units = 0;  // rounded towards less
  };
  std::vector<Amount> amounts;
};
// The response body; amounts are decimal strings there. UNAVAILABLE when it is something else. Pure.
absl::StatusOr<CloudBalance> ParseCloudBalance(std::string_view body);

class BalancePoll {
 public:
  // Prepares a transfer as every other one, with that key.
  using Configure = std::function<void(CURL*, size_t key)>;
  // First after a second: a balance that is low is known soon after the start. All keys, one after the other. `clock`,
  // `multi` and `metrics` must outlive it.
  BalancePoll(Clock& clock, CurlMulti& multi, const CloudConfig& config, size_t keys, Configure configure,
              Metrics& metrics);
  ~BalancePoll();
  BalancePoll(const BalancePoll&) = delete;
  BalancePoll& operator=(const BalancePoll&) = delete;

 private:
  void Wait(absl::Duration until);
  void Ask();
  void Done(CURLcode result);
  void Show(const CloudBalance& balance);
  static size_t OnBody(const char* data, size_t, size_t size, void* self);

  Clock& clock_;
  CurlMulti& multi_;
  const CloudConfig config_;
  const std::string url_;
  const Configure configure_;
  Metrics& metrics_;
  Gauge& low_gauge_;
  CURL* easy_ = nullptr;  // while a question is open
  std::string body_;
  struct Account {
    bool low = false;
    bool failed = false;  // the last time
  };
  std::vector<Account> accounts_;  // by key
  size_t key_ = 0;                 // that is asked about
  std::unique_ptr<Timer> timer_;
};

}  // namespace headgate::router
