#pragma once

#include "net/shard.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace vartalap::net {

/// When quiet shards share a thread; shares of one core.
struct sharing_policy {
  bool enabled = true;
  double join_below = 0.5;     ///< all who would be on the thread, together
  double leave_above = 0.75;   ///< then the busiest guest gets its own again
  core::milliseconds look{10}; ///< how often the shared thread looks
  core::milliseconds settled{100}; ///< a shard's time alone before it joins
};

/// Shards and their threads, one each. Where all that is to do fits on one
/// core, the first shard's thread runs the others too and theirs sleep: a
/// message from shard to shard then wakes nobody. That wake-up, of another
/// core, is the dearest part of a message while there is little to do
/// (docs/performance.md has the figures).
///
/// A shard goes from thread to thread between two turns only, under a lock:
/// whatever runs on a shard may go on relying on being alone there, but not
/// on which thread that is.
class shard_team {
public:
  /// The shards outlive the team.
  shard_team(const std::vector<shard*>& shards, sharing_policy policy);
  ~shard_team();
  shard_team(const shard_team&) = delete;
  shard_team& operator=(const shard_team&) = delete;

  /// The body of the thread of one shard: returns once that shard was stopped
  /// and is on this thread. Each shard's thread calls it once.
  void run(std::size_t index);

private:
  struct member;

  void run_first();
  void run_guest(member& one);
  void share_turn();
  void join(member& one, double its_load);
  void welcome(member& one);
  void send_home(std::size_t at);
  void send_stopped_home();
  void review();
  void give_back(member& one);

  const sharing_policy policy_;
  std::vector<std::unique_ptr<member>> members_;

  std::mutex mutex_;              ///< of `member::away`, `open_`
  bool open_ = false;             ///< the first thread takes guests
  std::atomic<double> load_{1.0}; ///< of the first thread, 0 to 1

  // The first thread's own.
  int epoll_ = -1; ///< over the epolls of those it runs
  std::vector<member*> crew_;
  core::mono_time last_review_{};
};

} // namespace vartalap::net
