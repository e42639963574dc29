// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/exchange.h"

#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"

namespace headgate::planner {

bool IsDate(const std::string& text) {
  absl::CivilDay day;
  return absl::ParseCivilTime(text, &day) && absl::FormatCivilTime(day) == text;
}

bool IsCurrency(const std::string& text) {
  return text.size() == 3 && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
}

Exchange Exchange::Read(YamlReader::Map& parent) {
  Exchange exchange;
  for (YamlReader::Map& map : parent.GetList("fx")) {
    ExchangeRate rate;
    for (const char* key : {"from", "to", "rate", "date", "source"}) map.Require(key);
    for (const auto& [key, out] : {std::pair{"from", &rate.from}, std::pair{"to", &rate.to}}) {
      if (map.Get(key, out) && !IsCurrency(*out)) map.Complain(key, "must be a currency code of three capital letters");
    }
    map.Get("rate", &rate.rate, 1e-9, 1e9);
    if (map.Get("date", &rate.date) && !IsDate(rate.date)) map.Complain("date", "must be a date such as 2026-11-15");
    if (map.Get("source", &rate.source) && rate.source.empty()) map.Complain("source", "must not be empty");
    map.Finish();
    if (rate.from == rate.to) map.Complain("to", "is the currency that it comes from");
    if (exchange.Rate(rate.from, rate.to)) map.Complain("", "this pair is there already");
    if (rate.rate > 0) exchange.rates_.push_back(std::move(rate));
  }
  return exchange;
}

std::optional<double> Exchange::Rate(const std::string& from, const std::string& to) const {
  if (from == to) return 1;
  for (const ExchangeRate& rate : rates_) {
    if (rate.from == from && rate.to == to) return rate.rate;
    if (rate.from == to && rate.to == from) return 1 / rate.rate;
  }
  return std::nullopt;
}

std::string Exchange::Describe(const std::string& from, const std::string& to) const {
  for (const ExchangeRate& rate : rates_) {
    if ((rate.from == from && rate.to == to) || (rate.from == to && rate.to == from)) {
      return absl::StrFormat("1 %s = %g %s (%s, %s)", rate.from, rate.rate, rate.to, rate.date, rate.source);
    }
  }
  return "";
}

}  // namespace headgate::planner
