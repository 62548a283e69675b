#pragma once

#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>

namespace vartalap::storage {

/// Decides how many journal records a commit may settle: little while
/// confirmations wait, more when idle, and enough to keep the journal below
/// its bound where it has reached that. Pure; belongs to the writer's thread.
class settle_pace {
public:
  /// @param after Age at which a record is due.
  /// @param journal_bytes The journal's bound.
  settle_pace(core::milliseconds after, std::uint64_t journal_bytes);

  /// Records up to `last` have been appended.
  void appended(std::uint64_t last, core::mono_time now);

  struct share {
    std::size_t records = 0; ///< at most so many, 0: none are due
    std::uint64_t upto = 0;  ///< with sequences up to this
  };

  /// The part of the next commit.
  /// @param waiting How many operations wait for that commit.
  /// @param puts How many of them add to the journal.
  share next(std::size_t waiting, std::size_t puts, std::uint64_t journal_bytes,
             core::mono_time now);

  /// What became of it: `records` left the journal in `took`.
  void settled(const share& asked, std::size_t records,
               core::microseconds took);

  /// When `next` will have something.
  core::mono_time due() const noexcept;

private:
  struct mark {
    core::mono_time since;
    std::uint64_t last;
  };

  core::microseconds after_;
  std::uint64_t journal_bytes_max_;
  std::deque<mark> marks_; ///< by age; one a hundredth of `after`
  std::uint64_t last_ = 0;
  std::uint64_t due_upto_ = 0;
  std::uint64_t done_upto_ = 0; ///< nothing at or below is left to settle
  unsigned idle_ = 0;           ///< commits in a row that nobody waited for
  double cost_us_ = 40;         ///< of one record, smoothed
};

} // namespace vartalap::storage
