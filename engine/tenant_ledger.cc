// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/tenant_ledger.h"

#include <algorithm>

namespace headgate::engine {

int32_t TenantLedger::Enter(const std::string& tenant) {
  double least = -1;
  for (const Account& account : accounts_) {
    if (account.open > 0 && (least < 0 || account.tokens < least)) least = account.tokens;
  }
  const auto [at, is_new] = by_name_.try_emplace(tenant, -1);
  if (is_new) {
    const auto unused = std::find_if(accounts_.begin(), accounts_.end(), [](const Account& a) { return !a.used; });
    at->second = static_cast<int32_t>(unused - accounts_.begin());
    if (unused == accounts_.end()) accounts_.emplace_back();
    accounts_[static_cast<size_t>(at->second)] = {tenant, 0, 0, true};
  } else if (accounts_[static_cast<size_t>(at->second)].open == 0) {
    --idle_;
  }
  Account& account = accounts_[static_cast<size_t>(at->second)];
  if (account.open++ == 0) account.tokens = std::max(account.tokens, least);
  return at->second;
}

void TenantLedger::Leave(int32_t tenant) {
  if (--accounts_[static_cast<size_t>(tenant)].open > 0) return;
  if (++idle_ > kIdleMax) ForgetOne();
}

void TenantLedger::ForgetOne() {
  Account* least = nullptr;
  for (Account& account : accounts_) {
    if (!account.used || account.open > 0) continue;
    if (least == nullptr || account.tokens < least->tokens) least = &account;
  }
  if (least == nullptr) return;
  by_name_.erase(least->tenant);
  *least = {};
  --idle_;
}

std::vector<double> TenantLedger::Tokens() const {
  std::vector<double> tokens;
  tokens.reserve(accounts_.size());
  for (const Account& account : accounts_) tokens.push_back(account.tokens);
  return tokens;
}

}  // namespace headgate::engine
