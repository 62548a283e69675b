#include "storage/write_batch.hpp"

#include "core/group.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::storage {

bool write_batch::is_storable(std::string_view user,
                              std::string_view device) noexcept {
  return !user.empty() && user.size() <= core::user_id_bytes_max
         && device.size() <= core::device_id_bytes_max;
}

std::optional<std::string_view> read_content(MDB_txn* txn, const tables& all,
                                             std::string_view key) {
  const auto value = get(txn, all.content, key);
  if (!value)
    return std::nullopt;
  return read_checked(key, *value);
}

write_batch::write_batch(const environment& env, const journal_index& index,
                         const writer_state& state, writer_buffers& buffers)
  : env_(env), index_(index), tables_(env.all()), state_(state),
    buffers_(buffers), txn_(begin_write(env.handle())),
    number_(txn_id(txn_.get())),
    any_removals_(record_count(txn_.get(), tables_.removed) > 0) {
  buffers_.users.clear();
  buffers_.changes.clear();
}

void write_batch::apply(queued& entry) {
  if (const auto* put = std::get_if<op::put>(&entry.what.what)) {
    if (entry.state == fate::annihilated) {
      ++state_.annihilated;
      if (put->raise_offline)
        raise_offline(put->message->to);
    }
  }
  if (entry.state == fate::met_put) {
    const auto& remove = std::get<op::remove>(entry.what.what);
    if (may_be_stored(remove.user, remove.serverid))
      carry_out(remove);
    else if (remove.remember != remembrance::none && is_storable(remove.user))
      remember(removal_key(remove.user, remove.serverid),
               remove.serverid.clock_ms());
  }
  if (entry.state != fate::live)
    return;
  if (const auto* put = std::get_if<op::put>(&entry.what.what);
      put != nullptr
      && removed_at(removal_key(put->message->to, put->message->serverid)))
    entry.state = fate::removed;
  else
    std::visit([this](const auto& what) { carry_out(what); }, entry.what.what);
}

void write_batch::carry_out(const op::put& what) {
  const auto& message = *what.message;
  if (what.raise_offline)
    raise_offline(message.to);
  if (core::is_internal_name(message.to))
    note_outgoing(what);
  // A message that is on disk already only learns of more acknowledgements.
  if (const auto known = index_.find(message.to, message.serverid)) {
    if (update_acks(place::journal, journal_key(*known), what.acked))
      return;
  } else if (message.serverid <= state_.horizon
             && update_acks(place::mailboxes,
                            mailbox_key(message.to, message.serverid),
                            what.acked)) {
    return;
  }
  content_key apart{};
  const auto shared = message.content.size() > inline_content_bytes_max
                      && share_content(message.content, apart);
  const auto sequence = state_.next_sequence++;
  const auto key = journal_key(sequence);
  encode_record(buffers_.value, key, message, what.acked,
                shared ? &apart : nullptr);
  append(txn_.get(), tables_.journal, key, buffers_.value);
  dirty_ = true;
  ++state_.appended;
  state_.newest_ms = std::max(
    {state_.newest_ms, message.server_timestamp, message.serverid.clock_ms()});
  buffers_.changes.push_back(
    {buffers_.users.size(), message.to.size(), message.serverid, sequence});
  buffers_.users.append(message.to);
}

void write_batch::carry_out(const op::remove& what) {
  if (!is_storable(what.user))
    return;
  const auto held = remove_message(what.user, what.serverid);
  if (what.remember == remembrance::always
      || (what.remember == remembrance::if_held && held))
    remember(removal_key(what.user, what.serverid), what.serverid.clock_ms());
}

bool write_batch::remove_message(std::string_view user, core::server_id id) {
  forget_outgoing(user, id);
  if (const auto sequence = index_.find(user, id)) {
    note_erased(user, id);
    if (remove_record(place::journal, journal_key(*sequence)))
      return true;
  }
  return remove_record(place::mailboxes, mailbox_key(user, id));
}

void write_batch::carry_out(const op::ack& what) {
  if (!is_storable(what.user, what.device))
    return;
  if (what.device == core::sent_to_all)
    forget_outgoing(what.user, what.serverid);
  const std::span<const std::string> devices{&what.device, 1};
  const auto sequence = index_.find(what.user, what.serverid);
  if (sequence && update_acks(place::journal, journal_key(*sequence), devices))
    return;
  update_acks(place::mailboxes, mailbox_key(what.user, what.serverid), devices);
}

void write_batch::carry_out(const op::put_device& what) {
  if (is_storable(what.user, what.record.name))
    write_device(what.user, what.record);
}

void write_batch::write_device(std::string_view user,
                               const core::device_record& record) {
  const auto tombstone = removal_key(user, record.name);
  if (const auto removed = removed_at(tombstone)) {
    if (record.last_seen <= *removed)
      return;
    erase(txn_.get(), tables_.removed, tombstone);
  }
  const auto key = device_key(user, record.name);
  encode_device(buffers_.value, key, record);
  put(txn_.get(), tables_.devices, key, buffers_.value);
  dirty_ = true;
}

