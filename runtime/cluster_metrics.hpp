#pragma once

#include "runtime/metrics.hpp"
#include "runtime/node_cluster.hpp"

namespace vartalap::runtime {

/// Sets the metrics that a cluster has: what is missing where, and each link.
void publish(process_metrics& metrics, const node_cluster::picture& seen);

} // namespace vartalap::runtime
