// What buckets hold, for other nodes to compare.

#include "core/hash.hpp"
#include "storage/lmdb_store.hpp"
#include "storage/record_format.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace vartalap::storage {

namespace {

constexpr std::uint64_t message_seed = 0x6d6573736167650aULL;
constexpr std::uint64_t device_seed = 0x6465766963650a0aULL;

// The order in which devices acknowledged does not count.
std::uint64_t acks_of(const record_view& record) {
  std::uint64_t out = 0;
  for (const auto& name : record.acked_names())
    out ^= core::mix64(core::stable_hash(name) | 1);
  return out;
}

std::uint64_t sum_of(const record_view& record) {
  core::field_hasher hasher{message_seed};
  hasher.add(record.user);
  hasher.add(record.serverid.high);
  hasher.add(record.serverid.low);
  hasher.add(acks_of(record));
  return hasher.finish().a;
}

// When a device was last seen is no difference between two nodes.
std::uint64_t sum_of(std::string_view user, const core::device_record& record) {
  core::field_hasher hasher{device_seed};
  hasher.add(user);
  hasher.add(record.name);
  hasher.add(record.cancelled_upto.high);
  hasher.add(record.cancelled_upto.low);
  if (const auto& push = record.push.get(); push != core::push_target{}) {
    hasher.add(push.since);
    hasher.add(static_cast<std::uint64_t>(push.platform));
    hasher.add(push.token);
  }
  return hasher.finish().a;
}

bool is_before(std::string_view key, std::uint16_t first,
               std::uint32_t count) noexcept {
  return key.size() >= 2
         && static_cast<std::uint32_t>(bucket_of_key(key) - first) < count;
}

} // namespace

// Calls `message(record)` for every sound message of the buckets, once, and
// `device(user, record)` for every device.
template <class Message, class Device>
void lmdb_store::visit_range(const published_index::range_reading& reading,
                             std::uint16_t first, std::uint32_t count,
                             const Message& message, const Device& device) {
  auto* txn = reading.txn.get();
  const auto& all = env_.all();
  std::set<std::pair<std::string_view, core::server_id>> in_journal;
  for (const auto& [user, entries] : reading.users)
    for (const auto& entry : entries) {
      const auto key = journal_key(entry.sequence);
      const auto value = get(txn, all.journal, key);
      const auto record = value ? read_record(key, *value) : std::nullopt;
      if (!record)
        continue; // Whoever reads the mailbox reports it.
      in_journal.emplace(user, entry.serverid);
      message(*record);
    }
  cursor settled{txn, all.mailboxes};
  for (auto more = settled.seek(bucket_key(first));
       more && is_before(settled.key(), first, count); more = settled.next()) {
    const auto record = read_record(settled.key(), settled.value());
    if (record && !in_journal.contains({record->user, record->serverid}))
      message(*record);
  }
  cursor devices{txn, all.devices};
  for (auto more = devices.seek(bucket_key(first));
       more && is_before(devices.key(), first, count); more = devices.next()) {
    const auto parts = split_user_key(devices.key());
    if (!parts)
      continue;
    if (const auto record
        = read_device(devices.key(), parts->rest, devices.value()))
      device(parts->user, *record);
  }
}

std::vector<bucket_digest> lmdb_store::digests(std::uint16_t first,
                                               std::uint32_t count) {
  const auto reading = index_.begin_range(first, count);
  std::map<std::uint16_t, bucket_digest> found;
  const auto at = [&](std::string_view user) -> bucket_digest& {
    const auto bucket = core::bucket_of(user);
    auto& out = found[bucket];
    out.bucket = bucket;
    return out;
  };
  visit_range(
    reading, first, count,
    [&](const record_view& record) {
      auto& to = at(record.user);
      ++to.messages;
      to.sum += sum_of(record);
    },
    [&](std::string_view user, const core::device_record& record) {
      auto& to = at(user);
      ++to.devices;
      to.sum += sum_of(user, record);
    });
  cursor removed{reading.txn.get(), env_.all().removed};
  for (auto more = removed.seek(bucket_key(first));
       more && is_before(removed.key(), first, count); more = removed.next())
    if (const auto parts = split_user_key(removed.key()))
      ++at(parts->user).removals;
  std::vector<bucket_digest> out;
  out.reserve(found.size());
  for (const auto& [bucket, digest] : found)
    out.push_back(digest);
  return out;
}

bucket_listing lmdb_store::list_bucket(std::uint16_t bucket) {
  const auto reading = index_.begin_range(bucket, 1);
  bucket_listing out;
  visit_range(
    reading, bucket, 1,
    [&](const record_view& record) {
      out.messages.push_back(
        {std::string{record.user}, record.serverid, acks_of(record)});
    },
    [&](std::string_view user, const core::device_record& record) {
      out.devices.emplace_back(user, record);
    });
  std::sort(
    out.messages.begin(), out.messages.end(), [](const auto& x, const auto& y) {
      return std::tie(x.user, x.serverid) < std::tie(y.user, y.serverid);
    });
  cursor removed{reading.txn.get(), env_.all().removed};
  for (auto more = removed.seek(bucket_key(bucket));
       more && is_before(removed.key(), bucket, 1); more = removed.next())
    if (auto one = read_removal(removed.key(), removed.value()))
      out.removals.push_back(std::move(*one));
  cursor raised{reading.txn.get(), env_.all().push};
  for (auto more = raised.seek(bucket_key(bucket));
       more && is_before(raised.key(), bucket, 1); more = raised.next())
    if (const auto parts = split_user_key(raised.key()))
      out.raised.emplace_back(parts->user);
  return out;
}

std::vector<peer_note> lmdb_store::peers() {
  std::vector<peer_note> out;
  const auto txn = begin_read(env_.handle());
  cursor at{txn.get(), env_.all().peers};
  for (auto more = at.first(); more; more = at.next())
    if (auto note = read_peer(at.key(), at.value()))
      out.push_back(std::move(*note));
  return out;
}

std::string lmdb_store::members() {
  const auto txn = begin_read(env_.handle());
  return std::string{read_members(txn.get(), env_.all()).value_or("")};
}

} // namespace vartalap::storage
