#pragma once

#include "core/cluster_answer.hpp"
#include "core/cluster_context.hpp"
#include "core/cluster_leftovers.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

namespace vartalap::core {

/// Offers one peer what is held here and concerns it. Of a slice of buckets
/// the sums go out, the peer says which differ, of these the listings go out,
/// the peer says what it lacks, that is copied; then the next slice. Buckets
/// with tombstones or foreign things are listed at once: each of their
/// contents has to be confirmed. Single buckets (`offer`) are listed between.
/// Passes are idempotent; a lost link cuts them off (`cut`).
class cluster_pass {
public:
  explicit cluster_pass(node_index peer) : peer_(peer) {
  }

  /// A pass over everything is due.
  void offer_all();

  /// One bucket is to be offered.
  void offer(bucket_id bucket);

  /// The link is lost: nothing is under way or due any more.
  void cut();

  /// Starts what may be started.
  /// @returns True where a pass over everything has just ended.
  bool step(cluster_context& with, mono_time now);

  bool is_idle() const noexcept {
    return !due_ && !scanning_ && queued_.empty() && under_way_.empty();
  }

  /// Messages that the peer is known to lack.
  std::uint64_t to_copy() const noexcept {
    return to_copy_;
  }

  void sums_read(cluster_context& with, bucket_id first,
                 const std::vector<say::bucket_sum>& sums,
                 const std::vector<bucket_id>& with_removals);
  void differs(std::uint32_t slice, const say::differs& answer);
  void bucket_read(cluster_context& with, bucket_id bucket,
                   say::listing content);
  void wants(cluster_context& with, const say::wants& answer);

  /// An answer to `copy` or `apply` for the bucket.
  /// @returns Null, or what the peer has confirmed now; valid until the next
  ///          call.
  const say::listing* done(bucket_id bucket, bool ok);

  /// Whether the listing that `done` returned last was `clean`
  /// (`cluster_leftovers::confirmed`).
  bool was_clean() const noexcept {
    return last_.clean;
  }

  /// As `done`, where `wants` left nothing to be done.
  const say::listing* finished(bucket_id bucket);

private:
  struct listing_under_way {
    say::listing content;
    unsigned answers = 0;      ///< of the port, that are outstanding
    std::uint64_t missing = 0; ///< messages that are being copied
    bool told = false;         ///< the peer has answered
    bool ok = true;
    bool clean = true;
    bool again = false; ///< was to be offered again meanwhile
  };

  bool end_scan(cluster_context& with, mono_time now);

  node_index peer_;
  std::uint64_t number_ = 0;
  bool due_ = false; ///< a pass over everything
  bool scanning_ = false;
  bool slice_busy_ = false; ///< its sums are under way
  bool failed_ = false;     ///< something could not be copied
  std::uint32_t next_ = 0;  ///< first bucket of the slice
  mono_time not_before_{};
  milliseconds wait_{0}; ///< before the next try, grows with each that failed
  std::deque<bucket_id> queue_;
  std::set<bucket_id> queued_;
  std::map<bucket_id, listing_under_way> under_way_;
  std::uint64_t to_copy_ = 0;
  listing_under_way last_;
};

} // namespace vartalap::core
