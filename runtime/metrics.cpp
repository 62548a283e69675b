#include "runtime/metrics.hpp"

#include "runtime/metrics_table.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <unordered_map>
#include <variant>
#include <vector>

namespace vartalap::runtime {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

/// 100 µs to 30 s, about three a decade.
const Histogram::BucketBoundaries& buckets() {
  static const Histogram::BucketBoundaries bounds{
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
  return bounds;
}

struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

template <class T>
using by_text = std::unordered_map<std::string, T, text_hash, std::equal_to<>>;

using series = std::variant<Counter*, Gauge*, Histogram*>;
using family
  = std::variant<Family<Counter>*, Family<Gauge>*, Family<Histogram>*>;

/// `key="value"` as Prometheus wants it; anything else is no label.
prometheus::Labels to_labels(std::string_view label) {
  const auto equals = label.find("=\"");
  if (equals == std::string_view::npos || equals == 0 || label.back() != '"'
      || label.size() < equals + 3)
    return {};
  const auto value = label.substr(equals + 2, label.size() - equals - 3);
  return {{std::string(label.substr(0, equals)), std::string(value)}};
}

family make_family(prometheus::Registry& registry, const metric_row& row) {
  const auto name = "vartalap_" + std::string(row.name);
  const std::string help(row.help);
  switch (row.kind) {
    case metric_kind::counter:
      return &prometheus::BuildCounter().Name(name).Help(help).Register(
        registry);
    case metric_kind::gauge:
      return &prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    case metric_kind::histogram:
      break;
  }
  return &prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

series make_series(const family& of, const prometheus::Labels& labels) {
  if (const auto* counters = std::get_if<Family<Counter>*>(&of))
    return &(*counters)->Add(labels);
  if (const auto* gauges = std::get_if<Family<Gauge>*>(&of))
    return &(*gauges)->Add(labels);
  return &std::get<Family<Histogram>*>(of)->Add(labels, buckets());
}

} // namespace

struct process_metrics::state {
  prometheus::Registry registry;
  std::shared_mutex mutex; ///< guards `metrics` beyond its keys, which stay
  struct metric {
    family of;
    by_text<series> by_label;
  };
  by_text<metric> metrics;

  std::mutex render_mutex; ///< guards `collectors`; one rendering at a time
  std::vector<std::function<void(process_metrics&)>> collectors;

  /// The series of a metric and label, made at its first use; nullptr where
  /// there is no such metric of that kind.
  template <class T>
  T* find(std::string_view name, std::string_view label) {
    const auto found = metrics.find(name);
    if (found == metrics.end()
        || !std::holds_alternative<Family<T>*>(found->second.of))
      return nullptr;
    auto& one = found->second;
    {
      std::shared_lock lock(mutex);
      if (const auto known = one.by_label.find(label);
          known != one.by_label.end())
        return std::get<T*>(known->second);
    }
    std::unique_lock lock(mutex);
    const auto known = one.by_label.find(label);
    if (known != one.by_label.end())
      return std::get<T*>(known->second);
    const auto made = make_series(one.of, to_labels(label));
    one.by_label.emplace(std::string(label), made);
    return std::get<T*>(made);
  }

  void count_unknown(std::string_view name) {
    const auto label = "name=\"" + std::string(name) + '"';
    find<Counter>("unknown_metric_uses_total", label)->Increment();
  }
};

process_metrics::process_metrics() : state_(std::make_unique<state>()) {
  for (const auto& row : metric_rows()) {
    auto& metric = state_->metrics[std::string(row.name)];
    metric.of = make_family(state_->registry, row);
    if (row.label.empty())
      metric.by_label.emplace("", make_series(metric.of, {}));
  }
  const std::chrono::duration<double> now
    = std::chrono::system_clock::now().time_since_epoch();
  set("start_time_seconds", now.count());
}

process_metrics::~process_metrics() = default;

void process_metrics::add(std::string_view counter, double n,
                          std::string_view label) {
  if (auto* found = state_->find<Counter>(counter, label))
    found->Increment(n);
  else
    state_->count_unknown(counter);
}

void process_metrics::set(std::string_view gauge, double value,
                          std::string_view label) {
  if (auto* found = state_->find<Gauge>(gauge, label))
    found->Set(value);
  else
    state_->count_unknown(gauge);
}

void process_metrics::observe(std::string_view histogram, double seconds,
                              std::string_view label) {
  if (auto* found = state_->find<Histogram>(histogram, label))
    found->Observe(seconds);
  else
    state_->count_unknown(histogram);
}

void process_metrics::set_total(std::string_view counter, double total,
                                std::string_view label) {
  auto* found = state_->find<Counter>(counter, label);
  if (found == nullptr) {
    state_->count_unknown(counter);
    return;
  }
  if (const auto missing = total - found->Value(); missing > 0)
    found->Increment(missing);
}

void process_metrics::add_collector(
  std::function<void(process_metrics&)> collector) {
  std::scoped_lock lock(state_->render_mutex);
  state_->collectors.push_back(std::move(collector));
}

std::string process_metrics::render() {
  std::scoped_lock lock(state_->render_mutex);
  for (const auto& collector : state_->collectors)
    collector(*this);
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, state_->registry.Collect());
  return out.str();
}

} // namespace vartalap::runtime
