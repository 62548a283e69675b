#pragma once

#include "bench/websocket_frame.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vartalap::bench {

/// The least that a message server has to do, as a floor to measure against:
/// takes WebSockets, parses frames, looks the recipient up, forwards, and hands
/// the recipient's acknowledgement back to the sender as its confirmation. It
/// keeps nothing, checks nobody, retries nothing. One thread, one epoll; what a
/// turn of the loop writes to a socket leaves in one send.
///
/// It speaks the part of the MessagePack protocol that the load tester uses:
/// message, delivery, client ack, server ack, and the error `unavailable` for a
/// recipient that is not connected.
class forwarder {
public:
  /// Listens on 127.0.0.1.
  /// @param port 0 takes any free port.
  /// @throws std::system_error when the port cannot be had.
  explicit forwarder(std::uint16_t port);
  ~forwarder();
  forwarder(const forwarder&) = delete;
  forwarder& operator=(const forwarder&) = delete;

  /// The port that it listens on.
  std::uint16_t port() const noexcept {
    return port_;
  }

  /// Serves until the process ends.
  /// @throws std::system_error when epoll fails.
  [[noreturn]] void run();

private:
  struct connection {
    int fd = -1;
    std::uint64_t serial = 0; ///< Tells connections on a reused fd apart.
    bool upgraded = false;    ///< The WebSocket handshake is over.
    bool closing = false;     ///< Close it once `out` has left.
    bool dirty = false;       ///< In `dirty_`, to be flushed this turn.
    bool blocked = false;     ///< Waits for EPOLLOUT.
    std::string user;
    std::string in; ///< An incomplete frame or request.
    std::string out;
  };

  /// Whom an acknowledgement of a delivery concerns.
  struct origin {
    std::uint64_t number = 0; ///< The serverId as a number.
    std::uint64_t sender_serial = 0;
    int sender_fd = -1;
    std::string message_id;
  };

  void accept_all();
  void on_event(int fd, std::uint32_t events);
  bool read_some(connection& c);
  bool consume(connection& c, std::span<char> bytes, std::size_t& used);
  bool answer_http(connection& c, std::string_view head);
  bool on_frame(connection& c, const ws_frame& frame);
  bool on_message(connection& sender, std::string_view body);
  bool on_client_ack(std::string_view body);
  void confirm(std::string_view server_id);
  connection* find(int fd) noexcept;
  void mark_dirty(connection& c);
  void flush_all();
  bool flush(connection& c);
  void close(connection& c);

  int epoll_ = -1;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::uint64_t serials_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t now_ms_ = 0; ///< Wall clock, read once a turn.
  std::vector<std::unique_ptr<connection>> connections_; ///< Index: the fd.
  std::unordered_map<std::string, int> fd_of_user_;
  std::vector<origin> origins_; ///< Ring, index: number modulo size.
  std::vector<int> dirty_;
  std::array<char, 65536> read_buffer_{};
  std::string scratch_; ///< The message being built.
};

} // namespace vartalap::bench
