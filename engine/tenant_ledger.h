// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TenantLedger: how much each tenant has been served, for fairness inside a priority class. The virtual token counter
// of Sheng et al. (OSDI 24): prompt and answer tokens are added up; a tenant that comes back after a pause is lifted to
// the least counter of those with open requests, so that a pause earns no credit. An answer token weighs twice a prompt
// token, as in that paper.
//
// Thread-safety: none; the engine's mutex guards it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace headgate::engine {

class TenantLedger {
 public:
  // A request of the tenant was accepted; returns the tenant's index, valid until its last request has ended.
  int32_t Enter(const std::string& tenant);
  void Leave(int32_t tenant);
  void ServedPrompt(int32_t tenant, int32_t tokens) { accounts_[static_cast<size_t>(tenant)].tokens += tokens; }
  void ServedAnswer(int32_t tenant, int32_t tokens) { accounts_[static_cast<size_t>(tenant)].tokens += 2.0 * tokens; }

  std::vector<double> Tokens() const;  // by index

  // Tenants without open requests are remembered up to this many; then the one served least is forgotten.
  static constexpr size_t kIdleMax = 1024;

 private:
  struct Account {
    std::string tenant;
    double tokens = 0;
    int32_t open = 0;
    bool used = false;
  };
  void ForgetOne();

  std::vector<Account> accounts_;
  std::map<std::string, int32_t> by_name_;
  size_t idle_ = 0;
};

}  // namespace headgate::engine
