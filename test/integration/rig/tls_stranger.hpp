#pragma once

#include "test/integration/rig/tcp_stream.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vartalap::integration {

/// A TLS client without a certificate, which stops where a test wants it to.
class tls_stranger {
public:
  /// Connects; sends nothing yet.
  /// @throws std::runtime_error where nobody listens.
  explicit tls_stranger(std::uint16_t port);
  ~tls_stranger();

  /// Sends the first flight of a handshake, or only the first half of it.
  bool greet(bool half = false);

  /// Goes on with the handshake as far as it gets.
  /// @returns False where the other side ended it.
  bool finish_greeting();

  /// Sends bytes under TLS.
  bool send(std::string_view bytes);

  /// A checksum of the certificate that the other side has shown, in hex;
  /// empty before `finish_greeting`.
  std::string certificate_sum() const;

  tcp_stream& stream() noexcept;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace vartalap::integration
