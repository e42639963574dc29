// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <unordered_map>
#include <utility>

namespace headgate {
namespace {

class PrometheusCounter : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Increment(double by) override { counter_.Increment(by); }
  double Value() const override { return counter_.Value(); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }
  void Add(double by) override { gauge_.Increment(by); }
  double Value() const override { return gauge_.Value(); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

// Looked up several times a request, so one string and a hash rather than an ordered map of maps. Each part is ended by
// a byte that is in no UTF-8 text.
template <typename List>
const std::string& KeyOf(std::string_view name, const List& labels) {
  static thread_local std::string key;
  key.assign(name).push_back('\xff');
  for (const auto& [label, value] : labels) {
    key.append(label).push_back('\xff');
    key.append(value).push_back('\xff');
  }
  return key;
}

}  // namespace

struct Metrics::State {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::mutex mutex;
  std::unordered_map<std::string, std::unique_ptr<Counter>> counters;
  std::unordered_map<std::string, std::unique_ptr<Gauge>> gauges;
  std::unordered_map<std::string, std::unique_ptr<Histogram>> histograms;
  struct Info {
    Labels labels;
    prometheus::Gauge* gauge = nullptr;
  };
  std::unordered_map<std::string, Info> infos;  // by name
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

namespace {

Labels Copy(const Labels& labels) { return labels; }
Labels Copy(LabelList labels) { return {labels.begin(), labels.end()}; }

template <typename State, typename List>
Counter& FindCounter(State& state, std::string_view name, std::string_view help, const List& labels) {
  std::lock_guard lock(state.mutex);
  auto& slot = state.counters[KeyOf(name, labels)];
  if (!slot) {
    auto& family = prometheus::BuildCounter().Name(std::string(name)).Help(std::string(help)).Register(*state.registry);
    slot = std::make_unique<PrometheusCounter>(family.Add(Copy(labels)));
  }
  return *slot;
}

template <typename State, typename List>
Gauge& FindGauge(State& state, std::string_view name, std::string_view help, const List& labels) {
  std::lock_guard lock(state.mutex);
  auto& slot = state.gauges[KeyOf(name, labels)];
  if (!slot) {
    auto& family = prometheus::BuildGauge().Name(std::string(name)).Help(std::string(help)).Register(*state.registry);
    slot = std::make_unique<PrometheusGauge>(family.Add(Copy(labels)));
  }
  return *slot;
}

}  // namespace

// The same labels in another order are another entry here, and the same metric in the registry.
Counter& Metrics::GetCounter(std::string_view name, std::string_view help, LabelList labels) {
  return FindCounter(*state_, name, help, labels);
}
Counter& Metrics::GetCounter(std::string_view name, std::string_view help, const Labels& labels) {
  return FindCounter(*state_, name, help, labels);
}
Gauge& Metrics::GetGauge(std::string_view name, std::string_view help, LabelList labels) {
  return FindGauge(*state_, name, help, labels);
}
Gauge& Metrics::GetGauge(std::string_view name, std::string_view help, const Labels& labels) {
  return FindGauge(*state_, name, help, labels);
}

Histogram& Metrics::GetHistogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                                 const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& slot = state_->histograms[KeyOf(name, labels)];
  if (!slot) {
    auto& family =
        prometheus::BuildHistogram().Name(std::string(name)).Help(std::string(help)).Register(*state_->registry);
    slot = std::make_unique<PrometheusHistogram>(family.Add(labels, prometheus::Histogram::BucketBoundaries(bounds)));
  }
  return *slot;
}

void Metrics::SetInfo(std::string_view name, std::string_view help, const Labels& labels, double value) {
  std::lock_guard lock(state_->mutex);
  auto& info = state_->infos[std::string(name)];
  if (info.gauge == nullptr || info.labels != labels) {
    auto& family = prometheus::BuildGauge().Name(std::string(name)).Help(std::string(help)).Register(*state_->registry);
    if (info.gauge != nullptr) family.Remove(info.gauge);
    info = {labels, &family.Add(labels)};
  }
  info.gauge->Set(value);
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(state_->registry->Collect()); }

}  // namespace headgate
