#pragma once

#include "net/shard_team.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace vartalap::actors {

/// What CAF runs actors on: the run queue of one shard.
class shard_unit final : public caf::execution_unit, public net::shard_runner {
public:
  shard_unit(caf::actor_system& system, net::shard& home,
             std::size_t throughput);

  /// Called by an actor that this unit runs.
  void exec_later(caf::resumable* job) override;

  /// Puts a job into this unit's queue. Any thread; takes over a reference.
  void enqueue(caf::resumable* job);

  bool run() override;
  bool has_work() override;

  /// Ends and releases what is still queued; after the shard's thread has
  /// ended. True: there was something.
  bool drop_all();

  net::shard& home() noexcept {
    return home_;
  }

  /// The unit of the calling thread's shard, or null.
  static shard_unit* current() noexcept {
    auto* shard = net::shard::current();
    return shard == nullptr ? nullptr
                            : static_cast<shard_unit*>(shard->runner());
  }

  /// Jobs that wait; read by any thread.
  std::size_t queued() const noexcept {
    return queued_.load(std::memory_order_relaxed);
  }

private:
  friend class shard_scheduler;

  net::shard& home_;
  std::size_t throughput_;
  std::vector<shard_unit*>* all_ = nullptr;
  std::vector<caf::resumable*> local_;
  std::vector<caf::resumable*> running_;
  std::atomic<std::size_t> queued_{0};
  std::atomic<bool> remote_waiting_{false};
  std::mutex remote_mutex_;
  std::vector<caf::resumable*> remote_;
};

/// CAF's scheduler module on our shards: a pinned actor runs on its shard,
/// everything else on the first. Runs the shards' threads from `start` to
/// `stop`; quiet shards share one (net::shard_team). CAF's clock has a thread
/// of its own and serves coarse timers.
class shard_scheduler final : public caf::scheduler::abstract_coordinator {
public:
  /// Messages one actor may handle before the next has its turn.
  static constexpr std::size_t messages_per_turn = 300;

  shard_scheduler(caf::actor_system& system,
                  const std::vector<net::shard*>& shards,
                  net::sharing_policy sharing);

  void enqueue(caf::resumable* job) override;
  caf::actor_clock& clock() noexcept override {
    return clock_;
  }
  bool detaches_utility_actors() const override {
    return true;
  }

  const std::vector<shard_unit*>& units() const noexcept {
    return unit_pointers_;
  }

protected:
  void start() override;
  void stop() override;

private:
  std::vector<std::unique_ptr<shard_unit>> units_;
  std::vector<shard_unit*> unit_pointers_;
  net::shard_team team_;
  std::vector<std::thread> threads_;
  std::thread clock_thread_;
  caf::detail::thread_safe_actor_clock clock_;
};

/// Makes an actor system of this configuration use `shards` as its scheduler.
/// They must outlive the system.
void use_shards(caf::actor_system_config& config,
                const std::vector<net::shard*>& shards,
                net::sharing_policy sharing);

} // namespace vartalap::actors
