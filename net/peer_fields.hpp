#pragma once

#include "net/peer_messages.hpp"

/// Which fields travel, in which order: one list for writing and reading.
namespace vartalap::net::peer {

template <class F>
auto fields(hello& x, F&& f) {
  return f(x.version_min, x.version_max, x.session, x.cluster, x.name,
           x.node_uuid, x.disk_uuid, x.incarnation, x.commits, x.members_hash,
           x.rules_hash, x.clock, x.refusal);
}
template <class F>
auto fields(submit& x, F&& f) {
  return f(x.token, x.own_device, x.message);
}
template <class F>
auto fields(attach& x, F&& f) {
  return f(x.attachment, x.user, x.device, x.opened);
}
template <class F>
auto fields(detach& x, F&& f) {
  return f(x.attachment);
}
template <class F>
auto fields(acks& x, F&& f) {
  return f(x.token, x.attachment, x.user, x.device, x.serverids, x.in_flight,
           x.named);
}
template <class F>
auto fields(written& x, F&& f) {
  return f(x.attachment, x.ordinal, x.age_us);
}
template <class F>
auto fields(list& x, F&& f) {
  return f(x.token, x.user, x.device, x.limit, x.bytes_max);
}
template <class F>
auto fields(change_device& x, F&& f) {
  return f(x.user, x.device, x.remove, x.sets_push, x.push);
}
template <class F>
auto fields(inspect& x, F&& f) {
  return f(x.token, x.user);
}
template <class F>
auto fields(confirmed& x, F&& f) {
  return f(x.token, x.serverid, x.server_timestamp, x.status, x.durability);
}
template <class F>
auto fields(refused& x, F&& f) {
  return f(x.token, x.code);
}
template <class F>
auto fields(merged& x, F&& f) {
  return f(x.token);
}
template <class F>
auto fields(not_home& x, F&& f) {
  return f(x.token, x.attachment);
}
template <class F>
auto fields(attached& x, F&& f) {
  return f(x.attachment);
}
template <class F>
auto fields(deliver& x, F&& f) {
  return f(x.attachment, x.ordinal, x.attempt, x.message);
}
template <class F>
auto fields(gap& x, F&& f) {
  return f(x.attachment, x.count);
}
template <class F>
auto fields(close& x, F&& f) {
  return f(x.attachment, x.reason);
}
template <class F>
auto fields(page& x, F&& f) {
  return f(x.token, x.more, x.failed, x.too_many_devices, x.messages);
}
template <class F>
auto fields(inspected& x, F&& f) {
  return f(x.token, x.what);
}
template <class F>
auto fields(counted& x, F&& f) {
  return f(x.token, x.pending);
}
template <class F>
auto fields(copy_put& x, F&& f) {
  return f(x.ticket, x.raise_offline, x.acked, x.message);
}
template <class F>
auto fields(copy_remove& x, F&& f) {
  return f(x.ticket, x.user, x.serverid, x.remember);
}
template <class F>
auto fields(copy_ack& x, F&& f) {
  return f(x.ticket, x.user, x.serverid, x.device);
}
template <class F>
auto fields(copy_device& x, F&& f) {
  return f(x.ticket, x.user, x.record);
}
template <class F>
auto fields(copy_erase_device& x, F&& f) {
  return f(x.ticket, x.user, x.device, x.at, x.remember);
}
template <class F>
auto fields(copy_clear_offline& x, F&& f) {
  return f(x.ticket, x.user);
}
template <class F>
auto fields(stored& x, F&& f) {
  return f(x.tickets, x.failed);
}
template <class F>
auto fields(cluster& x, F&& f) {
  return f(x.what);
}

} // namespace vartalap::net::peer

namespace vartalap::core {

template <class F>
auto fields(envelope& x, F&& f) {
  return f(x.id, x.from, x.to, x.content, x.meta, x.timestamp, x.serverid,
           x.server_timestamp, x.type, x.channel, x.kind, x.ephemeral, x.group);
}
template <class F>
auto fields(meta_entry& x, F&& f) {
  return f(x.key, x.value, x.is_json);
}
template <class F>
auto fields(push_target& x, F&& f) {
  return f(x.platform, x.token, x.since);
}
template <class F>
auto fields(kept_push_target& x, F&& f) {
  // Written and read through a copy: most devices have none to point at.
  auto all = x.get();
  fields(all, f);
  if (all != x.get())
    x = std::move(all);
}
template <class F>
auto fields(device_record& x, F&& f) {
  return f(x.name, x.last_seen, x.cancelled_upto, x.gap_count, x.push);
}
template <class F>
auto fields(mailbox::inspection::device& x, F&& f) {
  return f(x.name, x.connected, x.last_seen, x.owes, x.in_flight, x.stuck,
           x.push);
}
template <class F>
auto fields(mailbox::inspection& x, F&& f) {
  return f(x.devices, x.pending, x.pending_bytes, x.in_memory, x.oldest);
}
template <class F>
auto fields(bucket_claim& x, F&& f) {
  return f(x.bucket, x.epoch);
}

namespace say {

template <class F>
auto fields(status& x, F&& f) {
  return f(x.phase, x.reaches, x.in_step, x.next_members);
}
template <class F>
auto fields(claims& x, F&& f) {
  return f(x.full, x.made, x.released);
}
template <class F>
auto fields(please_take& x, F&& f) {
  return f(x.buckets);
}
template <class F>
auto fields(bucket_sum& x, F&& f) {
  return f(x.bucket, x.entries, x.sum);
}
template <class F>
auto fields(sums& x, F&& f) {
  return f(x.pass, x.first, x.count, x.buckets);
}
template <class F>
auto fields(differs& x, F&& f) {
  return f(x.pass, x.first, x.buckets);
}
template <class F>
auto fields(message_mark& x, F&& f) {
  return f(x.user, x.serverid, x.acks);
}
template <class F>
auto fields(device_of& x, F&& f) {
  return f(x.user, x.record);
}
template <class F>
auto fields(removal& x, F&& f) {
  return f(x.user, x.serverid, x.device, x.at);
}
template <class F>
auto fields(listing& x, F&& f) {
  return f(x.pass, x.bucket, x.messages, x.devices, x.removals);
}
template <class F>
auto fields(wants& x, F&& f) {
  return f(x.pass, x.bucket, x.missing, x.removed);
}
template <class F>
auto fields(pass_done& x, F&& f) {
  return f(x.pass);
}

} // namespace say

} // namespace vartalap::core
