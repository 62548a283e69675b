#pragma once

#include "core/cluster_context.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace vartalap::core {

/// What lies here for others: messages and devices of buckets that this node
/// is not to hold (foreign), and tombstones; and who has confirmed them.
///
/// Foreign things are dropped when all holders, and the owner, have confirmed
/// them. Tombstones are forgotten after two rounds on end in each of which
/// every other member has confirmed them and none still held what they are of.
/// A node that still held it, and so may have given it to a third that had
/// confirmed before, remembers the removal itself from then on, and its own
/// rounds reach the third after what it gave. A node that gave it away and
/// dropped it remembers nothing: for its sake there is the second round, which
/// finds it where it went. Nobody else remembers a removal because he hears of
/// it, so tombstones come to an end.
class cluster_leftovers {
public:
  /// What a look at a bucket came to.
  struct verdict {
    std::vector<node_index> offer_to; ///< live nodes
    bool again = false; ///< something was dropped: to be checked again
  };

  /// Looks at a bucket anew.
  /// @param content Our own listing of it.
  /// @param forced To be offered whatever was confirmed before.
  verdict checked(cluster_context& with, bucket_id bucket,
                  const say::listing& content, bool forced);

  /// `peer` has all that the listing says, or knows that it is removed.
  /// @param clean It held nothing that the listing's removals are of.
  /// @returns The bucket is to be checked again.
  bool confirmed(cluster_context& with, node_index peer,
                 const say::listing& content, bool clean);

  /// The peer has lost its disk: what it confirmed does not count.
  void distrust(node_index peer);

  /// Other members, other holders: everything from the beginning.
  void clear();

  bool has_foreign() const noexcept {
    return foreign_buckets_ != 0;
  }

  bool is_foreign(bucket_id bucket) const {
    const auto at = keeps_.find(bucket);
    return at != keeps_.end() && at->second.foreign;
  }

  /// The buckets that were foreign at the last look.
  std::vector<bucket_id> foreign() const;

  /// Messages held for others, as of the last look.
  std::uint64_t foreign_messages() const noexcept;

private:
  /// What a peer has confirmed of a bucket's foreign things.
  struct held {
    std::vector<server_id> messages; ///< ascending
    std::vector<say::device_of> devices;
  };

  struct keep {
    bool foreign = false;
    say::listing content; ///< of a foreign bucket, at the last look
    std::map<node_index, held> by;
    std::vector<say::removal> round; ///< removals that are being confirmed
    std::set<node_index> told;       ///< who has confirmed them
    bool clean = true;               ///< … and held nothing of it
    std::vector<say::removal> clean_before; ///< the last round, was it clean
  };

  static bool has_all(const keep& of, node_index node);
  static bool drop_confirmed(cluster_context& with, const keep& of);
  static bool end_round(cluster_context& with, keep& of);
  void set_foreign(keep& of, bool foreign);

  std::map<bucket_id, keep> keeps_;
  std::size_t foreign_buckets_ = 0;
};

} // namespace vartalap::core
