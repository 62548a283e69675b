#include "storage/lmdb_store.hpp"

#include "storage/record_format.hpp"
#include "storage/verify.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::storage {

namespace {

bool is_name(std::string_view user) noexcept {
  return !user.empty() && user.size() <= core::user_id_bytes_max;
}

// Both ascending. A message that was stored twice counts once, with the
// acknowledgements of both.
std::vector<core::pending_record> merge(std::vector<core::pending_record> a,
                                        std::vector<core::pending_record> b) {
  if (a.empty() || b.empty())
    return a.empty() ? std::move(b) : std::move(a);
  std::vector<core::pending_record> out;
  out.reserve(a.size() + b.size());
  std::merge(
    std::make_move_iterator(a.begin()), std::make_move_iterator(a.end()),
    std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()),
    std::back_inserter(out),
    [](const auto& x, const auto& y) { return x.serverid < y.serverid; });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (out[i].serverid != out[kept].serverid) {
      if (++kept != i)
        out[kept] = std::move(out[i]);
      continue;
    }
    auto& names = out[kept].acked;
    for (auto& name : out[i].acked)
      if (std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(std::move(name));
  }
  out.resize(kept + 1);
  return out;
}

} // namespace

std::unique_ptr<store> store::open(const std::string& directory,
                                   const core::storage_options& options,
                                   core::milliseconds ttl, unsigned shards,
                                   completion_sink& sink, core::log_port& log) {
  return std::make_unique<lmdb_store>(directory, options, ttl, shards, sink,
                                      log, store_hooks{});
}

lmdb_store::lmdb_store(const std::string& directory,
                       const core::storage_options& options,
                       core::milliseconds ttl, unsigned shards,
                       completion_sink& sink, core::log_port& log,
                       const store_hooks& hooks)
  : env_(directory, options, hooks, log), index_(env_.handle()) {
  check_suspect(log);
  writer_state state;
  state.newest_ms = env_.newest_ms();
  state.commits = env_.who().commits;
  const auto found = index_.rebuild(env_.all(), state);
  quarantine_found(found.damaged, state, log);
  raise_waiting(found.waiting, state, log);
  newest_ms_ = state.newest_ms;
  writer_ = std::make_unique<writer>(env_, index_, options, ttl, shards, sink,
                                     log, hooks, state);
}

lmdb_store::~lmdb_store() {
  close();
}

void lmdb_store::check_suspect(core::log_port& log) {
  const auto& directory = env_.directory();
  if (!directory.has(suspect_marker))
    return;
  log.write(core::log_level::warning, log_name,
            "the last run ended with an I/O error: verifying "
              + directory.path());
  const auto report = verify_environment(env_.handle());
  for (const auto& problem : report.problems)
    log.write(core::log_level::error, log_name, problem);
  log.write(core::log_level::info, log_name,
            "verified: " + std::to_string(report.damaged) + " damaged records");
  directory.remove(suspect_marker);
}

void lmdb_store::quarantine_found(const std::vector<std::string>& keys,
                                  writer_state& state, core::log_port& log) {
  if (keys.empty())
    return;
  writer_buffers buffers;
  write_batch work{env_, index_.raw(), state, buffers};
  for (const auto& key : keys)
    work.quarantine(place::journal, key);
  if (!work.commit())
    return;
  index_.publish(buffers, work.number());
  state = work.state();
  for (const auto& text : work.damages())
    log.write(core::log_level::error, log_name, text);
}

void lmdb_store::raise_waiting(const std::unordered_set<std::string>& users,
                               writer_state& state, core::log_port& log) {
  if (users.empty())
    return;
  try {
    writer_buffers buffers;
    write_batch work{env_, index_.raw(), state, buffers};
    for (const auto& user : users)
      work.raise_offline_once(user);
    if (!work.commit())
      return; // All were raised before.
    index_.publish(buffers, work.number());
    state = work.state();
  } catch (const std::exception& problem) {
    // A full disk, say: delivering comes first.
    log.write(core::log_level::warning, log_name,
              std::string("offline events are not stored: ") + problem.what());
  }
}

void lmdb_store::submit(std::vector<request> batch) {
  if (!batch.empty())
    writer_->submit(std::move(batch));
}