void write_batch::carry_out(const op::merge_device& what) {
  if (!is_storable(what.user, what.record.name))
    return;
  auto merged = what.record;
  const auto key = device_key(what.user, merged.name);
  if (const auto value = get(txn_.get(), tables_.devices, key))
    if (const auto known = read_device(key, merged.name, *value)) {
      merged.last_seen = std::max(merged.last_seen, known->last_seen);
      if (merged.cancelled_upto < known->cancelled_upto)
        merged.gap_count = known->gap_count;
      else if (merged.cancelled_upto == known->cancelled_upto)
        merged.gap_count = std::max(merged.gap_count, known->gap_count);
      if (is_newer(known->push.get(), merged.push.get()))
        merged.push = known->push;
      merged.cancelled_upto
        = std::max(merged.cancelled_upto, known->cancelled_upto);
      if (merged == *known)
        return;
    }
  write_device(what.user, merged);
}

void write_batch::carry_out(const op::clear_offline& what) {
  if (is_storable(what.user)
      && erase(txn_.get(), tables_.push, user_key(what.user)))
    dirty_ = true;
}

void write_batch::raise_offline(std::string_view user) {
  if (!is_storable(user))
    return;
  put(txn_.get(), tables_.push, user_key(user), "");
  dirty_ = true;
}

void write_batch::raise_offline_once(std::string_view user) {
  if (!get(txn_.get(), tables_.push, user_key(user)))
    raise_offline(user);
}

// @returns False where there is no such record, or only a damaged one, which
//          is then in quarantine.
bool write_batch::update_acks(place where, std::string_view key,
                              std::span<const std::string> devices) {
  const auto value = get(txn_.get(), table_of(where), key);
  if (!value)
    return false;
  const auto record = read_record(key, *value);
  if (!record) {
    quarantine(where, key);
    return false;
  }
  if (encode_with_acks(buffers_.value, key, *record, *value, devices)) {
    put(txn_.get(), table_of(where), key, buffers_.value);
    dirty_ = true;
  }
  return true;
}

bool write_batch::may_be_stored(std::string_view user,
                                core::server_id id) const {
  return id <= state_.horizon || index_.find(user, id).has_value();
}

bool write_batch::remove_record(place where, std::string_view key) {
  cursor at{txn_.get(), table_of(where)};
  if (!at.find(key))
    return false;
  const auto record = read_record(key, at.value());
  if (!record) {
    quarantine(where, key);
    return true;
  }
  const auto content = *record;
  content_key apart{};
  if (content.content)
    std::copy(content.content->begin(), content.content->end(), apart.begin());
  at.erase();
  dirty_ = true;
  if (content.content)
    release_content(std::string_view{apart.data(), apart.size()});
  return true;
}

// @returns False where the content cannot be shared: another one has the
//          same hash.
bool write_batch::share_content(std::string_view content, content_key& key) {
  key = content_key_of(content);
  const std::string_view name{key.data(), key.size()};
  std::uint64_t count = 0;
  if (const auto known = get(txn_.get(), tables_.content_refs, name)) {
    const auto stored = read_content(txn_.get(), tables_, name);
    if (stored != content)
      return false;
    count = read_number(*known);
  } else {
    encode_checked(buffers_.value, name, content);
    put(txn_.get(), tables_.content, name, buffers_.value);
  }
  put(txn_.get(), tables_.content_refs, name, encode_number(count + 1));
  return true;
}

void write_batch::release_content(std::string_view key) {
  const std::string name{key};
  const auto known = get(txn_.get(), tables_.content_refs, name);
  if (!known)
    return;
  const auto count = read_number(*known);
  if (count > 1) {
    put(txn_.get(), tables_.content_refs, name, encode_number(count - 1));
    return;
  }
  erase(txn_.get(), tables_.content_refs, name);
  erase(txn_.get(), tables_.content, name);
}

void write_batch::note_erased(std::string_view user, core::server_id id) {
  buffers_.changes.push_back({buffers_.users.size(), user.size(), id, 0});
  buffers_.users.append(user);
}

table write_batch::table_of(place where) const noexcept {
  switch (where) {
    case place::journal:
      return tables_.journal;
    case place::mailboxes:
      return tables_.mailboxes;
    case place::devices:
      return tables_.devices;
    case place::removed:
      return tables_.removed;
  }
  return tables_.journal;
}

bool write_batch::commit() {
  if (dirty_) {
    ++state_.commits;
    env_.write_counters(txn_.get(), state_.commits, state_.newest_ms);
  }
  counts_ = {record_count(txn_.get(), tables_.journal),
             table_bytes(txn_.get(), tables_.journal),
             record_count(txn_.get(), tables_.mailboxes),
             record_count(txn_.get(), tables_.removed)};
  if (!dirty_) {
    txn_.reset();
    return false;
  }
  storage::commit(std::move(txn_));
  return true;
}

} // namespace vartalap::storage
