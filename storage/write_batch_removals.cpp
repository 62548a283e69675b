// What only nodes of a cluster ask of a transaction: tombstones and notes.

#include "storage/write_batch.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::storage {

namespace {

constexpr std::string_view members_key = "members"; // in `meta`

} // namespace

std::optional<std::string_view> read_members(MDB_txn* txn, const tables& all) {
  const auto value = get(txn, all.meta, members_key);
  if (!value)
    return std::string_view{};
  return read_checked(members_key, *value);
}

void write_batch::carry_out(const op::erase_device& what) {
  if (!is_storable(what.user, what.device))
    return;
  const auto key = device_key(what.user, what.device);
  if (what.at == 0) {
    dirty_ = erase(txn_.get(), tables_.devices, key) || dirty_;
    return;
  }
  // Removals and records of a device reach nodes in any order.
  if (const auto value = get(txn_.get(), tables_.devices, key))
    if (const auto known = read_device(key, what.device, *value);
        known && known->last_seen > what.at)
      return;
  const auto held = erase(txn_.get(), tables_.devices, key);
  dirty_ = dirty_ || held;
  const auto tombstone = removal_key(what.user, what.device);
  const bool remembers = what.remember == remembrance::always
                         || (what.remember == remembrance::if_held && held);
  if (remembers && removed_at(tombstone).value_or(0) < what.at)
    remember(tombstone, what.at);
}

void write_batch::carry_out(const op::drop_device& what) {
  if (!is_storable(what.user, what.record.name))
    return;
  const auto key = device_key(what.user, what.record.name);
  const auto value = get(txn_.get(), tables_.devices, key);
  if (!value)
    return;
  const auto known = read_device(key, what.record.name, *value);
  if (known && *known == what.record)
    dirty_ = erase(txn_.get(), tables_.devices, key) || dirty_;
}

void write_batch::carry_out(const op::forget& what) {
  if (!is_storable(what.user, what.device))
    return;
  const auto key = what.device.empty() ? removal_key(what.user, what.serverid)
                                       : removal_key(what.user, what.device);
  if (any_removals_ && erase(txn_.get(), tables_.removed, key))
    dirty_ = true;
}

void write_batch::carry_out(const op::barrier&) {
}

void write_batch::carry_out(const op::note_peer& what) {
  if (what.node_uuid.empty())
    return;
  auto commits = what.commits;
  if (const auto known = get(txn_.get(), tables_.peers, what.node_uuid))
    if (const auto note = read_peer(what.node_uuid, *known);
        note && note->disk_uuid == what.disk_uuid)
      commits = std::max(commits, note->commits);
  encode_peer_note(buffers_.value, {what.node_uuid, what.disk_uuid, commits});
  put(txn_.get(), tables_.peers, what.node_uuid, buffers_.value);
  dirty_ = true;
}

void write_batch::carry_out(const op::note_members& what) {
  encode_checked(buffers_.value, members_key, what.text);
  put(txn_.get(), tables_.meta, members_key, buffers_.value);
  dirty_ = true;
}

void write_batch::remember(std::string_view key, core::wall_ms at) {
  encode_checked(buffers_.value, key, encode_number(at));
  put(txn_.get(), tables_.removed, key, buffers_.value);
  any_removals_ = true;
  dirty_ = true;
}

// A damaged tombstone still is one, of unknown age.
std::optional<core::wall_ms>
write_batch::removed_at(std::string_view key) const {
  if (!any_removals_)
    return std::nullopt;
  const auto value = get(txn_.get(), tables_.removed, key);
  if (!value)
    return std::nullopt;
  const auto at = read_checked(key, *value);
  return at ? read_number(*at) : core::wall_ms{0};
}

std::string write_batch::sweep_removals(const std::string& from,
                                        std::size_t records,
                                        core::wall_ms expiry) {
  std::vector<std::string> overdue;
  std::vector<std::string> damaged;
  std::string next;
  {
    cursor at{txn_.get(), tables_.removed};
    auto more = from.empty() ? at.first() : at.seek(from);
    for (std::size_t i = 0; more && i < records; more = at.next(), ++i) {
      const auto tombstone = read_removal(at.key(), at.value());
      if (!tombstone)
        damaged.emplace_back(at.key());
      else if (tombstone->at < expiry)
        overdue.emplace_back(at.key());
    }
    if (more)
      next = at.key();
  }
  for (const auto& key : damaged)
    quarantine(place::removed, key);
  for (const auto& key : overdue)
    dirty_ = erase(txn_.get(), tables_.removed, key) || dirty_;
  return next;
}

} // namespace vartalap::storage
