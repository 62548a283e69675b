#pragma once

#include "actors/pinned_actor.hpp"
#include "load/options.hpp"
#include "load/run_stats.hpp"
#include "load/traffic_plan.hpp"

#include <caf/actor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::load {

/// The moments of a run at which the server's process is looked at.
enum class moment : std::uint8_t {
  started,     ///< nobody is connected yet
  connected,   ///< everybody is
  window_open, ///< the measurement begins
  window_over, ///< it ends
  drain_begun, ///< recipients that were away begin to come
  drained,     ///< they have what was theirs
};

/// Hears of a run's course, on the conductor's shard, and may ask to end it.
/// Must not block.
class run_observer {
public:
  virtual void reached(moment what) = 0;
  virtual void progressed(const std::string& line) = 0;
  /// Nothing more comes. Empty `problem`: the run took its course.
  virtual void finished(const std::string& problem) = 0;
  /// Asked every few ms. True once: send nothing more, but wait for what is
  /// on its way. True again: end at once.
  virtual bool wants_end() = 0;

protected:
  ~run_observer() = default;
};

/// What the conductor sees and sets.
struct run_state {
  const load_options& options;
  const traffic_plan& plan;
  measured_window& window;
  std::vector<std::unique_ptr<shard_stats>>& stats; ///< one per shard
  run_observer& observer;
};

/// Leads a run through its phases and waits, in each, for what the users
/// have counted. One per run, on the first shard.
///
///   idle -> connecting -> (parting) -> running -> settling -> draining -> over
///                |                                  |
///                `-- nobody comes through: over     `-- (--no-then-drain:
///                over)
class conductor_actor final : public actors::pinned_actor {
public:
  conductor_actor(caf::actor_config& config, net::shard& home, run_state& run,
                  std::vector<caf::actor> swarms);

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override {
    return "conductor";
  }

private:
  enum class phase : std::uint8_t {
    idle,
    connecting, ///< until every device is online
    parting,    ///< until those who shall be away are
    running,    ///< traffic: warm-up and measurement
    settling,   ///< until all that was sent is confirmed
    draining,   ///< until all that was confirmed has arrived
    over,
  };

  class ticker final : public net::timer_node {
  public:
    explicit ticker(conductor_actor& owner) : owner_(owner) {
    }

  private:
    void on_timer(core::mono_time) override {
      owner_.look();
    }
    conductor_actor& owner_;
  };

  void look();
  void enter(phase next);
  void look_at_connecting();
  void look_at_running();
  void look_at_settling();
  void look_at_draining();
  void look_for_end();
  void begin_traffic();
  void begin_draining();
  void finish(const std::string& problem);
  void report_progress();

  template <class Message>
  void tell_all(const Message& message);
  std::uint64_t sum(std::atomic<std::uint64_t> shard_stats::*counter) const;
  std::uint64_t devices() const;
  std::uint64_t devices_away() const;
  bool timed_out(core::milliseconds limit) const;
  bool waited_enough() const;

  run_state& run_;
  std::vector<caf::actor> swarms_;
  ticker ticker_;
  phase phase_ = phase::idle;
  std::uint64_t phase_since_us_ = 0;
  std::uint64_t progress_at_us_ = 0;
  std::uint64_t quiet_since_us_ = 0;
  std::uint64_t attempted_seen_ = 0;
  std::uint64_t settled_seen_ = 0;
  std::uint64_t progressed_us_ = 0;
  bool window_opened_ = false;
  bool ending_ = false; ///< the observer has asked for it
};

} // namespace vartalap::load
