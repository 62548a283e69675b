#pragma once

#include "core/ports.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vartalap::runtime {

/// The metrics of the process, rendered for Prometheus.
///
/// Names are those of metrics_table.hpp, without the prefix `vartalap_`; a
/// name that has no row, or is used as another kind, is counted in
/// `unknown_metric_uses_total{name}` and otherwise ignored. A row without a
/// label and every row's family show up before they are first used.
///
/// Threads: any. `add`, `set` and `observe` take a shared lock and one lookup;
/// what is counted per message belongs into plain counters that a collector
/// copies.
class process_metrics final : public core::metrics_port {
public:
  process_metrics();
  ~process_metrics() override;

  process_metrics(const process_metrics&) = delete;
  process_metrics& operator=(const process_metrics&) = delete;

  void add(std::string_view counter, double n,
           std::string_view label = {}) override;
  void set(std::string_view gauge, double value,
           std::string_view label = {}) override;
  void observe(std::string_view histogram, double seconds,
               std::string_view label = {}) override;

  /// Brings a counter to `total`, which somebody else has counted. A total
  /// below the present one (its owner has restarted) is ignored.
  void set_total(std::string_view counter, double total,
                 std::string_view label = {});

  /// Called before each rendering, on the thread that renders, in the order
  /// of registration; it pulls values with `set` and `set_total`. Must not
  /// call `add_collector` or `render`.
  void add_collector(std::function<void(process_metrics&)> collector);

  /// Runs the collectors, then gives everything in Prometheus' text format.
  std::string render();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace vartalap::runtime
