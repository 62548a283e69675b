#pragma once

#include "core/ports.hpp"
#include "net/peer_tunnel.hpp"

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::actors {

/// The way of messages between nodes: CAF's middleman, whose bytes travel in
/// net's tunnels. One per node; its actor system outlives it.
///
/// Each node publishes one actor, its gate, and finds the others' gates by
/// `connect`. Only `std::vector<char>` crosses nodes: to a gate, and from a
/// gate to the sender of such a message. A gate that is gone answers nothing:
/// BASP reports no error, so whoever sends needs acknowledgements of its own.
/// All calls may come from any thread.
class peer_transport {
public:
  /// `gate` is null where `problem` says why.
  using connect_callback
    = std::function<void(caf::strong_actor_ptr gate, std::string problem)>;
  using ended_callback = std::function<void(const std::string& peer)>;

  /// Adds the middleman and its settings; before the actor system is made.
  static void prepare(caf::actor_system_config& config);

  /// @param data_folder Exists; the middleman's endpoint `basp.sock` is there.
  /// @throws std::runtime_error as net::peer_tunnel does.
  peer_transport(caf::actor_system& system, net::tunnel_settings settings,
                 const std::string& data_folder, core::log_port& log);
  ~peer_transport();
  peer_transport(const peer_transport&) = delete;
  peer_transport& operator=(const peer_transport&) = delete;

  /// Publishes `gate` and takes tunnels of other nodes. Call it once.
  /// @param ended The last tunnel with a peer is gone: what was sent to it and
  ///              not acknowledged may be lost. On the tunnel's thread.
  /// @throws std::runtime_error with text for the operator.
  void start(caf::actor gate, ended_callback ended);

  /// Finds the gate of a peer at a numeric address.
  /// @param done Comes exactly once, within 10 s, on some thread; it must not
  ///             block. After `stop` at once, on the calling thread.
  void connect(const std::string& peer, const std::string& address,
               connect_callback done);

  /// Ends all tunnels with a peer, and so all handles of its actors.
  void drop(const std::string& peer);

  /// From now on these nodes may connect.
  void set_members(std::vector<std::string> members);

  net::peer_tunnel& tunnel() noexcept;

  /// Ends all tunnels; connects in progress fail. Does not wait for peers.
  /// Idempotent.
  void stop();

private:
  class impl;
  std::shared_ptr<impl> impl_;
};

} // namespace vartalap::actors
