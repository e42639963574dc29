// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// BudgetBook: what each tenant, and all together, may still spend on the cloud in this day or month.
//
// Before a request goes out its worst case is held; what it really cost replaces the hold. Spent plus held never
// exceeds a hard limit, so no budget is overspent as long as no answer costs more than its worst case. A hold that is
// dropped without settling is released: nothing was bought.
// Pacing: the spending meant by now, s*(t), follows the hourly profile; every minute
// mu <- max(0, mu + (spent - s*) / limit), the shadow price that `cost` puts on the cloud's price (policy.h).
// Money: micro-units of the price table's one currency. Days and months are Beijing's.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "router/config.h"
#include "router/policy.h"
#include "router/shared_limits.h"

namespace headgate::router {

class BudgetBook {
 public:
  struct Account;
  // A worst case held until it is settled or dropped.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { Release(); }
    int64_t micro_units() const { return micro_units_; }

   private:
    friend class BudgetBook;
    void Release();
    std::vector<std::shared_ptr<Account>> accounts_;
    int64_t micro_units_ = 0;
  };

  BudgetBook(const Clock& clock, Metrics& metrics);
  ~BudgetBook();
  // From now on every budget is that of all routers; while the store is lost, this router spends what it has leased, or
  // its share when it has leased nothing.
  void Share(SharedLimits& limits);
  // Budgets of `tenants` and of all together; what was spent and is held stays.
  void Apply(const BudgetConfig& all, const std::vector<TenantConfig>& tenants);

  // For policy: whether `worst_case` fits now, and the shadow price (the dearer of the tenant's and the whole's).
  Budget Look(const std::string& tenant, int64_t worst_case);
  // REQUIRES: Look said that there is room, nothing suspended since.
  Hold Reserve(const std::string& tenant, int64_t worst_case);
  // Books `actual` in place of the hold; nullopt = not known, which counts as the whole worst case, never as nothing.
  void Settle(Hold hold, std::optional<int64_t> actual);
  // What was spent before this process began (docs/accounting.md). Money of another period is ignored.
  void Restore(const std::string& tenant, absl::Time when, int64_t micro_units);

  struct State {
    int64_t limit = 0, spent = 0, held = 0;
    double shadow_price = 0;
  };
  // `tenant` empty = all together. None without a budget.
  std::optional<State> StateOf(const std::string& tenant);

 private:
  std::vector<std::shared_ptr<Account>> AccountsOf(const std::string& tenant);
  void BringUpToDate(Account& account);
  void Book(Account& account, int64_t micro_units);
  void SetAccount(const std::string& name, const BudgetConfig& config);

  void Publish(Account& account, int64_t next);

  const Clock& clock_;
  Metrics& metrics_;
  SharedLimits* shared_ = nullptr;
  std::map<std::string, std::shared_ptr<Account>> accounts_;  // by tenant; "" = all
};

// The share of a period's money that is meant to be spent by `when`, 0..1. Pure.
double PacedShare(const BudgetConfig& config, absl::Time when);

}  // namespace headgate::router
