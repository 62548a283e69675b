#pragma once

#include "core/units.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace vartalap::storage {

/// What waiting did to an operation before any transaction took it.
enum class fate : std::uint8_t {
  live,        ///< to be carried out
  annihilated, ///< a put that met its remove
  met_put,     ///< a remove that met its put: nothing to do, unless an older
               ///< copy of the message is on disk
  merged,      ///< an ack that went into its waiting put
  refused,     ///< a put for which there is no room
  unusable,    ///< a put that names no user whom a key can hold
  removed,     ///< a put whose tombstone was found when its turn came
};

struct queued {
  request what;
  fate state = fate::live;
  bool again = false; ///< an earlier put of the same message waited, too:
                      ///< not in one transaction with it
};

/// The writer's inbox. Operations keep their order; a put that meets its
/// remove or acks while both wait is settled here, as is a remove that was to
/// be remembered and meets its forget.
///
/// `submit`, `close`, `size` from any thread; the rest from the writer's.
class operation_queue {
public:
  /// Puts beyond this much waiting content are refused.
  static constexpr std::size_t bytes_max = 512 * core::MiB;

  /// What comes after `close` waits for `take_late`.
  /// @returns False, leaving `batch` as it is, once that has found nothing.
  bool submit(std::vector<request>& batch);

  /// A record of `where` at `key` was found damaged by a reader.
  void report_damage(unsigned where, std::string key);

  /// Waits until something is there, `until` has passed, or it is closed.
  void wait(core::mono_time until);

  /// Takes over everything that was submitted: the oldest operations, at most
  /// so many and so much content (at least one), go to `out`.
  void take(std::size_t operations, std::size_t bytes,
            std::vector<queued>& out);

  struct damage {
    unsigned where;
    std::string key;
  };
  std::vector<damage> take_damage();

  void close();
  bool closed() const;

  /// What was submitted after `close`. Nothing: the queue has ended, and
  /// takes no more.
  std::vector<queued> take_late();

  std::size_t size() const noexcept {
    return size_.load(std::memory_order_relaxed);
  }

private:
  void absorb(request&& what);
  void absorb_put(queued& entry);
  void absorb_change(queued& entry);
  void absorb_forget(const op::forget& what);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<request> inbox_;
  std::vector<queued> late_;
  std::vector<damage> damage_;
  bool closed_ = false;
  bool ended_ = false;
  bool waiting_ = false;
  std::atomic<std::size_t> size_{0};

  // The writer's side: what it has taken over but not yet taken out.
  std::vector<request> taken_over_;
  std::deque<queued> backlog_;
  std::uint64_t base_ = 0; ///< position of backlog_'s front
  std::size_t backlog_bytes_ = 0;
  std::unordered_map<core::server_id, std::uint64_t> puts_; ///< → position
  /// Removes to be remembered, with no put of the message behind them.
  std::unordered_map<core::server_id, std::uint64_t> remembered_;
};

} // namespace vartalap::storage
