#pragma once

#include "core/units.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace vartalap::net {

/// When a client comes back after a connection ended (protocol.md, section
/// 3: close codes).
class reconnect_policy {
public:
  /// @param longest Bound of the growing wait after lost connections.
  explicit reconnect_policy(core::milliseconds longest) : longest_(longest) {
  }

  /// The connection opened: waits start small again.
  void opened() noexcept {
    failures_ = 0;
  }

  /// How long to wait after a close with `code` (0: lost) and the peer's
  /// reason. Nothing: do not come back.
  /// @param random Uniform over all values; for the jitter.
  std::optional<core::milliseconds>
  after_close(unsigned code, std::string_view reason, std::uint64_t random);

  /// How long to wait after an attempt that never opened, with the HTTP
  /// status of the refusal, 0 for none. Nothing: trying again is useless.
  std::optional<core::milliseconds> after_failure(unsigned http_status,
                                                  std::uint64_t random);

  /// N of "retry_after_ms=N" in a close reason.
  static std::optional<core::milliseconds> retry_after(std::string_view reason);

private:
  core::milliseconds backoff(std::uint64_t random);

  core::milliseconds longest_;
  unsigned failures_ = 0;
};

} // namespace vartalap::net
