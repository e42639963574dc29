// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RouterMetrics: what the path counts. Names: docs/metrics.md. gen_ai_* are OpenTelemetry's GenAI metrics in Prometheus
// spelling, with their buckets. Label values come from fixed sets and configuration only.
//
// Thread-safety: executor thread only (the metrics themselves: any thread).
#pragma once

#include <string>
#include <string_view>

#include "common/metrics.h"
#include "headgate/v1/inference.pb.h"
#include "router/classification.h"
#include "router/policy.h"

namespace headgate::router {

class RouterMetrics {
 public:
  explicit RouterMetrics(Metrics& metrics);
  void Attack(const Screened::Attack& attack);
  void Recalled(std::string_view known);
  // A request was masked; `clean`: nothing sensitive was left in it.
  void Masked(bool clean);
  void Classified(const Sensitivity& sensitivity);
  void Decided(const Decision& decision);
  void Wanted(int64_t replicas);
  // `stage` that refused, empty when the request succeeded; `first_token` is infinite when there was none.
  void Ended(const std::string& api, const v1::Route& route, const absl::Status& status, std::string_view stage,
             absl::Duration took, absl::Duration first_token, const v1::Usage& usage);

 private:
  struct Side {
    Histogram& duration;
    Histogram& first_token;
    Histogram& per_token;
    Histogram& input_tokens;
    Histogram& output_tokens;
  };
  static Side MakeSide(Metrics& metrics, const std::string& target);
  Metrics& metrics_;
  Side local_;
  Side cloud_;
};

}  // namespace headgate::router
