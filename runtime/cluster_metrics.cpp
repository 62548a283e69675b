#include "runtime/cluster_metrics.hpp"

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

} // namespace

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
