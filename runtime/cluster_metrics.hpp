#pragma once

#include "runtime/metrics.hpp"
#include "runtime/node_cluster.hpp"

namespace vartalap::runtime {

/// Sets the metrics that a cluster has: what is missing where, and each link.
void publish(process_metrics& metrics, const node_cluster::picture& seen);

/// Sets `peer_tunnel*`: connections on the `peer` address and to those of
/// others, and why those came to nothing that did.
void publish(process_metrics& metrics, const net::tunnel_counters& tunnel);

} // namespace vartalap::runtime
