#pragma once

#include "core/options.hpp"
#include "core/push.hpp"
#include "core/units.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace vartalap::core {

/// How far the wake-up of a user has come: what is on disk of it, from the
/// message that raised it until a device connects or nothing waits any more.
struct push_record {
  struct target {
    std::string name; ///< device, or `webhook_name`
    std::uint16_t attempts = 0;
    bool done = false;
    wall_ms due = 0; ///< not before

    friend bool operator==(const target&, const target&) = default;
  };
  std::uint64_t episode = 0; ///< of the event; 0: nobody has looked at it yet
  wall_ms raised = 0;
  bool done = false; ///< everybody is told, or will not be
  std::vector<target> targets;

  friend bool operator==(const push_record&, const push_record&) = default;
};

/// What the queue wants done, in order.
namespace push_step {

/// Ask the user's mailbox; answered by `located` or `lost`.
struct locate {
  std::string user;
};
/// Send to this target; answered by `answered`.
struct send {
  std::string user;
  std::uint64_t episode = 0;
  std::string name;
  push_target target;
  unsigned attempt = 0;
  push_view view;
};
/// Store, where the episode on disk is still this one.
struct note {
  std::string user;
  push_record record;
};
/// Forget this token of the device.
struct drop {
  std::string user;
  std::string device;
  std::string token;
};

} // namespace push_step

using push_action = std::variant<push_step::locate, push_step::send,
                                 push_step::note, push_step::drop>;
using push_actions = std::vector<push_action>;

/// What the queue counts.
struct push_counters {
  std::uint64_t events = 0;    ///< wake-ups begun, those found on disk included
  std::uint64_t cancelled = 0; ///< a device was quicker
  std::uint64_t nobody = 0;    ///< without any target
  std::uint64_t gave_up = 0;   ///< targets given up after `give_up_after`
  std::uint64_t dropped = 0;   ///< dead tokens
  std::array<std::array<std::uint64_t, push_outcomes>, push_platforms>
    outcomes{};
};

/// Decides whom to wake, when, and when to stop: one wake-up per user until a
/// device connects or nothing waits. Pure; one thread.
///
///   raised --delay--> locate --> send to each target --> done
///                        ^            | not now: backoff
///                        +------------+
///
/// Memory is bounded: what finds no room, and what another node is home of,
/// stays on disk and is found there again (`found`). A repeat after a crash is
/// possible, a loss is not: an event is on disk before its message counts.
class push_queue {
public:
  /// @param serves By platform: whether there is a provider for it.
  /// @param seed For the jitter of the waits.
  push_queue(const push_options& options,
             std::array<bool, push_platforms> serves, std::uint64_t seed);

  /// A mailbox has raised its event.
  void raised(const std::string& user, std::uint64_t episode, instant now);

  /// A device has connected, or nothing waits any more.
  void cleared(const std::string& user);

  /// A page of records is about to be read from disk.
  void begin_page();

  /// A record that was on that page. What nobody has looked at waits
  /// `restart_delay`: after a restart devices come back by themselves.
  void found(const std::string& user, push_record record, instant now);

  /// The mailbox has answered.
  void located(const std::string& user, const push_view& view, instant now,
               push_actions& out);

  /// Another node is the user's home: it is that one's business.
  void lost(const std::string& user);

  /// An attempt has ended.
  void answered(const std::string& user, std::uint64_t episode,
                const std::string& name, const push_target& target,
                const push_outcome& how, instant now, push_actions& out);

  /// What is due now, within `in_flight`.
  void advance(instant now, push_actions& out);

  /// When `advance` is wanted next; `max` for never. Where `in_flight` is
  /// reached, an answer comes first.
  mono_time next_deadline() const noexcept;

  const push_counters& counters() const noexcept {
    return counters_;
  }
  std::size_t size() const noexcept {
    return jobs_.size();
  }

private:
  enum class state : std::uint8_t { waiting, locating, sending };
  struct job {
    push_record record;
    state at = state::waiting;
    unsigned in_flight = 0;
    mono_time due{};
  };
  using jobs = std::unordered_map<std::string, job>;

  void schedule(const std::string& user, job& one, mono_time due);
  void unschedule(const std::string& user, const job& one);
  void erase(jobs::iterator where);
  void finish(jobs::iterator where, push_actions& out);
  void settle(jobs::iterator where, instant now, push_actions& out);
  void match(push_record& record, const push_view& view) const;
  wall_ms resume(push_platform platform, instant now);
  milliseconds backoff(unsigned attempts, push_outcome::kind what);
  std::uint64_t random() noexcept;

  const push_options& options_;
  const std::array<bool, push_platforms> serves_;
  std::uint64_t random_;
  jobs jobs_;
  std::set<std::pair<mono_time, std::string>> by_time_; ///< that wait
  std::set<std::pair<mono_time, std::string>> asked_;   ///< being located
  std::array<wall_ms, push_platforms> paused_{};        ///< until then
  std::size_t in_flight_ = 0;
  /// Finished while this page and the one before were read: what these say of
  /// them may be older.
  std::unordered_set<std::string> finished_;
  std::unordered_set<std::string> finished_before_;
  push_counters counters_;
};

} // namespace vartalap::core