core::mailbox_snapshot lmdb_store::snapshot(std::string_view user) {
  core::mailbox_snapshot out;
  if (!is_name(user))
    return out;
  const auto reading = index_.begin(user);
  auto* txn = reading.txn.get();
  read_devices(txn, user, out);
  out.offline_raised = get(txn, env_.all().push, user_key(user)).has_value();
  out.pending = merge(read_mailbox(txn, user), read_journal(reading));
  for (auto& one : rows(user, row_kind::block))
    out.blocked.push_back(std::move(one.name));
  return out;
}

void lmdb_store::read_devices(MDB_txn* txn, std::string_view user,
                              core::mailbox_snapshot& out) {
  const auto prefix = user_key(user);
  const std::string_view start = prefix;
  cursor at{txn, env_.all().devices};
  for (auto more = at.seek(start);
       more && at.key().substr(0, start.size()) == start; more = at.next()) {
    auto record
      = read_device(at.key(), at.key().substr(start.size()), at.value());
    if (record)
      out.devices.push_back(std::move(*record));
    else
      writer_->report_damage(place::devices, at.key());
  }
}

std::vector<core::pending_record>
lmdb_store::read_journal(const published_index::reading& reading) {
  std::vector<core::pending_record> out;
  out.reserve(reading.entries.size());
  for (const auto& entry : reading.entries) {
    const auto key = journal_key(entry.sequence);
    const auto value = get(reading.txn.get(), env_.all().journal, key);
    if (!value)
      continue;
    if (const auto record = read_record(key, *value))
      out.push_back(record->to_pending());
    else
      writer_->report_damage(place::journal, key);
  }
  return out;
}

std::vector<core::pending_record>
lmdb_store::read_mailbox(MDB_txn* txn, std::string_view user) {
  std::vector<core::pending_record> out;
  const auto prefix = user_key(user);
  const std::string_view start = prefix;
  cursor at{txn, env_.all().mailboxes};
  for (auto more = at.seek(start);
       more && at.key().substr(0, start.size()) == start; more = at.next()) {
    if (const auto record = read_record(at.key(), at.value()))
      out.push_back(record->to_pending());
    else
      writer_->report_damage(place::mailboxes, at.key());
  }
  return out;
}

std::vector<core::envelope_ptr>
lmdb_store::fetch(std::string_view user,
                  std::span<const core::server_id> serverids) {
  auto found = fetch_stored(user, serverids);
  std::vector<core::envelope_ptr> out;
  out.reserve(found.size());
  for (auto& one : found)
    out.push_back(std::move(one.message));
  return out;
}

std::vector<stored_message>
lmdb_store::fetch_stored(std::string_view user,
                         std::span<const core::server_id> serverids) {
  std::vector<stored_message> out;
  if (!is_name(user))
    return out;
  const auto reading = index_.begin(user);
  auto* txn = reading.txn.get();
  for (const auto id : serverids) {
    const auto known = std::lower_bound(
      reading.entries.begin(), reading.entries.end(), id,
      [](const auto& x, core::server_id y) { return x.serverid < y; });
    const auto in_journal = known != reading.entries.end()
                            && known->serverid == id;
    auto one
      = in_journal
          ? read_message(txn, place::journal, journal_key(known->sequence))
          : read_message(txn, place::mailboxes, mailbox_key(user, id));
    if (one.message)
      out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) {
    return x.message->serverid < y.message->serverid;
  });
  return out;
}

stored_message lmdb_store::read_message(MDB_txn* txn, place where,
                                        std::string_view key) {
  const auto& all = env_.all();
  const auto value
    = get(txn, where == place::journal ? all.journal : all.mailboxes, key);
  if (!value)
    return {};
  stored_message out;
  if (const auto record = read_record(key, *value)) {
    std::optional<std::string_view> content{std::string_view{}};
    if (record->content)
      content = read_content(txn, all, *record->content);
    if (content)
      out.message = decode_envelope(*record, *content);
    if (out.message)
      out.acked = record->acked_names();
  }
  if (!out.message)
    writer_->report_damage(where, key);
  return out;
}

identity lmdb_store::who() const {
  auto out = env_.who();
  out.newest_ms = newest_ms_;
  out.commits = status().commits;
  return out;
}

store_status lmdb_store::status() const {
  return writer_->status();
}

void lmdb_store::resume_expiry() {
  writer_->resume_expiry();
}

void lmdb_store::close() {
  writer_->close();
}

} // namespace vartalap::storage
