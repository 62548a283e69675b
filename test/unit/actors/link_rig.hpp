#pragma once

#include "actors/link_actor.hpp"
#include "actors/rate_limits.hpp"
#include "core/link_channel.hpp"
#include "net/worker_pool.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

/// A node that is nothing but its end of one link: the real link actor, gate,
/// middleman and tunnel on one shard; its router confirms whatever it is sent
/// or given back, and it stores nothing.
namespace vartalap::test {

/// Waits, 10 s at most, for what other threads do.
class event {
public:
  void set();
  /// @returns False where it did not come.
  bool wait();

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

/// Keeps what is logged as error or worse.
class error_log final : public core::log_port {
public:
  bool enabled(core::log_level level) const noexcept override;
  void write(core::log_level level, std::string_view component,
             std::string_view text) override;
  std::string text() const;

private:
  mutable std::mutex mutex_;
  std::string text_;
};

class link_node {
public:
  /// @param settings Of the tunnel; `me` and `members` name both nodes.
  /// @param folder Gets a folder for the middleman's endpoint.
  link_node(const net::tunnel_settings& settings,
            const std::filesystem::path& folder);
  ~link_node();
  link_node(const link_node&) = delete;
  link_node& operator=(const link_node&) = delete;

  /// Where the other node reaches this one.
  std::string address() const;

  /// Begins to link up; the node whose name is less dials `address`.
  void start(const std::string& peer, const std::string& address);

  /// The same without the cluster actor's word that the link may come up.
  void prepare(const std::string& peer, const std::string& address);
  /// That word.
  void open_link();

  /// Has the peer store something, as a replicated store does; `copied` is set
  /// once it has.
  void copy(storage::operation what);

  /// Tells the link that another one takes its place, and waits until it has
  /// left its session.
  void replace_link();

  /// Hands messages to the link, as a router does. Any thread.
  /// @param confirmed Runs on the shard's thread for each.
  void submit(std::vector<std::shared_ptr<core::envelope>> messages,
              std::function<void(const core::effect::confirm&)> confirmed);

  /// The same to this node's own router: a message that crosses no link.
  void submit_here(std::vector<std::shared_ptr<core::envelope>> messages,
                   std::function<void(const core::effect::confirm&)> confirmed);

  /// The link's counters.
  actors::look_at_link::figures figures();

  core::node_clock& clock() noexcept {
    return context_.clock;
  }
  actors::shard_context& shard() {
    return *context_.shards.front();
  }

  event up;
  event copied;
  std::atomic<bool> lost = false; ///< the link said so to its router
  error_log log;
  /// Of the links' protocol, as its hello says; set it before `start`.
  std::uint8_t version = core::link_channel::version;

private:
  class nothing_stored;

  std::string name_;
  std::filesystem::path folder_;
  core::cluster_options options_;
  std::unique_ptr<storage::store> store_;
  net::worker_pool workers_{1};
  actors::rate_limits rates_;
  net::shard home_{0, core::microseconds{0}};
  actors::node_context context_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<actors::peer_transport> transport_;
  caf::actor link_;
  caf::actor gate_;
};

/// Settings of two nodes, n1 and n2, that share a secret.
net::tunnel_settings secret_settings(const std::string& me);

/// A message of `bytes` to a user.
std::shared_ptr<core::envelope> message_of(std::size_t bytes,
                                           std::uint64_t number);

} // namespace vartalap::test
