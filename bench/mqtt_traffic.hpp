#pragma once

#include "bench/mqtt_swarm.hpp"
#include "bench/report.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace vartalap::bench {

/// Sends stamped messages through a swarm, follows each until it is done, and
/// counts what happened. Its members throw std::runtime_error where the swarm
/// does, and when the server confirms what was not sent. One thread.
class mqtt_traffic final : public mqtt_events {
public:
  /// When a message counts as done.
  enum class done_when { confirmed, confirmed_and_received };

  /// @param payload_bytes At least 8: the stamp.
  mqtt_traffic(std::uint16_t port, std::size_t users, std::size_t payload_bytes,
               done_when rule);

  /// Sends one message that was due at `scheduled`. A sender always has the
  /// same recipient.
  void send(std::size_t sender, std::size_t recipient, steady_time scheduled);

  /// From now on each message of `sender` that becomes done is followed by
  /// another one, `quota` more at most, until stop_refilling().
  /// @pre It has sent one.
  void refill(std::size_t sender, std::uint64_t quota);

  /// Ends what refill() began, for all senders.
  void stop_refilling();

  /// Only what becomes done from `begin` to `end` is counted as messages, and
  /// only what was due then goes into the latencies, however late it comes.
  /// Losses and faults count always.
  void measure(steady_time begin, steady_time end);

  /// Polls until everything sent is done, or nothing has become done for 20 s;
  /// what is then open is lost.
  void finish();

  void on_puback(std::size_t user, std::uint16_t packet_id) override;
  void on_publish(std::size_t user, const mqtt::packet& message) override;

  mqtt_swarm swarm;
  report result; ///< Messages, latencies, losses and faults.

private:
  struct flight {
    steady_time scheduled;
    bool confirmed = false;
    bool received = false;
    bool done = false;
  };

  /// The messages of one sender; their sequence numbers have no gap.
  struct flow {
    std::uint32_t first_open = 0; ///< Sequence number of `open.front()`.
    std::uint32_t next_received = 0;
    std::size_t recipient = 0;
    std::uint64_t quota = 0; ///< Messages still to be sent as refills.
    std::deque<flight> open;
  };

  void record(latency_histogram& latencies, steady_time scheduled,
              steady_time now) const;
  void settle(std::size_t sender, std::size_t index, steady_time now);

  done_when rule_;
  bool refilling_ = false;
  steady_time measured_from_ = steady_time::max();
  steady_time measured_until_ = steady_time::max();
  std::uint64_t open_ = 0; ///< Sent and not done, all senders together.
  std::vector<flow> flows_;
  std::string payload_;
};

/// Receives what an mqtt_traffic sent to users that were away: user n expects
/// `share` messages, all from user n + users / 2. One thread.
class mqtt_homecoming final : public mqtt_events {
public:
  mqtt_homecoming(std::uint16_t port, std::size_t users, std::size_t share);

  void on_puback(std::size_t user, std::uint16_t packet_id) override;
  void on_publish(std::size_t user, const mqtt::packet& message) override;

  mqtt_swarm swarm;
  std::uint64_t messages = 0; ///< Different ones.
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t unexpected = 0;

private:
  std::size_t recipients_;
  // Index: the recipient, then the sequence number of its one sender.
  std::vector<std::vector<bool>> received_;
  std::vector<std::uint32_t> next_;
};

} // namespace vartalap::bench
