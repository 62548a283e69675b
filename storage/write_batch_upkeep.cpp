// What the writer does of its own accord: settling, expiry, quarantine.

#include "storage/write_batch.hpp"

#include <algorithm>

namespace vartalap::storage {

namespace {

const char* name_of(place where) noexcept {
  switch (where) {
    case place::journal:
      return "journal";
    case place::mailboxes:
      return "mailboxes";
    case place::devices:
      return "devices";
    case place::removed:
      return "removed";
  }
  return "?";
}

std::string printable(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (auto c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

/// What a group is made of stays as long as the group.
bool is_overdue(const record_view& record, core::wall_ms expiry) noexcept {
  return record.born() < expiry
         && record.type != core::message_type::group_record;
}

} // namespace

std::size_t write_batch::settle(std::size_t records, std::uint64_t upto,
                                core::wall_ms expiry) {
  buffers_.arena.clear();
  buffers_.moves.clear();
  std::vector<std::uint64_t> overdue;
  std::vector<std::uint64_t> damaged;
  {
    cursor at{txn_.get(), tables_.journal};
    auto more = at.first();
    for (std::size_t i = 0; more && i < records; more = at.next(), ++i) {
      const auto sequence = sequence_of(at.key());
      if (sequence > upto)
        break;
      const auto record = read_record(at.key(), at.value());
      if (!record) {
        damaged.push_back(sequence);
        continue;
      }
      if (is_overdue(*record, expiry)) {
        overdue.push_back(sequence);
        continue;
      }
      const auto key = mailbox_key(record->user, record->serverid);
      const std::string_view bytes = key;
      buffers_.moves.push_back({buffers_.arena.size(), bytes.size(),
                                at.value().size(), sequence, record->serverid});
      buffers_.arena.append(bytes);
      append_moved(buffers_.arena, bytes, at.value());
    }
  }
  for (auto sequence : damaged)
    quarantine(place::journal, journal_key(sequence));
  for (auto sequence : overdue)
    expire(place::journal, journal_key(sequence));
  const std::string_view arena = buffers_.arena;
  std::sort(buffers_.moves.begin(), buffers_.moves.end(),
            [arena](const auto& x, const auto& y) {
              return arena.substr(x.key_at, x.key_size)
                     < arena.substr(y.key_at, y.key_size);
            });
  for (const auto& item : buffers_.moves)
    move_in(item);
  // Deleted in the order in which they were appended: page after page.
  std::sort(
    buffers_.moves.begin(), buffers_.moves.end(),
    [](const auto& x, const auto& y) { return x.sequence < y.sequence; });
  for (const auto& item : buffers_.moves)
    erase(txn_.get(), tables_.journal, journal_key(item.sequence));
  state_.settled += buffers_.moves.size();
  return buffers_.moves.size() + overdue.size() + damaged.size();
}

void write_batch::move_in(const writer_buffers::moved& item) {
  const std::string_view arena = buffers_.arena;
  const auto key = arena.substr(item.key_at, item.key_size);
  const auto value = arena.substr(item.key_at + item.key_size, item.value_size);
  dirty_ = true;
  bool inserted = false;
  {
    cursor at{txn_.get(), tables_.mailboxes};
    inserted = at.insert(key, value);
  }
  if (!inserted) {
    // It was stored twice: one record stays, with the acknowledgements of
    // both.
    const auto record = read_record(key, value);
    update_acks(place::mailboxes, key, record->acked_names());
    if (record->content)
      release_content(*record->content);
  }
  state_.horizon = std::max(state_.horizon, item.serverid);
  if (const auto parts = split_user_key(key))
    note_erased(parts->user, item.serverid);
}

std::string write_batch::sweep(const std::string& from, std::size_t records,
                               core::wall_ms expiry) {
  std::vector<std::string> overdue;
  std::vector<std::string> damaged;
  std::string next;
  {
    cursor at{txn_.get(), tables_.mailboxes};
    auto more = from.empty() ? at.first() : at.seek(from);
    for (std::size_t i = 0; more && i < records; more = at.next(), ++i) {
      const auto record = read_record(at.key(), at.value());
      if (!record)
        damaged.emplace_back(at.key());
      else if (is_overdue(*record, expiry))
        overdue.emplace_back(at.key());
    }
    if (more)
      next = at.key();
  }
  for (const auto& key : damaged)
    quarantine(place::mailboxes, key);
  for (const auto& key : overdue)
    expire(place::mailboxes, key);
  return next;
}

void write_batch::sweep_journal(std::size_t records, core::wall_ms expiry) {
  std::vector<std::string> overdue;
  {
    cursor at{txn_.get(), tables_.journal};
    auto more = at.first();
    for (std::size_t i = 0; more && i < records; more = at.next(), ++i) {
      const auto record = read_record(at.key(), at.value());
      // Records lie in the order of time: behind a fresh one all are.
      if (record && record->born() >= expiry)
        break;
      if (record && is_overdue(*record, expiry))
        overdue.emplace_back(at.key());
    }
  }
  for (const auto& key : overdue)
    expire(place::journal, key);
}

void write_batch::expire(place where, std::string_view key) {
  const auto value = get(txn_.get(), table_of(where), key);
  if (!value)
    return;
  const auto record = read_record(key, *value);
  if (!record)
    return;
  const std::string user{record->user};
  const auto id = record->serverid;
  if (where == place::journal)
    note_erased(user, id);
  forget_outgoing(user, id);
  remove_record(where, key);
  expired_[user].push_back(id);
  ++state_.expired;
}

void write_batch::quarantine(place where, std::string_view key) {
  const auto value = get(txn_.get(), table_of(where), key);
  if (!value || is_sound(where, key, *value))
    return;
  const std::string old_key{key};
  // Number of the table, length of the key, key, value.
  std::string copy;
  copy.push_back(static_cast<char>(where));
  copy.push_back(static_cast<char>(key.size()));
  copy.append(key);
  copy.append(*value);
  const auto is_message = where == place::journal || where == place::mailboxes;
  const auto record = is_message ? read_record(key, *value)
                                 : std::optional<record_view>{};
  std::string content;
  if (record && record->content)
    content = *record->content;
  std::uint64_t number = 1;
  {
    cursor at{txn_.get(), tables_.quarantine};
    if (at.last())
      number = sequence_of(at.key()) + 1;
  }
  append(txn_.get(), tables_.quarantine, journal_key(number), copy);
  erase(txn_.get(), table_of(where), old_key);
  if (where == place::journal)
    buffers_.changes.push_back({0, 0, {}, sequence_of(old_key)});
  if (!content.empty())
    release_content(content);
  dirty_ = true;
  ++state_.quarantined;
  damages_.push_back(
    "damaged record in " + std::string{name_of(where)} + ", key "
    + printable(old_key) + ": moved to quarantine as number "
    + std::to_string(number) + (is_message ? ", it is not delivered" : ""));
}

bool write_batch::is_sound(place where, std::string_view key,
                           std::string_view value) {
  if (where == place::devices)
    return read_device(key, "", value).has_value();
  if (where == place::removed)
    return read_removal(key, value).has_value();
  const auto record = read_record(key, value);
  if (!record)
    return false;
  std::string_view content;
  if (record->content) {
    const auto found = read_content(txn_.get(), tables_, *record->content);
    if (!found)
      return false;
    content = *found;
  }
  return decode_envelope(*record, content) != nullptr;
}

} // namespace vartalap::storage
