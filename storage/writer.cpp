#include "storage/writer.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>

namespace vartalap::storage {

namespace {

using std::chrono::duration_cast;

constexpr core::milliseconds tick_interval{1000};
constexpr core::milliseconds full_tick_interval{200};
constexpr core::milliseconds reader_check_interval{60'000};
constexpr core::milliseconds sweep_step_interval{50};
constexpr core::milliseconds idle_sync_after{1000};
constexpr std::size_t sweep_records = 256;
constexpr std::size_t small_batch = 64;
constexpr std::uint64_t used_percent_max = 85;
constexpr std::uint64_t settle_percent_max = 90;

/// A tombstone outlives its message's ttl by a day: clocks differ.
constexpr core::wall_ms removals_longer = 24ULL * 3600 * 1000;

core::mono_time mono_now() {
  return std::chrono::time_point_cast<core::microseconds>(
    std::chrono::steady_clock::now());
}

core::wall_ms wall_now() {
  return static_cast<core::wall_ms>(
    duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
}

bool is_put(const queued& entry) noexcept {
  return std::holds_alternative<op::put>(entry.what.what);
}

bool is_barrier(const queued& entry) noexcept {
  return std::holds_alternative<op::barrier>(entry.what.what);
}

completion completion_of(const queued& entry, bool failed) {
  completion out{entry.what.owner, {}, outcome::done, is_put(entry)};
  if (const auto* put = std::get_if<op::put>(&entry.what.what)) {
    out.serverid = put->message->serverid;
    out.result = entry.state == fate::annihilated ? outcome::annihilated
                 : entry.state == fate::removed   ? outcome::removed
                                                  : outcome::committed;
  } else if (const auto* remove = std::get_if<op::remove>(&entry.what.what)) {
    out.serverid = remove->serverid;
  }
  if (entry.state == fate::refused)
    out.result = outcome::full;
  if (failed || entry.state == fate::unusable)
    out.result = outcome::failed;
  return out;
}

} // namespace

writer::writer(const environment& env, published_index& index,
               const core::storage_options& options, core::milliseconds ttl,
               unsigned shards, completion_sink& sink, core::log_port& log,
               store_hooks hooks, const writer_state& state)
  : env_(env), index_(index), options_(options), ttl_(ttl), sink_(sink),
    log_(log), hooks_(std::move(hooks)), answers_(shards), state_(state),
    pace_(options.settle_after, options.journal_bytes),
    clock_(now(), state.newest_ms),
    next_sweep_(mono_now() + options.sweep_interval) {
  // Other nodes' clocks may be ahead of this one.
  state_.horizon
    = {std::max(now().wall, state.newest_ms) << 16 | 0xffff, ~std::uint64_t{0}};
  if (state_.next_sequence > 1)
    pace_.appended(state_.next_sequence - 1, mono_now());
  const auto txn = begin_read(env_.handle());
  status_.journal_records = record_count(txn.get(), env_.all().journal);
  status_.journal_bytes = table_bytes(txn.get(), env_.all().journal);
  status_.settled_records = record_count(txn.get(), env_.all().mailboxes);
  status_.removals = record_count(txn.get(), env_.all().removed);
  status_.commits = state_.commits;
  status_.quarantined = state_.quarantined; // found by the start itself
  check_room();
  thread_ = std::thread{[this] { run(); }};
}

writer::~writer() {
  close();
}

void writer::submit(std::vector<request> batch) {
  if (queue_.submit(batch))
    return;
  std::vector<queued> late;
  late.reserve(batch.size());
  for (auto& what : batch)
    late.push_back({std::move(what)});
  std::vector<std::vector<completion>> answers;
  for (const auto& entry : late) {
    if (answers.size() <= entry.what.shard)
      answers.resize(entry.what.shard + 1);
    answers[entry.what.shard].push_back(completion_of(entry, true));
  }
  for (unsigned shard = 0; shard < answers.size(); ++shard)
    if (!answers[shard].empty())
      sink_.completed(shard, std::move(answers[shard]));
}

void writer::report_damage(place where, std::string_view key) {
  queue_.report_damage(static_cast<unsigned>(where), std::string{key});
}

store_status writer::status() const {
  store_status out;
  {
    const std::lock_guard lock{status_mutex_};
    out = status_;
  }
  out.queue = queue_.size();
  return out;
}

void writer::resume_expiry() noexcept {
  resume_ = true;
}

void writer::close() {
  const std::lock_guard lock{close_mutex_};
  queue_.close();
  if (thread_.joinable())
    thread_.join();
}

core::instant writer::now() const {
  return {mono_now(), hooks_.wall_clock ? hooks_.wall_clock() : wall_now()};
}

core::mono_time writer::next_wake() const {
  auto at = std::min(next_tick_, next_sweep_);
  if (!failed_)
    at = std::min(at, pace_.due());
  return at;
}

void writer::run() {
  for (;;) {
    queue_.wait(next_wake());
    batch_.clear();
    queue_.take(operations_max, bytes_max, batch_);
    damage_ = queue_.take_damage();
    if (batch_.empty() && queue_.size() == 0 && queue_.closed())
      break;
    step();
  }
  for (auto late = queue_.take_late(); !late.empty(); late = queue_.take_late())
    answer(late, true);
  if (failed_)
    return;
  try {
    env_.sync();
  } catch (const lmdb_error& error) {
    fail(error.what());
  }
}

void writer::step() {
  const auto at = now();
  if (at.mono >= next_tick_)
    tick(at);
  if (failed_) {
    answer(batch_, true);
    return;
  }
  if (!accepting_)
    refuse_puts();
  const auto more = choose_extras(at);
  try {
    write(batch_, more, at);
    return;
  } catch (const lmdb_error& error) {
    if (!is_no_room(error)) {
      fail(error.what());
      answer(batch_, true);
      return;
    }
    room_is_out(error.what());
  } catch (const std::exception& error) {
    fail(error.what());
    answer(batch_, true);
    return;
  }
  retry_small(at);
}

void writer::tick(core::instant now) {
  if (resume_.exchange(false)) {
    clock_.resume(now);
    log_.write(core::log_level::info, log_name,
               "the clock is confirmed: expiry goes on");
  }
  if (!failed_) {
    try {
      map_was_full_ = false;
      check_room();
      if (now.mono >= next_reader_check_) {
        env_.check_readers();
        next_reader_check_ = now.mono + reader_check_interval;
      }
      // Relaxed mode leaves the last meta page unsynced until the next
      // commit; where none follows this closes the gap.
      if (!synced_ && now.mono - last_commit_ >= idle_sync_after) {
        env_.sync();
        synced_ = true;
      }
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }
  next_tick_ = now.mono + (accepting_ ? tick_interval : full_tick_interval);
}

void writer::check_room() {
  const auto map = usage_of(env_.handle());
  const auto& directory = env_.directory().path();
  const auto disk = hooks_.space ? hooks_.space(directory)
                                 : space_of(directory);
  const auto least
    = std::max<std::uint64_t>(disk.total / 20, hooks_.free_bytes_min);
  const auto accepting = !map_was_full_ && disk.free >= least
                         && map.used <= map.size / 100 * used_percent_max;
  if (accepting != accepting_)
    log_.write(
      accepting ? core::log_level::info : core::log_level::error, log_name,
      accepting
        ? "there is room again: new messages are accepted"
        : "no room: new messages are refused (map "
            + std::to_string(map.used / core::MiB) + " of "
            + std::to_string(map.size / core::MiB) + " MiB used, disk has "
            + std::to_string(disk.free / core::MiB) + " MiB free)");
  accepting_ = accepting;
  const std::lock_guard lock{status_mutex_};
  status_.accepting = accepting_ && !failed_;
  status_.map_used_bytes = map.used;
  status_.map_bytes = map.size;
  status_.disk_free_bytes = disk.free;
}

writer::extras writer::choose_extras(core::instant now) {
  extras out;
  if (auto alarm = clock_.check(now))
    log_.write(core::log_level::error, log_name, *alarm);
  std::size_t puts = 0;
  for (const auto& entry : batch_)
    if (is_put(entry) && entry.state == fate::live)
      ++puts;
  const std::lock_guard lock{status_mutex_};
  status_.expiry_paused = clock_.paused();
  // Settling needs pages of its own before it gives others back.
  if (status_.map_used_bytes <= status_.map_bytes / 100 * settle_percent_max)
    out.settle
      = pace_.next(batch_.size(), puts, status_.journal_bytes, now.mono);
  out.sweep = now.mono >= next_sweep_;
  return out;
}

bool writer::has_work(std::span<const queued> batch, const extras& more) const {
  if (more.sweep || more.settle.records > 0 || !damage_.empty())
    return true;
  return std::any_of(batch.begin(), batch.end(), [](const auto& entry) {
    if (is_barrier(entry))
      return false;
    return entry.state == fate::live || entry.state == fate::annihilated
           || entry.state == fate::met_put;
  });
}

void writer::write(std::span<queued> batch, const extras& more,
                   core::instant now) {
  if (!has_work(batch, more)) {
    answer(batch, false);
    return;
  }
  const auto ttl = static_cast<core::wall_ms>(ttl_.count());
  const auto expiry = clock_.paused() || now.wall < ttl ? core::wall_ms{0}
                                                        : now.wall - ttl;
  write_batch work{env_, index_.raw(), state_, buffers_};
  for (auto& entry : batch)
    work.apply(entry);
  if (hooks_.faults.confirm_before_commit) {
    answer(batch, false);
    if (hooks_.faults.confirmed_early)
      hooks_.faults.confirmed_early();
  }
  for (const auto& damage : damage_)
    work.quarantine(static_cast<place>(damage.where), damage.key);
  const auto settle_start = mono_now();
  std::size_t settled = 0;
  if (more.settle.records > 0)
    settled = work.settle(more.settle.records, more.settle.upto, expiry);
  const auto settle_took = mono_now() - settle_start;
  std::string position;
  if (more.sweep) {
    work.sweep_journal(sweep_records, expiry);
    position = work.sweep(sweep_position_, sweep_records, expiry);
    removals_position_ = work.sweep_removals(
      removals_position_, sweep_records,
      expiry < removals_longer ? core::wall_ms{0} : expiry - removals_longer);
  }
  const auto appended = state_.appended;
  const auto written = work.commit();
  if (written)
    index_.publish(buffers_, work.number());
  damage_.clear();
  if (more.settle.records > 0)
    // As much again goes into writing out the pages that it touched.
    pace_.settled(more.settle, settled, 2 * settle_took);
  if (more.sweep) {
    sweep_position_ = position;
    next_sweep_ = now.mono
                  + (position.empty() ? options_.sweep_interval
                                      : std::min(options_.sweep_interval,
                                                 sweep_step_interval));
  }
  if (written) {
    committed(work);
    if (state_.appended != appended)
      pace_.appended(state_.next_sequence - 1, now.mono);
  }
  if (!hooks_.faults.confirm_before_commit)
    answer(batch, false);
}

void writer::committed(write_batch& done) {
  state_ = done.state();
  last_commit_ = mono_now();
  synced_ = options_.durability == core::durability_mode::strict;
  {
    const auto& sizes = done.sizes();
    const std::lock_guard lock{status_mutex_};
    status_.journal_records = sizes.journal_records;
    status_.journal_bytes = sizes.journal_bytes;
    status_.settled_records = sizes.settled_records;
    status_.removals = sizes.removals;
    status_.commits = state_.commits;
    status_.appended = state_.appended;
    status_.annihilated = state_.annihilated;
    status_.settled = state_.settled;
    status_.quarantined = state_.quarantined;
    status_.expired = state_.expired;
  }
  for (const auto& text : done.damages())
    log_.write(core::log_level::error, log_name, text);
  for (const auto& [user, ids] : done.expired())
    sink_.expired(user, ids);
}

void writer::answer(std::span<const queued> batch, bool failed) {
  for (const auto& entry : batch) {
    if (entry.what.shard >= answers_.size())
      answers_.resize(entry.what.shard + 1);
    answers_[entry.what.shard].push_back(completion_of(entry, failed));
  }
  for (unsigned shard = 0; shard < answers_.size(); ++shard)
    if (!answers_[shard].empty())
      sink_.completed(shard, std::exchange(answers_[shard], {}));
}

void writer::refuse_puts() {
  for (auto& entry : batch_)
    // The tombstone that removed one may be refused with this transaction.
    if (is_put(entry)
        && (entry.state == fate::live || entry.state == fate::removed))
      entry.state = fate::refused;
}

void writer::room_is_out(const std::string& what) {
  log_.write(core::log_level::error, log_name,
             "no room: new messages are refused (" + what + ")");
  map_was_full_ = true;
  accepting_ = false;
  next_tick_ = mono_now() + full_tick_interval;
  refuse_puts();
  const std::lock_guard lock{status_mutex_};
  status_.accepting = false;
}

void writer::retry_small(core::instant now) {
  const std::span<queued> all{batch_};
  for (std::size_t at = 0; at < all.size(); at += small_batch) {
    const auto part = all.subspan(at, std::min(small_batch, all.size() - at));
    try {
      if (failed_)
        answer(part, true);
      else
        write(part, {}, now);
    } catch (const lmdb_error& error) {
      const auto full = is_no_room(error);
      if (!full)
        fail(error.what());
      for (auto& entry : part)
        if (full && entry.state != fate::annihilated && !is_barrier(entry))
          entry.state = fate::refused;
      answer(part, !full);
    }
  }
}

void writer::fail(const std::string& what) {
  if (std::exchange(failed_, true))
    return;
  {
    const std::lock_guard lock{status_mutex_};
    status_.failed = true;
    status_.accepting = false;
  }
  log_.write(core::log_level::error, log_name,
             "storage has failed and confirms nothing any more: " + what);
  try {
    env_.directory().write(suspect_marker, what);
  } catch (const std::exception& error) {
    log_.write(core::log_level::error, log_name, error.what());
  }
  sink_.storage_failed(what);
}

bool writer::is_no_room(const lmdb_error& error) const {
  if (error.no_room())
    return true;
  // LMDB turns a short write, which is how a full disk begins, into EIO.
  if (error.code() != EIO)
    return false;
  try {
    return space_of(env_.directory().path()).free < core::MiB;
  } catch (const std::exception&) {
    return false;
  }
}

} // namespace vartalap::storage
