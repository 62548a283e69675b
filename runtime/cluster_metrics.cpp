#include "runtime/cluster_metrics.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace vartalap::runtime {

namespace {

void publish_link(process_metrics& metrics, const std::string& label,
                  const actors::look_at_link::figures& link) {
  const auto number = [](auto n) { return static_cast<double>(n); };
  metrics.set("link_up", link.up ? 1 : 0, label);
  metrics.set("link_round_trip_seconds",
              number(link.channel.round_trip.count()) / 1e6, label);
  metrics.set("link_in_flight_bytes", number(link.channel.in_flight), label);
  metrics.set("link_queued_bytes", number(link.channel.queued), label);
  metrics.set_total("link_sent_bytes_total", number(link.channel.bytes_out),
                    label);
  metrics.set_total("link_received_bytes_total", number(link.channel.bytes_in),
                    label);
  metrics.set_total("link_sessions_total", number(link.sessions), label);
  metrics.set_total("link_given_back_total", number(link.given_back), label);
}

void publish_faults(process_metrics& metrics, const char* name,
                    const net::fault_counters& counted) {
  for (std::size_t i = 0; i < net::tunnel_faults; ++i) {
    const auto why = static_cast<net::tunnel_fault>(i);
    metrics.set_total(name, static_cast<double>(counted.of(why)),
                      "reason=\"" + std::string(net::to_string(why)) + "\"");
  }
}

} // namespace

void publish(process_metrics& metrics, const net::tunnel_counters& tunnel) {
  const auto number = [](const std::atomic<std::uint64_t>& n) {
    return static_cast<double>(n.load(std::memory_order_relaxed));
  };
  metrics.set("peer_tunnels", number(tunnel.open));
  metrics.set_total("peer_tunnels_total", number(tunnel.accepted),
                    R"(direction="in")");
  metrics.set_total("peer_tunnels_total", number(tunnel.dialed),
                    R"(direction="out")");
  metrics.set_total("peer_tunnels_ended_total", number(tunnel.ended));
  publish_faults(metrics, "peer_tunnels_refused_total", tunnel.refused);
  publish_faults(metrics, "peer_tunnels_failed_total", tunnel.failed);
  metrics.set_total("peer_frames_too_long_total", number(tunnel.oversize));
  metrics.set_total("peer_tunnel_bytes_total", number(tunnel.bytes_in),
                    R"(direction="in")");
  metrics.set_total("peer_tunnel_bytes_total", number(tunnel.bytes_out),
                    R"(direction="out")");
}

void publish(process_metrics& metrics, const node_cluster::picture& seen) {
  if (!seen.complete)
    return;
  const auto& cluster = seen.cluster;
  metrics.set("cluster_calm", cluster.calm ? 1 : 0);
  metrics.set("under_replicated",
              static_cast<double>(cluster.under_replicated));
  metrics.set("hints", static_cast<double>(cluster.foreign));
  metrics.set("buckets_owned",
              static_cast<double>(cluster.peers[seen.me].owns));
  metrics.set("buckets_claimed", static_cast<double>(cluster.claims));
  metrics.set("buckets_ownerless", static_cast<double>(cluster.ownerless));
  for (std::size_t i = 0; i < seen.links.size(); ++i)
    if (i != seen.me)
      publish_link(metrics, "peer=\"" + seen.names[i] + "\"", seen.links[i]);
}

} // namespace vartalap::runtime
