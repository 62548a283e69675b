#pragma once

#include "bench/mqtt_packet.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::bench {

/// Time as the driver measures it.
using steady_time = std::chrono::steady_clock::time_point;

/// What a swarm tells its owner, from within mqtt_swarm::poll(). The owner may
/// publish from inside these calls, and nothing else.
class mqtt_events {
public:
  virtual ~mqtt_events() = default;

  /// The server confirmed the publish `packet_id` of `user`.
  virtual void on_puback(std::size_t user, std::uint16_t packet_id) = 0;

  /// `user` received a message. Its PUBACK is on its way when this returns.
  virtual void on_publish(std::size_t user, const mqtt::packet& message) = 0;
};

/// Many MQTT clients (MQTT 3.1.1 over WebSocket, persistent sessions, QoS 1) on
/// one thread and one epoll, one file descriptor each. User n has the client id
/// `u<n>` and its own topic `u/<n>`. What a turn writes to a socket leaves in
/// one send. All members throw std::runtime_error when the server refuses,
/// breaks the protocol or closes a connection. One thread.
class mqtt_swarm {
public:
  /// @param port  Of the server's WebSocket listener on 127.0.0.1.
  /// @param users How many there are; nobody is connected yet.
  mqtt_swarm(std::uint16_t port, std::size_t users, mqtt_events& events);
  ~mqtt_swarm();
  mqtt_swarm(const mqtt_swarm&) = delete;
  mqtt_swarm& operator=(const mqtt_swarm&) = delete;

  /// Whether a user's own topic is subscribed to on connecting, or the server
  /// is expected to know the subscription from an earlier session.
  enum class subscription { make, known };

  /// Brings the users [first, last) up, some hundred at a time, and returns
  /// when each is connected and subscribed. Messages may already arrive.
  void connect(std::size_t first, std::size_t last, subscription topic);

  /// Ends the connections of [first, last) and returns when the server has
  /// closed each; their sessions stay with the server.
  void disconnect(std::size_t first, std::size_t last);

  /// Publishes to `recipient`'s topic; it leaves with the next flush() or
  /// poll(). @param packet_id Not 0, unused among `sender`'s open publishes.
  void publish(std::size_t sender, std::size_t recipient,
               std::uint16_t packet_id, std::string_view payload);

  /// Sends what was published, waits for input until `until` at most, handles
  /// one round of it, and sends what that caused.
  void poll(steady_time until);

private:
  /// offline -> handshake -> connecting -> [subscribing ->] ready -> leaving
  /// -> offline. Anything else is an error.
  enum class state : std::uint8_t {
    offline,
    handshake,   ///< HTTP upgrade sent.
    connecting,  ///< CONNECT sent.
    subscribing, ///< SUBSCRIBE sent.
    ready,
    leaving, ///< DISCONNECT sent.
  };

  struct client {
    int fd = -1;
    state now = state::offline;
    subscription topic = subscription::make;
    bool dirty = false;
    bool blocked = false; ///< Waits for EPOLLOUT.
    std::string in;       ///< Incomplete frame.
    std::string packets;  ///< Incomplete MQTT packet.
    std::string out;
  };

  void open(std::size_t user, subscription topic);
  void on_input(std::size_t user);
  std::size_t consume(std::size_t user, std::span<char> bytes);
  void on_payload(std::size_t user, std::string_view payload);
  std::size_t consume_packets(std::size_t user, std::string_view bytes);
  void on_packet(std::size_t user, const mqtt::packet& packet);
  void close(std::size_t user);
  template <class Append>
  void write(std::size_t user, Append append);
  void mark_dirty(std::size_t user);
  void flush();
  void flush(std::size_t user);
  [[noreturn]] void fail(std::size_t user, const std::string& what) const;

  std::uint16_t port_;
  mqtt_events& events_;
  int epoll_ = -1;
  std::vector<client> clients_;
  std::vector<std::size_t> dirty_;
  std::size_t pending_ = 0; ///< Clients between offline and ready, either way.
  std::array<char, 65536> read_buffer_{};
  std::string scratch_; ///< The MQTT packet being built.
};

} // namespace vartalap::bench
