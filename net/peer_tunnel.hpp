#pragma once

#include "core/ports.hpp"
#include "core/units.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::net {

/// How a node's tunnel is set up. Either `secret` or all three files.
struct tunnel_settings {
  std::string me;      ///< this node's name
  std::string address; ///< numeric, "127.0.0.1:7080"; port 0 takes a free one
  /// Bytes that all nodes share, at least 32. Empty: TLS. It proves who is
  /// there and encrypts nothing, so it is for loopback only.
  std::string secret;
  std::string ca_file;              ///< PEM: who signs the nodes' certificates
  std::string certificate_file;     ///< PEM chain; its SAN names this node
  std::string key_file;             ///< PEM; nobody else may be able to read it
  std::vector<std::string> members; ///< names that may connect

  core::milliseconds connect_timeout{2000};
  core::milliseconds handshake_timeout{5000};
  core::milliseconds unacknowledged_max{10'000}; ///< TCP_USER_TIMEOUT
  std::size_t unauthenticated_max = 64;          ///< one more ends the oldest
  std::size_t frame_bytes_max = 1 * core::MiB;   ///< payload of one BASP frame
  std::size_t buffer_bytes = 256 * core::KiB;    ///< per tunnel and direction
};

/// Why a connection came to nothing before the peer had proved who it is.
enum class tunnel_fault : std::uint8_t {
  unreachable, ///< dialing: nobody answers at that address
  crowded,     ///< accepting: it made room for a newer stranger
  timeout,     ///< the handshake did not end in time
  closed,      ///< the other side, or the network, ended it
  tls,         ///< no TLS 1.3, or no certificate of the cluster's authority
  protocol,    ///< what it says is no handshake of a node
  name,        ///< no member, another node, or a certificate for another
  secret,      ///< it does not know the cluster's secret
  ending,      ///< this node ends, or has given it up
};
inline constexpr std::size_t tunnel_faults = 9;

/// "unreachable", "crowded", …
std::string_view to_string(tunnel_fault fault) noexcept;

/// Connections that came to nothing, by reason.
class fault_counters {
public:
  void count(tunnel_fault why) noexcept {
    ++by_[static_cast<std::size_t>(why)];
  }
  std::uint64_t of(tunnel_fault why) const noexcept {
    return by_[static_cast<std::size_t>(why)];
  }
  /// All of them.
  std::uint64_t sum() const noexcept;

private:
  std::array<std::atomic<std::uint64_t>, tunnel_faults> by_{};
};

/// What a tunnel has counted; any thread.
struct tunnel_counters {
  std::atomic<std::uint64_t> open{0};     ///< authenticated, now
  std::atomic<std::uint64_t> accepted{0}; ///< of others, authenticated
  std::atomic<std::uint64_t> dialed{0};   ///< by this node, authenticated
  std::atomic<std::uint64_t> ended{0};    ///< authenticated ones that ended
  std::atomic<std::uint64_t> oversize{0}; ///< ended for a frame too long
  fault_counters refused;                 ///< accepted, not authenticated
  fault_counters failed;                  ///< dialed, not authenticated
  std::atomic<std::uint64_t> bytes_in{0}; ///< of authenticated ones
  std::atomic<std::uint64_t> bytes_out{0};
};

/// The authenticated way between nodes. The middleman's protocol proves nothing
/// and bounds nothing, so it never sees a network socket: a tunnel listens on
/// the node's `peer` address, lets both sides prove who they are, and only then
/// passes bytes on to a local stream socket. What comes from a peer is passed
/// on only while its frames are within `frame_bytes_max`.
///
///   dialer   connecting --> (TLS) --> hello ... welcome --> spliced --> ended
///   acceptor              (TLS) --> hello ... welcome --> spliced --> ended
///
/// Runs on a thread of its own between `start` and `stop`; all callbacks come
/// on that thread and must not block. All calls may come from any thread.
class peer_tunnel {
public:
  /// A local stream socket, connected and non-blocking, for a peer that has
  /// just proved its name, or -1 to turn it away. The tunnel closes it.
  using accept_callback = std::function<int(const std::string& peer)>;
  /// `fd` is a connected, non-blocking local stream socket that is the
  /// callee's, or -1 and then `problem` says why.
  using dial_callback = std::function<void(int fd, std::string problem)>;
  using ended_callback
    = std::function<void(const std::string& peer, const std::string& why)>;

  /// Reads the certificates, if it is to be TLS.
  /// @throws std::runtime_error with text for the operator: a secret too
  ///         short, a file that cannot be used.
  peer_tunnel(tunnel_settings settings, core::log_port& log);
  ~peer_tunnel();
  peer_tunnel(const peer_tunnel&) = delete;
  peer_tunnel& operator=(const peer_tunnel&) = delete;

  /// An authenticated tunnel with this peer, dialed or accepted, has ended.
  /// Set it before `start`.
  void on_ended(ended_callback ended);

  /// Starts the thread.
  void start();

  /// Binds `address` and takes tunnels of members. A member that connects
  /// again replaces the tunnel it had opened before. Call it once.
  /// @throws std::runtime_error with text for the operator if the address
  ///         cannot be had.
  void listen(accept_callback accepted);

  /// "127.0.0.1:7080", with the port that was really taken by `listen`.
  std::string address() const;

  /// Dials a peer at a numeric address. `done` comes exactly once, at most
  /// `connect_timeout` + `handshake_timeout` later; after `stop` at once, on
  /// the calling thread. A tunnel dialed to that peer before is replaced.
  void dial(const std::string& peer, const std::string& address,
            dial_callback done);

  /// Ends all tunnels with a peer; what they had not passed on is lost.
  void drop(const std::string& peer);

  /// From now on these names may connect. Open tunnels stay: `drop` them.
  void set_members(std::vector<std::string> members);

  /// Reads the certificate files again; new tunnels use them. Reads on the
  /// calling thread; no-op with a secret. Pickier than the constructor, since
  /// there is something to go on with: the certificate must be good by the
  /// given authorities, now, and for this node's name.
  /// @throws std::runtime_error with text for the operator; then the old ones
  ///         stay.
  void reload_certificates();

  /// Authenticated tunnels with a peer, now. On the tunnel's thread only.
  std::size_t tunnels_with(const std::string& peer) const;

  const tunnel_counters& counters() const noexcept;

  /// Ends everything, also dials in progress, and joins the thread. Not from
  /// a callback. Idempotent.
  void stop();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace vartalap::net
