#pragma once

#include "core/options.hpp"
#include "core/ports.hpp"
#include "storage/clock_guard.hpp"
#include "storage/environment.hpp"
#include "storage/operation_queue.hpp"
#include "storage/published_index.hpp"
#include "storage/settle_pace.hpp"
#include "storage/store.hpp"
#include "storage/write_batch.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace vartalap::storage {

/// The one thread that writes: takes what waits, carries it out in one
/// transaction together with a share of settling and sweeping, commits,
/// tells. `submit`, `report_damage`, `status`, `resume_expiry` from any
/// thread.
///
/// open --> (full <--> open) --> failed | closed. While full, puts are
/// answered `full` and everything else goes on; failed is for good.
class writer {
public:
  /// A commit takes at most so many operations and so much content. Large,
  /// because a sync costs the same whatever it covers; a commit of this size
  /// takes some 25 ms.
  static constexpr std::size_t operations_max = 4096;
  static constexpr std::size_t bytes_max = 4 * core::MiB;

  /// Starts the thread. Everything given must outlive the writer.
  writer(const environment& env, published_index& index,
         const core::storage_options& options, core::milliseconds ttl,
         unsigned shards, completion_sink& sink, core::log_port& log,
         store_hooks hooks, const writer_state& state);
  ~writer();
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  void submit(std::vector<request> batch);

  /// A reader found this record damaged, or its content.
  void report_damage(place where, std::string_view key);

  store_status status() const;
  void resume_expiry() noexcept;

  /// Commits what waits and ends the thread. Idempotent.
  void close();

private:
  /// What goes into a transaction besides the operations.
  struct extras {
    settle_pace::share settle;
    bool sweep = false;
  };

  void run();
  core::mono_time next_wake() const;
  core::instant now() const;
  void tick(core::instant now);
  void check_room();
  void step();
  extras choose_extras(core::instant now);
  bool has_work(std::span<const queued> batch, const extras& more) const;
  void write(std::span<queued> batch, const extras& more, core::instant now);
  void committed(write_batch& done);
  void answer(std::span<const queued> batch, bool failed);
  void refuse_puts();
  void room_is_out(const std::string& what);
  void retry_small(core::instant now);
  void fail(const std::string& what);
  bool is_no_room(const lmdb_error& error) const;

  const environment& env_;
  published_index& index_;
  const core::storage_options options_;
  const core::milliseconds ttl_;
  completion_sink& sink_;
  core::log_port& log_;
  const store_hooks hooks_;

  operation_queue queue_;
  std::vector<queued> batch_;
  std::vector<operation_queue::damage> damage_;
  std::vector<std::vector<completion>> answers_; ///< per shard
  writer_buffers buffers_;
  writer_state state_;
  settle_pace pace_;
  clock_guard clock_;
  std::string sweep_position_;
  std::string removals_position_;
  core::mono_time next_sweep_;
  core::mono_time next_tick_;
  core::mono_time next_reader_check_;
  core::mono_time last_commit_;
  bool synced_ = true; ///< relaxed mode: the last meta page, too
  bool accepting_ = true;
  bool failed_ = false;
  bool map_was_full_ = false;

  std::atomic<bool> resume_{false};
  mutable std::mutex status_mutex_;
  store_status status_;
  std::mutex close_mutex_;
  std::thread thread_;
};

/// Who speaks in the log.
inline constexpr std::string_view log_name = "storage";

} // namespace vartalap::storage
