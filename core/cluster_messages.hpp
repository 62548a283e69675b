#pragma once

#include "core/ids.hpp"
#include "core/mailbox_effects.hpp"
#include "core/placement.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What the clusters' nodes tell each other about who is home and what they
/// hold. Carried by the links, in order; never lost while a link is up.
namespace vartalap::core {

/// How far a node is in its life.
///   joining --in step with all it can reach, or waited long enough-->
///   serving --drain--> draining
enum class node_phase : std::uint8_t { joining, serving, draining };

/// "The bucket is mine." The claim with the greatest epoch counts; without a
/// claim a bucket belongs to the first in its line that is live and serving.
struct bucket_claim {
  bucket_id bucket = 0;
  std::uint64_t epoch = 0; ///< ms of the claimant's clock, made to ascend

  friend bool operator==(const bucket_claim&, const bucket_claim&) = default;
};

namespace say {

/// The sender's state: on every new link, and whenever it changes.
struct status {
  node_phase phase = node_phase::joining;
  std::vector<node_index> reaches; ///< peers it has a link with, ascending
  bool in_step = false; ///< it is in step with every member, claims nothing,
                        ///< holds nothing for others
  std::uint64_t next_members = 0; ///< `placement::hash` of the list that it is
                                  ///< to follow next; 0: none
};

/// Claims of the sender. `full`: these are all; else these are new.
struct claims {
  bool full = false;
  std::vector<bucket_claim> made;
  std::vector<bucket_id> released;
};

/// "I cannot reach the owner of these, and you are next in their lines."
struct please_take {
  std::vector<bucket_id> buckets;
};

/// One bucket's content in short.
struct bucket_sum {
  bucket_id bucket = 0;
  std::uint32_t entries = 0; ///< messages and devices
  std::uint64_t sum = 0;

  friend bool operator==(const bucket_sum&, const bucket_sum&) = default;
};

/// Of [first, first + count): what the sender holds in those buckets that
/// concern the receiver. `pass` numbers the sender's rounds.
struct sums {
  std::uint64_t pass = 0;
  bucket_id first = 0;
  std::uint32_t count = 0;
  std::vector<bucket_sum> buckets; ///< ascending; empty ones left out
};

/// Answer to `sums`: these differ from what the receiver holds.
struct differs {
  std::uint64_t pass = 0;
  bucket_id first = 0;
  std::vector<bucket_id> buckets;
};

struct message_mark {
  std::string user;
  server_id serverid;
  std::uint64_t acks = 0; ///< hash of the devices that acknowledged it
};

struct device_of {
  std::string user;
  device_record record;
};

/// A removal that is remembered: of a message, or of a device (`device` set).
struct removal {
  std::string user;
  server_id serverid;
  std::string device;
  wall_ms at = 0; ///< of a device: when
};

/// All that the sender holds in one bucket.
struct listing {
  std::uint64_t pass = 0;
  bucket_id bucket = 0;
  std::vector<message_mark> messages;
  std::vector<device_of> devices;
  std::vector<removal> removals;
};

/// Answer to `listing`, once its removals and devices are durable here.
struct wants {
  std::uint64_t pass = 0;
  bucket_id bucket = 0;
  std::vector<message_mark> missing; ///< copy these to me
  /// You need not keep these: removed. And those of the listing's removals that
  /// still removed something here: its sender goes on remembering them.
  std::vector<removal> removed;
};

/// The sender has offered all it holds, in this pass.
struct pass_done {
  std::uint64_t pass = 0;
};

} // namespace say

using cluster_message
  = std::variant<say::status, say::claims, say::please_take, say::sums,
                 say::differs, say::listing, say::wants, say::pass_done>;

} // namespace vartalap::core
