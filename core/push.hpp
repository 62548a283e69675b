#pragma once

#include "core/ids.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What wakes a user whose devices are away: whom, through which provider, and
/// how it went.
namespace vartalap::core {

/// Who carries a push. `webhook` is a notifier of the whole node, the others
/// belong to a device.
enum class push_platform : std::uint8_t { none, fcm, apns, webpush, webhook };

inline constexpr std::size_t push_platforms = 5;

/// As in the HTTP API and in metrics: "fcm", "apns", "webpush", "webhook".
std::string_view to_string(push_platform platform) noexcept;

/// The platform of that name; `none` for what no device can have.
push_platform device_platform(std::string_view name) noexcept;

/// Longest token that is kept, in bytes.
inline constexpr std::size_t push_token_bytes_max = 2048;

/// Where a device is reached while it is away. A removed target keeps `since`,
/// so that copies of its record on other nodes learn of the removal.
struct push_target {
  push_platform platform = push_platform::none;
  /// FCM registration token, APNs device token (hex), or for Web Push the
  /// subscription: {"endpoint":…,"p256dh":…,"auth":…}. A secret: not for logs.
  std::string token;
  wall_ms since = 0; ///< set or removed then; of two records the later counts

  friend bool operator==(const push_target&, const push_target&) = default;
};

/// Whether `a` counts and not `b`: the later one, and of two of one moment the
/// same on every node.
bool is_newer(const push_target& a, const push_target& b) noexcept;

/// A target where most have none: a pointer wide.
class kept_push_target {
public:
  kept_push_target() = default;
  kept_push_target(push_target target);
  kept_push_target(const kept_push_target& other);
  kept_push_target& operator=(const kept_push_target& other);
  kept_push_target(kept_push_target&&) noexcept = default;
  kept_push_target& operator=(kept_push_target&&) noexcept = default;
  ~kept_push_target() = default;

  const push_target& get() const noexcept;

  friend bool operator==(const kept_push_target& a,
                         const kept_push_target& b) noexcept {
    return a.get() == b.get();
  }

private:
  std::unique_ptr<const push_target> target_; ///< null: none ever
};

/// The name of the webhook among the targets of a user; no device has it.
inline constexpr std::string_view webhook_name = ":webhook";

/// What a mailbox says of its user to whoever is to wake them.
struct push_view {
  bool waiting = false;      ///< messages wait, and no device is connected
  std::uint64_t pending = 0; ///< messages
  server_id newest;          ///< of those that wake
  std::vector<std::string> devices;                         ///< that owe
  std::vector<std::pair<std::string, push_target>> targets; ///< of those
};

/// What is told to one target.
struct push_notice {
  std::string user;
  std::uint64_t episode = 0; ///< of this offline event; the same in retries
  std::uint64_t pending = 0; ///< messages that wait
  std::string serverid;      ///< of the newest that wakes; hex, may be empty
  std::string frame;         ///< its JSON; empty: no content is to be sent
  std::vector<std::string> devices; ///< that owe; for the webhook
  wall_ms now = 0;
  unsigned attempt = 0; ///< 0 the first time
  bool test = false;    ///< `vartalap push test`: nothing is pending
};

/// How an attempt ended.
struct push_outcome {
  enum kind : std::uint8_t {
    delivered,     ///< the provider has taken it
    retry,         ///< not now
    dead,          ///< the token is gone for good: forget it
    rejected,      ///< never, as it is; the token stays
    misconfigured, ///< our key or our set-up: an operator has to look
  } what
    = retry;
  milliseconds after{0}; ///< `retry`: not before, 0: the usual backoff
  bool pause = false;    ///< `after` holds for the provider as a whole
  std::string why;       ///< for the log: status and reason, nothing secret
};

inline constexpr std::size_t push_outcomes = 5;

/// As in metrics: "delivered", "retry" …
std::string_view to_string(push_outcome::kind what) noexcept;

} // namespace vartalap::core
