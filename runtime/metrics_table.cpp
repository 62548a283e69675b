#include "runtime/metrics_table.hpp"

#include <algorithm>

namespace vartalap::runtime {

namespace {

constexpr auto counter = metric_kind::counter;
constexpr auto gauge = metric_kind::gauge;
constexpr auto histogram = metric_kind::histogram;

constexpr std::string_view page_head = R"(# Metrics

`GET /metrics` on the admin address (`node.admin`) gives these in Prometheus' text
format. The page is made from the table that the process uses; there are no
others. A histogram of seconds has buckets from 100 µs to 30 s.

Balance of the messages, which holds at any moment (each name with the prefix
`vartalap_`):
`mailbox_pending_at_open_total + mailbox_received_total` =
`mailbox_acknowledged_total + mailbox_refused_total + mailbox_expired_total +
mailbox_erased_total + mailbox_quarantined_total + mailbox_cancelled_total +
mailbox_closed_pending_total + mailbox_pending`.

| name | kind | label | meaning |
| --- | --- | --- | --- |
)";

std::vector<metric_row> make_rows() {
  return {
    // The process.
    {"build_info", gauge, "version", "1, labelled with the running version."},
    {"start_time_seconds", gauge, "",
     "Unix time at which the process started."},
    {"ready", gauge, "", "1 while /readyz answers 200."},
    {"shards", gauge, "", "Shards of the node."},
    {"process_resident_bytes", gauge, "", "Resident memory."},
    {"process_cpu_seconds_total", counter, "", "CPU time, user and system."},
    {"process_open_files", gauge, "", "Open file descriptors."},
    {"process_open_files_max", gauge, "", "The limit of open files."},
    {"log_lines_lost_total", counter, "",
     "Log lines lost because standard error could not keep up."},
    {"unknown_metric_uses_total", counter, "name",
     "Uses of a metric that this table does not have: a defect."},

    // Shards.
    {"loop_lag_seconds", histogram, "shard",
     "The longest turn of a shard since the last rendering, in seconds."},
    {"shard_turns_total", counter, "shard", "Turns of a shard's event loop."},
    {"shard_events_total", counter, "shard", "Socket events of a shard."},
    {"shard_busy_seconds_total", counter, "shard",
     "Time that a shard's thread spent at work, not waiting."},
    {"shard_shares_thread", gauge, "shard",
     "1 while the first shard's thread runs this one too."},
    {"actors", gauge, "kind", "Living actors by kind."},

    // Connections.
    {"connections", gauge, "", "Open client connections."},
    {"connections_total", counter, "", "Client connections ever opened."},
    {"connections_upgraded_total", counter, "",
     "Client connections that became WebSockets."},
    {"connections_refused_total", counter, "reason",
     "Connections refused when they were accepted, by reason."},
    {"connections_closed_total", counter, "code",
     "WebSockets that ended, by close code; 0: none, or another."},
    {"error_frames_total", counter, "code",
     "ERROR frames sent to WebSockets, by code."},
    {"frames_total", counter, "direction", "WebSocket frames, in and out."},
    {"http_requests_total", counter, "", "HTTP requests of clients."},
    {"limit_hits_total", counter, "limit",
     "How often a limit took effect: message_rate, unconfirmed, output_bytes "
     "(write_timeout too), control_frames_per_second, timeouts (handshake and "
     "silence), login_rate, contacts_rate. Others are in connections_refused "
     "and error_frames."},

    {"logins_total", counter, "result",
     "Logins that a provider or a token decided: yes, no, unavailable."},

    // Messages: the sum over all shards.
    {"mailbox_received_total", counter, "",
     "Messages given a serverId; ephemeral ones are not."},
    {"mailbox_pending_at_open_total", counter, "",
     "Messages found on disk when their mailbox opened."},
    {"mailbox_closed_pending_total", counter, "",
     "Messages left on disk when their mailbox closed."},
    {"mailbox_acknowledged_total", counter, "",
     "Messages acknowledged by every owing device."},
    {"mailbox_refused_total", counter, "",
     "Messages refused after they were received: a failed commit."},
    {"mailbox_expired_total", counter, "", "Messages whose ttl was over."},
    {"mailbox_erased_total", counter, "", "Messages erased with their user."},
    {"mailbox_quarantined_total", counter, "",
     "Messages whose record was damaged."},
    {"mailbox_cancelled_total", counter, "",
     "Messages that nobody owed any more after a device was removed."},
    {"mailbox_pending", gauge, "", "Pending messages in open mailboxes."},
    {"mailbox_rejected_total", counter, "",
     "Messages refused before they were received."},
    {"mailbox_duplicates_total", counter, "", "Resends of a known id."},
    {"mailbox_ephemeral_relayed_total", counter, "",
     "Ephemeral messages handed to a device."},
    {"mailbox_ephemeral_dropped_total", counter, "",
     "Ephemeral messages whose recipient was away."},
    {"mailbox_delivered_total", counter, "",
     "Deliveries handed to connections, repeats included."},
    {"mailbox_redelivered_total", counter, "", "Deliveries that were repeats."},
    {"mailbox_confirmed_memory_total", counter, "",
     "Messages confirmed because every owing device acknowledged first."},
    {"mailbox_confirmed_disk_total", counter, "",
     "Messages confirmed because they were durable."},
    {"mailbox_stored_total", counter, "", "Messages given to storage."},
    {"mailbox_undelivered_total", counter, "",
     "Deliveries given up after all retries."},
    {"mailbox_stuck", gauge, "",
     "Messages that a device did not acknowledge even alone."},
    {"mailbox_offline_events_total", counter, "",
     "Offline events that mailboxes raised."},
    {"mailbox_memory_bytes", gauge, "", "Weight of the messages in memory."},
    {"mailboxes_open", gauge, "", "Open mailboxes."},

    // Push.
    {"push_queue", gauge, "",
     "Users in memory who are to be woken; others may wait on disk."},
    {"push_events_total", counter, "",
     "Wake-ups begun, those found on disk included."},
    {"push_cancelled_total", counter, "",
     "Wake-ups that a device was quicker than."},
    {"push_nobody_total", counter, "",
     "Wake-ups of users without any push target."},
    {"push_gave_up_total", counter, "",
     "Targets given up after push.give_up_after."},
    {"push_tokens_dropped_total", counter, "",
     "Tokens forgotten because their provider says they are gone."},
    {"push_delivered_total", counter, "provider",
     "Attempts that the provider took."},
    {"push_retry_total", counter, "provider",
     "Attempts to be repeated: no answer, 429, 5xx."},
    {"push_dead_total", counter, "provider",
     "Attempts to a token that is gone."},
    {"push_rejected_total", counter, "provider",
     "Attempts that the provider will never take as they are."},
    {"push_misconfigured_total", counter, "provider",
     "Attempts refused because of our key or set-up: see the log."},

    // Groups.
    {"groups_open", gauge, "",
     "Groups, and users' lists of groups, in memory."},
    {"group_messages_total", counter, "",
     "Messages that groups have accepted."},
    {"group_copies_total", counter, "what",
     "Copies and events to members: sent, refused for good, to be sent again "
     "later, and what was given up since its ttl was over or the group full."},
    {"group_finished_total", counter, "",
     "Messages and events that all members have."},

    // Storage.
    {"storage_accepting", gauge, "", "0 while new messages are refused: full."},
    {"storage_failed", gauge, "", "1 after an I/O error that is no full disk."},
    {"storage_expiry_paused", gauge, "",
     "1 while expiry waits for an operator to confirm the clock."},
    {"storage_journal_records", gauge, "", "Records in the journal."},
    {"storage_journal_bytes", gauge, "", "Bytes in the journal."},
    {"storage_settled_records", gauge, "", "Records in settled mailboxes."},
    {"storage_queue_operations", gauge, "",
     "Operations that wait for the writer."},
    {"storage_commits_total", counter, "", "Commits."},
    {"storage_appended_total", counter, "", "Records appended to the journal."},
    {"storage_annihilated_total", counter, "",
     "Writes that met their removal in the queue and were never made."},
    {"storage_settled_total", counter, "",
     "Records moved from the journal to mailboxes."},
    {"storage_quarantined_total", counter, "", "Damaged records set aside."},
    {"storage_expired_total", counter, "", "Records removed by the sweep."},
    {"cluster_calm", gauge, "",
     "1 while all nodes are there and have all that they are to have."},
    {"under_replicated", gauge, "",
     "Messages that another node is known to lack; repair is under way."},
    {"hints", gauge, "",
     "Messages that are kept here for nodes that are away."},
    {"buckets_owned", gauge, "", "Buckets whose home this node is."},
    {"buckets_claimed", gauge, "",
     "Buckets that this node serves in another's place."},
    {"buckets_ownerless", gauge, "",
     "Buckets that nobody whom this node reaches may serve."},
    {"link_up", gauge, "peer", "1 while the link to the peer is up."},
    {"link_round_trip_seconds", gauge, "peer",
     "Smoothed time until the peer acknowledges a blob, in seconds."},
    {"link_in_flight_bytes", gauge, "peer",
     "Bytes sent to the peer and not acknowledged."},
    {"link_queued_bytes", gauge, "peer",
     "Bytes that wait for the link's window."},
    {"link_sent_bytes_total", counter, "peer", "Bytes sent to the peer."},
    {"link_received_bytes_total", counter, "peer",
     "Bytes received from the peer."},
    {"link_sessions_total", counter, "peer", "Times that the link came up."},
    {"link_given_back_total", counter, "peer",
     "Messages that went elsewhere because the peer did not answer."},
    {"peer_tunnels", gauge, "",
     "Open connections with other nodes that have proved who they are."},
    {"peer_tunnels_total", counter, "direction",
     "Connections of other nodes (in) and to them (out) that were proved."},
    {"peer_tunnels_ended_total", counter, "",
     "Connections with other nodes, once proved, that ended."},
    {"peer_tunnels_refused_total", counter, "reason",
     "Connections on the `peer` address that were closed without a proof: "
     "crowded (made room for a newer one), timeout, closed (by the other "
     "side), tls (none, or another authority's certificate), protocol, name "
     "(no member, or a certificate for another), secret, ending."},
    {"peer_tunnels_failed_total", counter, "reason",
     "Connections to other nodes that came to nothing: unreachable, or as "
     "above."},
    {"peer_frames_too_long_total", counter, "",
     "Connections with nodes that were ended for a frame that was too long."},
    {"peer_tunnel_bytes_total", counter, "direction",
     "Bytes that passed between this node and others."},
    {"storage_removals", gauge, "",
     "Removals that are remembered until all nodes know of them."},
    {"storage_map_used_bytes", gauge, "", "Used bytes of the map."},
    {"storage_map_bytes", gauge, "", "Size of the map."},
    {"storage_disk_free_bytes", gauge, "",
     "Free bytes of the file system that holds the data."},
  };
}

std::string_view kind_name(metric_kind kind) {
  switch (kind) {
    case metric_kind::counter:
      return "counter";
    case metric_kind::gauge:
      return "gauge";
    case metric_kind::histogram:
      break;
  }
  return "histogram";
}

} // namespace

const std::vector<metric_row>& metric_rows() {
  static const auto rows = make_rows();
  return rows;
}

const metric_row* find_metric(std::string_view name) {
  const auto& rows = metric_rows();
  const auto found
    = std::find_if(rows.begin(), rows.end(),
                   [&](const auto& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

std::string metrics_page() {
  std::string page(page_head);
  for (const auto& row : metric_rows()) {
    page += "| `vartalap_" + std::string(row.name) + "` | ";
    page += std::string(kind_name(row.kind)) + " | ";
    page += row.label.empty() ? "" : "`" + std::string(row.label) + "` ";
    page += "| " + std::string(row.help) + " |\n";
  }
  return page;
}

} // namespace vartalap::runtime
