// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Exchange: dated rates between currencies, from the key `fx` of a scenario or a TCO profile:
//   fx:
//   - {from: CNY, to: USD, rate: 0.147, date: 2026-11-15, source: "where it stands"}
// A rate that is not given is not guessed: only the inverse of a given one is used.
//
// Thread-safety: values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/yaml_reader.h"

namespace headgate::planner {

struct ExchangeRate {
  std::string from, to;
  double rate = 0;  // of `to` for one of `from`
  std::string date, source;
};

class Exchange {
 public:
  // The list `fx` of `parent`; complains there.
  static Exchange Read(YamlReader::Map& parent);
  // 1 for the same currency; nullopt when no rate is given.
  std::optional<double> Rate(const std::string& from, const std::string& to) const;
  // "1 CNY = 0.147 USD (2026-11-15, where it stands)"; empty for the same currency or none.
  std::string Describe(const std::string& from, const std::string& to) const;
  const std::vector<ExchangeRate>& rates() const { return rates_; }

 private:
  std::vector<ExchangeRate> rates_;
};

// YYYY-MM-DD.
bool IsDate(const std::string& text);
// Three capital letters.
bool IsCurrency(const std::string& text);

}  // namespace headgate::planner
