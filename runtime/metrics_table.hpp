#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::runtime {

enum class metric_kind : std::uint8_t { counter, gauge, histogram };

/// One metric. Every metric of the process has a row; none exists without.
struct metric_row {
  std::string_view name; ///< without the prefix `vartalap_`
  metric_kind kind = metric_kind::counter;
  std::string_view label; ///< key of its one label, or empty
  std::string_view help;  ///< one sentence, with the unit where it has one
};

/// All metrics, grouped as docs/metrics.md shows them.
const std::vector<metric_row>& metric_rows();

/// The row called `name` (without prefix), or nullptr.
const metric_row* find_metric(std::string_view name);

/// docs/metrics.md.
std::string metrics_page();

} // namespace vartalap::runtime
