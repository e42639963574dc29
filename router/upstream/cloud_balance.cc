// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/cloud_balance.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
constexpr size_t kAmountsMax = 8;
constexpr long kTimeoutMs = 30'000;
constexpr absl::Duration kFirstAfter = absl::Seconds(1);

// "110.00" in millionths, exactly; what is beyond them is cut off.
std::optional<int64_t> MicroUnits(const std::string& decimal) {
  const size_t point = decimal.find('.');
  std::string whole = decimal.substr(0, point);
  std::string part = point == std::string::npos ? "" : decimal.substr(point + 1);
  const bool negative = !whole.empty() && whole.front() == '-';
  if (negative) whole.erase(0, 1);
  const auto digits = [](const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  };
  if (whole.empty() || whole.size() > 12 || part.size() > 18 || !digits(whole) || !digits(part)) return std::nullopt;
  part.resize(6, '0');
  int64_t units = 0, millionths = 0;
  if (!absl::SimpleAtoi(whole, &units) || !absl::SimpleAtoi(part, &millionths)) return std::nullopt;
  const int64_t all = units * 1'000'000 + millionths;
  return negative ? -all : all;
}

}  // namespace

absl::StatusOr<CloudBalance> ParseCloudBalance(std::string_view body) {
  const absl::Status wrong = absl::UnavailableError("the cloud's balance has another form");
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return wrong;
  const auto available = json.find("is_available");
  const auto infos = json.find("balance_infos");
  if (available == json.end() || !available->is_boolean() || infos == json.end() || !infos->is_array()) return wrong;
  CloudBalance balance;
  balance.available = available->get<bool>();
  for (const auto& info : *infos) {
    if (!info.is_object() || balance.amounts.size() == kAmountsMax) return wrong;
    const auto currency = info.find("currency");
    const auto total = info.find("total_balance");
    if (currency == info.end() || !currency->is_string() || total == info.end() || !total->is_string()) return wrong;
    const std::string name = currency->get<std::string>();
    const auto amount = MicroUnits(total->get<std::string>());
    const bool code = name.size() == 3 && std::all_of(name.begin(), name.end(), absl::ascii_isupper);
    if (!code || !amount) return wrong;
    balance.amounts.push_back({name, *amount});
  }
  return balance;
}

BalancePoll::BalancePoll(Clock& clock, CurlMulti& multi, const CloudConfig& config, size_t keys, Configure configure,
                         Metrics& metrics)
    : clock_(clock),
      multi_(multi),
      config_(config),
      url_(absl::StrCat(config.base_url, "/user/balance")),
      configure_(std::move(configure)),
      metrics_(metrics),
      low_gauge_(metrics.GetGauge("headgate_router_cloud_balance_low",
                                  "1 while the cloud's balance is below cloud.balance_min_micro_units or spent.",
                                  CloudLabels(config))),
      accounts_(keys) {
  Wait(std::min(config_.balance_interval, kFirstAfter));
}

BalancePoll::~BalancePoll() {
  if (easy_ == nullptr) return;
  multi_.Remove(easy_);
  curl_easy_cleanup(easy_);
}

void BalancePoll::Wait(absl::Duration until) {
  if (config_.balance_interval <= absl::ZeroDuration()) return;
  timer_ = clock_.CallAt(clock_.Monotonic() + until, [this] { Ask(); });
}

void BalancePoll::Ask() {
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return Wait(config_.balance_interval);
  body_.clear();
  configure_(easy_, key_);
  curl_easy_setopt(easy_, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &BalancePoll::OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  if (!multi_.Add(easy_, [this](CURLcode result) { Done(result); }).ok()) Done(CURLE_FAILED_INIT);
}

size_t BalancePoll::OnBody(const char* data, size_t, size_t size, void* self) {
  std::string& body = static_cast<BalancePoll*>(self)->body_;
  if (body.size() + size > kBodyBytesMax) return 0;
  body.append(data, size);
  return size;
}

void BalancePoll::Done(CURLcode result) {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  multi_.Remove(easy_);
  curl_easy_cleanup(std::exchange(easy_, nullptr));
  if (status == 404) {
    HG_LOG(Info, "this cloud tells no balance: not asked for again");
    return;
  }
  absl::StatusOr<CloudBalance> balance = absl::UnavailableError("no answer");
  if (result == CURLE_OK && status == 200) balance = ParseCloudBalance(body_);
  Account& account = accounts_[key_];
  if (!balance.ok() && !account.failed) {
    HG_LOG(Warning, "the cloud's balance is not known, key=", key_ + 1, " status=", status);
  }
  account.failed = !balance.ok();
  if (balance.ok()) Show(*balance);
  key_ = (key_ + 1) % accounts_.size();
  Wait(key_ == 0 ? config_.balance_interval : absl::ZeroDuration());
}

void BalancePoll::Show(const CloudBalance& balance) {
  bool low = !balance.available;
  std::map<std::string, std::string> labels;
  if (accounts_.size() > 1) labels["key"] = absl::StrCat(key_ + 1);
  for (const CloudBalance::Amount& amount : balance.amounts) {
    labels["currency"] = amount.currency;
    metrics_
        .GetGauge("headgate_router_cloud_balance_micro_units", "What is left on the cloud's account.",
                  CloudLabels(config_, labels))
        .Set(static_cast<double>(amount.micro_units));
  }
  // One account has one currency; with several, the largest counts.
  const auto most = std::max_element(balance.amounts.begin(), balance.amounts.end(),
                                     [](const auto& a, const auto& b) { return a.micro_units < b.micro_units; });
  if (most != balance.amounts.end()) low = low || most->micro_units < config_.balance_min_micro_units;
  if (low && !accounts_[key_].low) {
    HG_LOG(Error, "the cloud's balance is low: key=", key_ + 1,
           " micro_units=", most == balance.amounts.end() ? 0 : most->micro_units, " available=", balance.available);
  }
  accounts_[key_].low = low;
  const bool any = std::any_of(accounts_.begin(), accounts_.end(), [](const Account& account) { return account.low; });
  low_gauge_.Set(any ? 1 : 0);
}

}  // namespace headgate::router
