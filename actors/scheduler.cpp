#include "actors/scheduler.hpp"

#include "actors/pinned_actor.hpp"

#include <caf/actor_system.hpp>
#include <pthread.h>

#include <atomic>
#include <string>

namespace vartalap::actors {

namespace {

/// The pinned actor that a job is; null: CAF's own kind.
pinned_actor* pinned(caf::resumable* job) {
  if (job->subtype() != caf::resumable::unspecified)
    return nullptr;
  // resumable is no virtual base, but it is one of several: the cast goes
  // down the chain by which pinned_actor has it.
  return static_cast<pinned_actor*>(static_cast<caf::event_based_actor*>(
    static_cast<caf::scheduled_actor*>(job)));
}

/// The shard of a job: its own for pinned actors, the first for the rest.
shard_unit& home_of(caf::resumable* job,
                    const std::vector<shard_unit*>& units) {
  const auto* actor = pinned(job);
  return actor == nullptr ? *units.front() : *units[actor->home().index()];
}

} // namespace

pinned_actor::pinned_actor(caf::actor_config& config, net::shard& home)
  : caf::event_based_actor(config), home_(home) {
  harden(*this);
}

void harden(caf::scheduled_actor& self) {
  self.set_error_handler([](caf::scheduled_actor*, caf::error&) {});
  self.set_default_handler([](caf::scheduled_actor* actor,
                              caf::message_view&) -> caf::result<caf::message> {
    if (actor->current_message_id().is_request())
      return caf::make_error(caf::sec::unexpected_message);
    return caf::make_message();
  });
  self.set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
}

shard_unit::shard_unit(caf::actor_system& system, net::shard& home,
                       std::size_t throughput)
  : caf::execution_unit(&system), home_(home), throughput_(throughput) {
}

void shard_unit::exec_later(caf::resumable* job) {
  home_of(job, *all_).enqueue(job);
}

void shard_unit::enqueue(caf::resumable* job) {
  if (net::shard::current() == &home_) {
    local_.push_back(job);
    return;
  }
  bool first = false;
  {
    const std::lock_guard lock(remote_mutex_);
    first = remote_.empty();
    remote_.push_back(job);
    remote_waiting_.store(true);
  }
  // One wake-up a batch: the others find the queue filled already.
  if (first)
    home_.wake();
}

bool shard_unit::has_work() {
  return !local_.empty() || remote_waiting_.load();
}

bool shard_unit::run() {
  if (remote_waiting_.load()) {
    const std::lock_guard lock(remote_mutex_);
    local_.insert(local_.end(), remote_.begin(), remote_.end());
    remote_.clear();
    remote_waiting_.store(false);
  }
  running_.swap(local_);
  queued_.store(running_.size(), std::memory_order_relaxed);
  for (auto* job : running_) {
    switch (job->resume(this, throughput_)) {
      case caf::resumable::resume_later:
        local_.push_back(job);
        break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
        caf::intrusive_ptr_release(job);
        break;
      case caf::resumable::shutdown_execution_unit:
        break;
    }
  }
  running_.clear();
  return has_work();
}

bool shard_unit::drop_all() {
  std::vector<caf::resumable*> jobs;
  for (auto* list : {&local_, &running_, &remote_}) {
    jobs.insert(jobs.end(), list->begin(), list->end());
    list->clear();
  }
  for (auto* job : jobs) {
    if (auto* actor = pinned(job)) {
      // CAF ends only its own kind here: an actor that does not end keeps
      // those alive that it knows.
      actor->cleanup(caf::make_error(caf::exit_reason::user_shutdown), this);
      caf::intrusive_ptr_release(job);
    } else {
      shard_scheduler::cleanup_and_release(job);
    }
  }
  return !jobs.empty();
}

shard_scheduler::shard_scheduler(caf::actor_system& system,
                                 const std::vector<net::shard*>& shards,
                                 net::sharing_policy sharing)
  : caf::scheduler::abstract_coordinator(system), team_(shards, sharing) {
  for (auto* home : shards) {
    units_.push_back(
      std::make_unique<shard_unit>(system, *home, messages_per_turn));
    unit_pointers_.push_back(units_.back().get());
  }
  for (auto& unit : units_)
    unit->all_ = &unit_pointers_;
}

void shard_scheduler::enqueue(caf::resumable* job) {
  home_of(job, unit_pointers_).enqueue(job);
}

void shard_scheduler::start() {
  clock_thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "clock");
    clock_.run_dispatch_loop();
  });
  for (auto& unit : units_) {
    threads_.emplace_back([this, raw = unit.get()] {
      const auto name = "shard-" + std::to_string(raw->home_.index());
      ::pthread_setname_np(::pthread_self(), name.c_str());
      system().thread_started();
      raw->home_.set_runner(raw);
      team_.run(raw->home_.index());
      raw->home_.end_watched();
      raw->home_.set_runner(nullptr);
      system().thread_terminates();
    });
  }
  abstract_coordinator::start();
}

void shard_scheduler::stop() {
  stop_actors();
  for (auto& unit : units_)
    unit->home_.stop();
  for (auto& thread : threads_)
    thread.join();
  threads_.clear();
  // The end of one actor may be news to others.
  for (bool dropped = true; dropped;) {
    dropped = false;
    for (auto& unit : units_)
      dropped = unit->drop_all() || dropped;
  }
  clock_.cancel_dispatch_loop();
  clock_thread_.join();
}

void use_shards(caf::actor_system_config& config,
                const std::vector<net::shard*>& shards,
                net::sharing_policy sharing) {
  config.module_factories.push_back(
    [shards, sharing](caf::actor_system& system) -> caf::actor_system::module* {
      return new shard_scheduler(system, shards, sharing);
    });
}

} // namespace vartalap::actors
