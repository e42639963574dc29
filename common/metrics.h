// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Prometheus metrics: one Registry per process, exposed as text over HTTP (`/metrics`).
// A thin door to prometheus-cpp so that modules declare metrics without its headers in theirs. Names and labels are
// in docs/metrics.md; tools/tidy checks that every name there exists in code.
//
// Thread-safety: everything from any thread. Metric references live as long as the Registry.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Registry;
}

namespace headgate {

using Labels = std::map<std::string, std::string>;
// The same, written where it is used: nothing is copied for a metric that is known.
using LabelList = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;
  virtual double Value() const = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double by) = 0;
  virtual double Value() const = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same metric. Label cardinality is bounded by the caller: tenants and endpoints
  // come from configuration, never from requests.
  Counter& GetCounter(std::string_view name, std::string_view help, LabelList labels = {});
  Counter& GetCounter(std::string_view name, std::string_view help, const Labels& labels);
  Gauge& GetGauge(std::string_view name, std::string_view help, LabelList labels = {});
  Gauge& GetGauge(std::string_view name, std::string_view help, const Labels& labels);
  Histogram& GetHistogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                          const Labels& labels = {});

  // A gauge whose labels say something: the only one of its name, the one before goes.
  void SetInfo(std::string_view name, std::string_view help, const Labels& labels, double value);

  // Prometheus text format 0.0.4.
  std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace headgate
