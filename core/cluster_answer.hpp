#pragma once

#include "core/cluster_messages.hpp"

#include <vector>

namespace vartalap::core {

/// Of two records of one device: whether `a` is the later. Later seen wins;
/// of equally late ones the one with the later push target, then the one with
/// more cancelled.
bool is_newer(const device_record& a, const device_record& b) noexcept;

/// Whether the removal is of this message, of this device as it was then.
bool removes(const say::removal& removal, const say::message_mark& message);
bool removes(const say::removal& removal, const say::device_of& device);

/// An order of removals; those that are equal in it are the same.
struct removal_order {
  bool operator()(const say::removal& a, const say::removal& b) const noexcept;
};

/// What a node does about a peer's listing of a bucket.
struct listing_answer {
  say::wants wants;                    ///< to be sent when the rest is durable
  std::vector<say::removal> removals;  ///< to be applied here
  std::vector<say::device_of> devices; ///< to be applied here
};

/// Compares a peer's listing with what is held here.
/// @param ours Our own listing of the same bucket.
listing_answer answer_to(const say::listing& theirs, const say::listing& ours);

} // namespace vartalap::core
