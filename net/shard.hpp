#pragma once

#include "core/units.hpp"
#include "net/timer_wheel.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace vartalap::net {

/// Something with a file descriptor that a shard watches.
class ready_handler
  : public boost::intrusive::list_base_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
  /// The descriptor became readable or writable, or failed (epoll's bits).
  /// Edge-triggered: read or write until it would block, or remember that it
  /// did not.
  virtual void on_ready(std::uint32_t events) = 0;

  /// The shard takes no further turn: let go of the descriptor, and end what
  /// is pending.
  virtual void on_shard_end() {
  }

protected:
  virtual ~ready_handler() = default;
};

/// Something that gathers output during a turn and sends it at its end.
class turn_output {
public:
  /// The turn is over and the actors have run: send what was gathered.
  virtual void flush() = 0;

protected:
  virtual ~turn_output() = default;
};

/// Runs what became runnable on a shard besides its sockets: its actors.
class shard_runner {
public:
  /// Runs what is runnable, at most a bounded amount.
  /// @returns True if something is runnable still.
  virtual bool run() = 0;

  /// True if something is runnable; asked before the shard sleeps.
  virtual bool has_work() = 0;

protected:
  virtual ~shard_runner() = default;
};

/// What a shard has counted; read by any thread.
struct shard_counters {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> tasks{0};
  std::atomic<std::uint64_t> naps{0};
  std::atomic<std::uint64_t> busy_us{0};    ///< time spent outside epoll
  std::atomic<std::uint64_t> lag_max_us{0}; ///< longest turn since last asked
  std::atomic<bool> shares{false};          ///< another shard's thread runs it
};

/// One event loop, one scheduler: the sockets, timers and actors of a shard
/// run here, on one thread at a time, without locks among them.
///
/// A turn: sockets that are ready (each reads what it has and handles every
/// whole frame of it), tasks from other threads, timers, actors until they
/// are quiet, then what was gathered for sockets is sent, one send each.
///
/// The loop is epoll, not io_context::run: a descriptor is registered once
/// and costs no call per wait, and a busy shard can gather events before it
/// looks (`coalesce`). Asio's objects (Beast's streams) live on it through
/// their executor (`executor.hpp`); `context()` only anchors their services.
class shard {
public:
  /// @param coalesce A busy shard sleeps until this long after the start of
  ///                 its last turn, so that one wake-up serves many events.
  shard(unsigned index, core::microseconds coalesce);
  ~shard();
  shard(const shard&) = delete;
  shard& operator=(const shard&) = delete;

  /// Runs turns on the calling thread until `stop`.
  void run();

  /// Ends `run` after the current turn. Any thread; before `run` too.
  void stop();

  /// Runs `task` in one of the next turns. Any thread. Tasks of one thread
  /// keep their order. After the loop has ended they are destroyed unrun.
  void post(std::function<void()> task);

  /// Makes sure that a sleeping shard takes another turn. Any thread.
  void wake();

  // What `run` is made of, for a thread that runs several shards
  // (shard_team): all on the thread that runs this shard just now.

  /// Makes this the calling thread's `current` shard for all that is between
  /// turns.
  void enter_thread();
  void leave_thread() noexcept;

  /// How long the next turn may wait for events: milliseconds, -1 for ever.
  int wait_limit(core::mono_time now) const;

  /// As a timeout: a turn that does not ask for events.
  static constexpr int no_events = -2;

  /// One turn; waits `timeout_ms` for something to do.
  void take_turn(int timeout_ms);

  /// Sleeps a while after a turn, where `coalesce` says so.
  void gather();

  /// True while there is something to do without any event of a descriptor.
  bool has_work(core::mono_time now) const;

  /// Announces a sleep outside of `take_turn`: from here on `wake` makes
  /// `poll_handle` readable. @returns False if there is something to do.
  bool may_sleep();
  void stay_awake() noexcept {
    awake_.store(true);
  }

  bool is_stopping() const noexcept {
    return stopping_.load(std::memory_order_acquire);
  }

  /// Readable while the shard has events.
  int poll_handle() const noexcept {
    return epoll_;
  }

  // The rest belongs to the shard's thread.

