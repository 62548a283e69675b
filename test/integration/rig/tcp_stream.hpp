#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vartalap::integration {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// How long a test waits for what must come: long, since it ends the wait
/// early on every machine that works.
inline constexpr milliseconds patience{10'000};

/// A blocking TCP connection to 127.0.0.1, with deadlines by poll.
class tcp_stream {
public:
  /// @param receive_buffer Bytes that the kernel may hold for a reader that
  ///                       does not read; 0: its default.
  /// @throws std::runtime_error where it is refused.
  explicit tcp_stream(std::uint16_t port, int receive_buffer = 0);
  ~tcp_stream();
  tcp_stream(tcp_stream&& other) noexcept;
  tcp_stream& operator=(tcp_stream&&) = delete;

  /// Sends all of it.
  /// @returns False where the peer has closed or does not take it in time.
  bool send(std::string_view bytes, milliseconds limit = patience);

  /// Appends what comes next to `into`.
  enum class got { bytes, end, nothing };
  got receive(std::string& into, milliseconds limit = patience);

  /// Closes its sending side.
  void finish_sending() noexcept;

  void close() noexcept;

private:
  int fd_ = -1;
};

/// A port of 127.0.0.1 that nobody listens on.
std::uint16_t free_port();

} // namespace vartalap::integration
