#pragma once

#include "load/checker.hpp"
#include "load/client_codec.hpp"
#include "load/payload.hpp"
#include "load/run_stats.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::load {

/// Where a client writes its frames.
class frame_sink {
public:
  virtual void write(std::string_view frame) = 0;

protected:
  ~frame_sink() = default;
};

/// Everything that the clients of one shard share. Outlives them.
struct client_context {
  checker& book;
  const payload_maker& payloads;
  shard_stats& stats;
  const measured_window& window;
  std::uint64_t wall_offset_ms = 0; ///< Unix time at 0 µs of the run's clock
  bool wants_acks = true; ///< false: nothing is confirmed, nothing is kept
};

/// A client's duties (protocol.md, section 2) for one device: it keeps before
/// it acknowledges, drops repeats and acknowledges them too, resends what is
/// unconfirmed in its original order before anything new, and on a live
/// connection not before 10 s. No socket, no clock: times come in, in µs of
/// the monotonic clock; frames go to the sink.
///
/// While offline, what is submitted waits in the outbox. The outbox is as
/// long as the schedule is ahead of the server: an open loop does not wait.
class client_core {
public:
  /// On a live connection nothing is sent again sooner than this.
  static constexpr std::uint64_t resend_after_us = 10'000'000;

  /// A message that was refused for now is tried again after this.
  static constexpr std::uint64_t retry_refused_us = 1'000'000;

  /// @param device Its number among the user's devices; 0 sends.
  client_core(client_context& context, std::uint32_t user,
              std::uint32_t device);

  /// Sends a message now, or keeps it until the connection opens.
  /// @param scheduled_us When it was due; latencies count from here.
  void submit(std::uint32_t recipient, std::uint64_t scheduled_us,
              std::uint64_t now_us, frame_sink& out);

  /// The connection is open: sends the whole outbox again.
  void on_open(std::uint64_t now_us, frame_sink& out);
  void on_closed();

  /// Takes a frame from the server. What it acknowledges waits for
  /// `write_acks`.
  void on_frame(std::string_view frame, std::uint64_t now_us);

  /// One CLIENT_ACK for all that came since the last.
  void write_acks(frame_sink& out);

  /// Sends again what is due. @returns When to ask again, 0 for never.
  std::uint64_t resend_due(std::uint64_t now_us, frame_sink& out);

  /// The device is about to die: what arrives from now on is neither
  /// acknowledged nor, if `forget`, kept. Ends with `on_closed`.
  void die_before_ack(bool forget) noexcept;

  /// Deliveries that came since it began to die.
  std::uint64_t withheld() const noexcept {
    return withheld_;
  }

  /// Latencies at this device are those of a slow reader.
  void mark_slow() noexcept {
    slow_ = true;
  }

  /// The connection is open and, if something waited for a confirmation when
  /// it opened, one has come over it: somebody serves this client.
  bool is_served() const noexcept {
    return open_ && answered_;
  }

  std::uint64_t submitted() const noexcept {
    return submitted_;
  }
  std::size_t unconfirmed() const noexcept {
    return unconfirmed_;
  }
  std::uint32_t user() const noexcept {
    return user_;
  }
  std::uint32_t device() const noexcept {
    return device_;
  }

private:
  struct outgoing {
    std::uint64_t scheduled_us = 0;
    std::uint64_t due_us = 0; ///< send (again) from then on
    std::uint32_t seq = 0;
    std::uint32_t recipient = 0;
    bool settled = false;
  };

  void take(const delivery& what, std::uint64_t now_us);
  void take(const server_ack& what, std::uint64_t now_us);
  void take(const refusal& what, std::uint64_t now_us);
  bool is_genuine(const delivery& what, const payload_facts& facts) const;
  outgoing* find(std::string_view id, message_key& key);
  void settle(outgoing& entry);
  void write(outgoing& entry, std::uint64_t now_us, frame_sink& out);

  client_context& context_;
  std::uint32_t user_;
  std::uint32_t device_;
  std::string name_;
  std::vector<outgoing> outbox_; ///< by seq; settled ones go from the front
  std::size_t outbox_at_ = 0;
  std::size_t unconfirmed_ = 0;
  std::uint64_t submitted_ = 0;
  std::string acks_; ///< 32 hex digits each
  seen_set seen_;    ///< by (from, id): what this client drops
  std::uint64_t withheld_ = 0;
  bool open_ = false;
  bool answered_ = false;
  bool dying_ = false;
  bool forgetting_ = false;
  bool slow_ = false;
};

} // namespace vartalap::load
