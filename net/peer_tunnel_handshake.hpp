#pragma once

#include "net/peer_tunnel.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vartalap::net {

/// How two nodes prove to each other who they are, without I/O: bytes in, bytes
/// out. Both know a key: the cluster's secret, or what TLS exports of their
/// session. Each proves it with HMAC-SHA256 over both nonces, both names and
/// its own role, so that no proof can be shown twice, elsewhere or back.
///
///   dialer                                            acceptor
///   hello [its name, whom it dials, nonce]      -->
///                                               <--   challenge [nonce]
///   proof [MAC]                                 -->
///                                               <--   welcome [MAC]
///
/// The acceptor proves nothing to who has not proved itself. Instead of
/// challenge or welcome it may send a refusal with the reason. A frame is
/// "VTL1", kind, 0, length of the body (2 bytes, big endian), body.
class peer_handshake {
public:
  enum class role : std::uint8_t { dialer, acceptor };

  static constexpr std::size_t header_bytes = 8;
  static constexpr std::size_t body_bytes_max = 256;

  /// What to do after a frame: send `send` (if any), then go on; or, where
  /// `problem` says something, close. `done`: the peer has proved its name.
  struct step {
    std::string send{};
    std::string problem{};
    tunnel_fault fault = tunnel_fault::protocol; ///< where there is a problem
    bool done = false;
  };

  /// Acceptor only: why a dialer of this name is not taken; empty: it is.
  using name_check = std::function<std::string(const std::string& name)>;

  /// @param me 1 to 64 bytes, like every node's name.
  /// @param peer Whom a dialer dials; empty for an acceptor, which learns it.
  peer_handshake(role mine, std::string me, std::string peer, std::string key,
                 name_check refuses);

  /// The dialer's hello; empty for an acceptor.
  std::string begin();

  /// Reads `header_bytes` bytes.
  /// @return The length of the body that follows, or nothing: this is no
  ///         frame that may come now.
  std::optional<std::size_t> on_header(std::string_view header);

  /// Reads the body of the frame whose header came last.
  step on_body(std::string_view body);

  /// The other side's name; true only after `done`.
  const std::string& peer() const noexcept {
    return peer_;
  }

private:
  step on_hello(std::string_view body);
  step on_challenge(std::string_view body);
  step on_proof(std::string_view body);
  step on_welcome(std::string_view body);
  step on_refusal(std::string_view body) const;
  std::string proof_of(role whose) const;

  role role_;
  std::string me_;
  std::string peer_;
  std::string key_;
  name_check refuses_;
  std::string my_nonce_;
  std::string peer_nonce_;
  std::uint8_t expected_; ///< kind of the next frame
  bool refused_ = false;  ///< the frame that came is a refusal
};

} // namespace vartalap::net
