#pragma once

#include "core/ids.hpp"
#include "load/payload.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace vartalap::load {

/// Which messages of which senders have been seen. Four bytes a message where
/// they come in order.
class seen_set {
public:
  /// @returns False if `key` was in it.
  bool insert(message_key key);
  bool contains(message_key key) const;

  /// The seqs of each sender, ascending.
  const std::unordered_map<std::uint32_t, std::vector<std::uint32_t>>&
  senders() const noexcept {
    return senders_;
  }

private:
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> senders_;
};

/// Why a delivery is not what anybody sent.
enum class oddity : std::uint8_t {
  unreadable,  ///< no frame of the protocol
  damaged,     ///< the content is not what was sent
  misdirected, ///< ids, sender, recipient and content do not fit together
  unsent,      ///< nobody sent such a message to this user
};
inline constexpr std::size_t oddities = 4;

/// What a run came to. Deliveries are counted per device.
struct verdict {
  std::uint64_t attempted = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t refused = 0;        ///< for good, by an ERROR
  std::uint64_t unconfirmed = 0;    ///< neither at the end
  std::uint64_t arrived = 0;        ///< first arrivals
  std::uint64_t lost = 0;           ///< confirmed, and a device lacks it
  std::uint64_t duplicated = 0;     ///< got through the client's dedupe
  std::uint64_t duplicated_raw = 0; ///< dropped by the client's dedupe
  std::uint64_t reordered = 0;      ///< first arrivals against the serverIds
  std::uint64_t unexpected = 0;     ///< all that is odd
  std::array<std::uint64_t, oddities> unexpected_by{}; ///< by `oddity`
  std::uint64_t foreign = 0;           ///< left over from another run
  std::vector<message_key> lost_first; ///< some of them, for a look

  /// True where the server broke a promise.
  bool broken() const noexcept {
    return lost != 0 || reordered != 0 || unexpected != 0 || duplicated != 0;
  }
};

/// Knows every message of a run and judges what became of it.
///
/// What is told of a sender and what is told of a device lies apart: each may
/// be told by a thread of its own without locks; `judge` when all are done.
class checker {
public:
  /// @param users Numbered from 0, at most 2^30.
  /// @param devices_per_user Every device owes every message to its user.
  checker(std::uint32_t users, std::uint32_t devices_per_user);

  /// `sender` begins to send one. @returns Its seq.
  std::uint32_t attempted(std::uint32_t sender, std::uint32_t recipient);
  /// The server confirmed it. @returns False if that is no news.
  bool confirmed(message_key key);
  /// The server refused it for good.
  void refused(message_key key);

  /// A delivery that passed the device's dedupe, and its place in the order.
  void arrived(std::uint32_t user, std::uint32_t device, message_key key,
               core::server_id order);
  /// A delivery that the device's dedupe dropped.
  void repeated(std::uint32_t user, std::uint32_t device);
  /// A delivery that is not what anybody sent.
  void unexpected(std::uint32_t user, std::uint32_t device, oddity why);
  /// A delivery of another run.
  void foreign(std::uint32_t user, std::uint32_t device);

  verdict judge() const;

private:
  enum state : std::uint32_t { open = 0, done = 1, dropped = 2 };
  static constexpr std::uint32_t state_bits = 2;
  /// Recipient and state in one word: memory counts at millions of messages.
  using record = std::uint32_t;

  struct device_log {
    seen_set seen;
    std::unordered_map<std::uint32_t, core::server_id> newest;
    std::uint64_t arrived = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t repeated = 0;
    std::uint64_t reordered = 0;
    std::array<std::uint64_t, oddities> unexpected{};
    std::uint64_t foreign = 0;
  };

  static std::uint32_t recipient_of(record r) noexcept {
    return r >> state_bits;
  }
  static state state_of(record r) noexcept {
    return static_cast<state>(r & 3U);
  }
  device_log& log_of(std::uint32_t user, std::uint32_t device);
  void judge_device(std::uint32_t user, const device_log& log,
                    verdict& result) const;

  std::uint32_t devices_;
  std::vector<std::vector<record>> sent_; ///< [sender][seq]
  std::vector<device_log> logs_;          ///< [user * devices + device]
};

} // namespace vartalap::load
