#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::core {

/// A node as its place in the member list, sorted by name.
using node_index = std::uint16_t;
inline constexpr node_index no_node = 0xffff;

/// Users and groups are placed by bucket (`bucket_of`).
inline constexpr std::size_t bucket_count = 65'536;
using bucket_id = std::uint16_t;

/// Which nodes stand in line for each bucket: the first is its home, the next
/// `replicas` are its backups, the others follow where those are down.
///
/// Rendezvous hashing (Thaler, Ravishankar 1998): each node's score for a
/// bucket is a hash of both, the line is the order of the scores. So a node
/// that comes or goes moves only the buckets in whose line it comes or goes.
/// Immutable; any thread.
class placement {
public:
  /// Nodes of a line that are kept; nobody needs those behind.
  static constexpr std::size_t line_max = 8;

  /// @param members Names, in any order, each once; at least one, at most
  ///                60,000.
  /// @param buckets How many buckets there are, 1 to `bucket_count`; fewer
  ///                make a simulation cheap.
  explicit placement(std::vector<std::string> members,
                     std::size_t buckets = bucket_count);

  std::size_t buckets() const noexcept {
    return buckets_;
  }

  /// Sorted by name: a node_index is a position here.
  const std::vector<std::string>& members() const noexcept {
    return members_;
  }

  /// @returns `no_node` for a name that is no member.
  node_index find(std::string_view name) const noexcept;

  /// Best first; min(members, line_max) of them.
  std::span<const node_index> line(bucket_id bucket) const noexcept;

  /// The first 1 + replicas of the line.
  std::span<const node_index> holders(bucket_id bucket,
                                      unsigned replicas) const noexcept;

  /// The node's place in the bucket's line; `line_max` where it is not in it.
  std::size_t rank(bucket_id bucket, node_index node) const noexcept;

  /// A hash over the names: nodes link up only where it is the same.
  std::uint64_t hash() const noexcept {
    return hash_;
  }

private:
  std::vector<std::string> members_;
  std::size_t buckets_ = 0;
  std::size_t width_ = 0;
  std::vector<node_index> lines_; ///< width_ for each bucket
  std::uint64_t hash_ = 0;
};

} // namespace vartalap::core
