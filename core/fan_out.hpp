#pragma once

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vartalap::core {

/// How far the messages of one group are on their way to its members: for each
/// a queue of its own, in the order of serverIds, of which the first is under
/// way. Who refuses for a while is asked again later and delays nobody else.
/// Pure; belongs to its group's shard.
///
/// Progress is coarse: members are in one of 64 slices by their names, and a
/// slice of a message is done when all its members have it. After a crash the
/// slices that are not done are sent again; mailboxes know what they have.
class fan_out {
public:
  static constexpr unsigned slices = 64;

  struct rules {
    std::size_t in_flight = 1024;       ///< sent and not answered yet
    milliseconds retry_first{1000};     ///< then twice as long each time
    milliseconds retry_max{5 * 60'000}; ///< … up to this
  };

  /// Names of recipients; shared where messages go to the same ones.
  using roster = std::shared_ptr<const std::vector<std::string>>;

  fan_out() : fan_out(rules{}) {
  }
  explicit fan_out(const rules& how) : rules_(how) {
  }

  /// A message is to go to `to` except `but`, and except slices whose bit is
  /// set in `done`.
  /// @pre Its serverId is unknown here.
  /// @returns False where nobody is to get it: it is not kept.
  bool add(server_id message, const roster& to, std::string_view but,
           std::uint64_t done);

  /// One message to one recipient.
  struct item {
    server_id message;
    std::string_view to; ///< valid until nothing waits any more
  };

  /// What is to be sent now. Each is answered by `answered`.
  void next(std::vector<item>& out);

  /// What an answer came to.
  struct progress {
    server_id message;       ///< none: nothing was under way
    unsigned slice = slices; ///< done by this; `slices`: none is
    bool finished = false;   ///< nobody waits for the message any more
    bool refused = false;    ///< for good
    bool will_retry = false;
  };

  /// `to` has what was under way to it, or refused it.
  progress answered(std::string_view to, refusal code, mono_time now);

  /// Gives a message up for all who do not have it.
  /// @returns How many that are.
  std::size_t give_up(server_id message);

  /// Whether all who do not have it refused what they were sent last.
  bool only_retries(server_id message) const;

  /// When `timer` is wanted; mono_time::max(): never.
  mono_time next_deadline() const noexcept;
  void timer(mono_time now);

  bool empty() const noexcept {
    return messages_.empty() && in_flight_ == 0;
  }
  std::size_t messages() const noexcept {
    return messages_.size();
  }
  std::size_t in_flight() const noexcept {
    return in_flight_;
  }
  /// The oldest message that somebody waits for; none where there is none.
  server_id oldest() const noexcept {
    return messages_.empty() ? server_id{} : messages_.begin()->first;
  }

private:
  using lane_index = std::uint32_t;

  struct lane {
    std::string name;
    server_id done;              ///< everything up to here is over
    server_id sent;              ///< under way; none: nothing is
    std::vector<server_id> late; ///< below `done`, and yet to go
    mono_time retry_at{};
    unsigned slice = 0;
    unsigned attempts = 0;
    bool waiting = false; ///< for `retry_at`
    bool queued = false;  ///< in `ready_`
  };

  struct message {
    std::shared_ptr<const std::vector<bool>> to; ///< by lane
    lane_index but = no_lane;
    std::uint64_t done = 0; ///< slices
    std::size_t left = 0;
    std::array<std::uint32_t, slices> left_in{};
  };

  static constexpr lane_index no_lane = 0xffffffff;

  lane_index lane_of(const std::string& name);
  bool is_for(const message& what, lane_index who) const;
  server_id next_of(lane_index who);
  void ready(lane_index who);
  void clear_if_empty();

  rules rules_;
  std::deque<lane> lanes_;
  std::unordered_map<std::string_view, lane_index> by_name_;
  std::map<server_id, message> messages_;
  std::deque<lane_index> ready_;
  std::set<std::pair<mono_time, lane_index>> retries_;
  std::size_t in_flight_ = 0;
  roster last_roster_;
  std::shared_ptr<const std::vector<bool>> last_to_;
  std::vector<lane_index> last_lanes_;
};

} // namespace vartalap::core