  /// Runs `f` before the loop goes on, after what was posted so before. For
  /// the completions of streams: a run of frames costs no trip through epoll.
  template <class F>
  void run_soon(F&& f) {
    soon_.push_back(make_small_task(std::forward<F>(f)));
    if (!draining_)
      work_left_ = true;
  }

  /// Runs what `run_soon` holds now (no-op when called from within it).
  void drain_soon();

  /// Watches a non-blocking descriptor, for input and output, edge-triggered,
  /// until it is closed or forgotten. `handler` must outlive that.
  /// @returns False (errno set) if epoll refuses.
  bool watch(int fd, ready_handler& handler);
  /// Also drops what epoll has reported for it in this turn.
  void forget(int fd, ready_handler& handler) noexcept;

  /// Tells everything that is still watched that there is no further turn:
  /// what owns itself through a pending read would never go otherwise. On the
  /// thread of `run`, after its last return; no-op when nothing is open.
  void end_watched();

  /// `output.flush()` is called at the end of this turn.
  void flush_at_end(turn_output& output);

  /// It is called at the end of the first turn from `when` on, for which a
  /// sleeping shard wakes, up to 1 ms late. For deadlines that the wheel is too
  /// coarse for; each output has one, the last that was named.
  void flush_by(turn_output& output, core::mono_time when);
  /// It is not, after all (it is being destroyed).
  void forget_output(turn_output& output) noexcept;

  void set_runner(shard_runner* runner) noexcept {
    runner_ = runner;
  }

  shard_runner* runner() const noexcept {
    return runner_;
  }

  timer_wheel& timers() noexcept {
    return timers_;
  }

  /// The clock as read at the start of this turn: good enough for deadlines.
  core::mono_time now() const noexcept {
    return now_;
  }

  unsigned index() const noexcept {
    return index_;
  }

  boost::asio::io_context& context() noexcept {
    return context_;
  }

  /// Memory for what is handled within one run, 64 KiB each, shared by all
  /// sessions of the shard so that an idle one holds no buffer: for bytes as
  /// a socket gives them, and for payloads.
  char* scratch() noexcept {
    return scratch_.data();
  }
  char* payload_scratch() noexcept {
    return scratch_.data() + scratch_size;
  }
  static constexpr std::size_t scratch_size = 64 * core::KiB;

  shard_counters& counters() noexcept {
    return counters_;
  }

  /// The shard that runs the calling thread, or null.
  static shard* current() noexcept;

  static core::mono_time clock() noexcept;

private:
  struct small_task {
    virtual ~small_task() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct small_task_of final : small_task {
    explicit small_task_of(F&& f) : body(std::move(f)) {
    }
    explicit small_task_of(const F& f) : body(f) {
    }
    void run() override {
      body();
    }
    F body;
  };
  template <class F>
  static std::unique_ptr<small_task> make_small_task(F&& f) {
    return std::make_unique<small_task_of<std::decay_t<F>>>(std::forward<F>(f));
  }

  void handle_events(int timeout_ms);
  void run_posted();
  void run_actors();
  void take_due_outputs();
  void flush_outputs();
  bool anything_posted() const;

  unsigned index_;
  core::microseconds coalesce_;
  int epoll_ = -1;
  int wake_fd_ = -1;
  core::mono_time now_;
  boost::asio::io_context context_{1};
  timer_wheel timers_;
  boost::intrusive::list<ready_handler,
                         boost::intrusive::constant_time_size<false>>
    watched_;
  shard_runner* runner_ = nullptr;
  std::vector<std::unique_ptr<small_task>> soon_;
  std::size_t soon_at_ = 0;
  bool draining_ = false;
  bool work_left_ = false;
  std::vector<turn_output*> outputs_;
  std::vector<turn_output*> flushing_;

  struct later_output {
    turn_output* output;
    core::mono_time when;
  };
  std::vector<later_output> later_; ///< a few: one for each link
  core::mono_time next_later_ = core::mono_time::max();
  std::vector<char> scratch_;
  std::uint64_t recent_events_ = 0;
  core::mono_time turn_start_{};
  core::mono_time last_start_{};
  std::vector<::epoll_event> events_;
  std::size_t events_at_ = 0;
  std::size_t events_end_ = 0;

  mutable std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::vector<std::function<void()>> running_posted_;
  std::atomic<bool> awake_{true};
  std::atomic<bool> stopping_{false};
  shard_counters counters_;
};

} // namespace vartalap::net
