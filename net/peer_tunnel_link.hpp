#pragma once

#include "net/address.hpp"
#include "net/peer_tunnel.hpp"
#include "net/peer_tunnel_frames.hpp"
#include "net/peer_tunnel_handshake.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vartalap::net {

/// One connection between two tunnels, from the first byte to the last.
///
///   connecting --> securing (TLS) --> proving --> spliced --> ended
///        `--------------`----------------`-----------------------^
///
/// Belongs to the tunnel's thread; owned by the tunnel and by what is pending.
class peer_tunnel_link final
  : public std::enable_shared_from_this<peer_tunnel_link> {
public:
  using tcp = boost::asio::ip::tcp;
  using context_pointer = std::shared_ptr<boost::asio::ssl::context>;

  /// The tunnel, as its connections see it.
  class observer {
  public:
    /// Why a dialer of this name is not taken; empty: it is.
    virtual std::string refuses(const std::string& name) = 0;

    /// The peer has proved who it is: the local socket to pass bytes to, or
    /// -1, which ends the connection.
    virtual int local_end_of(peer_tunnel_link& link) = 0;

    /// Comes exactly once. The link may be forgotten now.
    /// `fault` says why where the peer had not proved who it is.
    virtual void link_ended(peer_tunnel_link& link, tunnel_fault fault,
                            const std::string& why)
      = 0;

  protected:
    ~observer() = default;
  };

  /// @param context Null: the secret of `settings` is the proof's key.
  peer_tunnel_link(boost::asio::io_context& io, const tunnel_settings& settings,
                   context_pointer context, observer& tunnel,
                   tunnel_counters& counters);

  /// Begins as the dialer of `peer`.
  void dial(const std::string& peer, const socket_address& address);

  /// Begins as the acceptor on a socket that was just accepted.
  void accept(tcp::socket socket);

  /// Ends the connection where it is. No-op once it has ended.
  void end(tunnel_fault fault, const std::string& why);

  /// Whom this node dials, or who has proved its name; empty before.
  const std::string& peer() const noexcept {
    return peer_;
  }
  bool dialed() const noexcept {
    return dialed_;
  }
  /// The peer has proved who it is.
  bool authenticated() const noexcept {
    return authenticated_;
  }

private:
  using error_code = boost::system::error_code;
  using continuation = std::function<void(std::size_t)>;

  void limit_time(core::milliseconds limit, tunnel_fault fault,
                  std::string why);
  void prepare_socket();
  void secure();
  void prove();
  void read_frame();
  void on_frame(std::string_view body);
  void splice();
  void pump_in();
  void pump_out();
  std::string check_name(const std::string& name);

  /// Each runs `then` only if it succeeded and nothing has ended meanwhile.
  void read_exactly(std::size_t bytes, continuation then);
  void read_some(continuation then);
  void write_all(const char* data, std::size_t bytes, continuation then);
  template <class Done>
  auto guarded(const char* doing, Done then,
               tunnel_fault fault = tunnel_fault::closed);
  void fail(tunnel_fault fault, const char* doing, error_code why);

  const tunnel_settings& settings_;
  context_pointer context_;
  observer& tunnel_;
  tunnel_counters& counters_;
  tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<tcp::socket&>> tls_;
  boost::asio::local::stream_protocol::socket local_;
  boost::asio::steady_timer timer_;
  std::optional<peer_handshake> handshake_;
  std::string peer_;
  std::vector<char> in_;  ///< from the peer
  std::vector<char> out_; ///< to the peer
  basp_frame_guard frames_;
  bool dialed_ = false;
  bool authenticated_ = false;
  bool ended_ = false;
};

} // namespace vartalap::net
