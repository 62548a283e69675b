#pragma once

#include "storage/journal_index.hpp"
#include "storage/write_batch.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace vartalap::storage {

/// The journal's index as readers may see it: always together with a read
/// transaction of the same commit, so that a message is found in the journal
/// or in mailboxes, never in both and never in neither.
class published_index {
public:
  explicit published_index(MDB_env* env) : env_(env) {
  }

  /// What one user has in the journal, and a transaction that sees it.
  struct reading {
    txn_ptr txn;
    std::vector<journal_index::entry> entries;
  };

  /// Any thread. Waits where a commit is just being published.
  /// @throws lmdb_error, or std::runtime_error where the writer hangs.
  reading begin(std::string_view user);

  /// The same of all users of the buckets [first, first + count).
  struct range_reading {
    txn_ptr txn;
    std::vector<std::pair<std::string, std::vector<journal_index::entry>>>
      users; ///< in no order
  };
  range_reading begin_range(std::uint16_t first, std::uint32_t count);

  /// The writer, once the transaction of that number is committed.
  void publish(const writer_buffers& buffers, std::uint64_t number);

  /// What `rebuild` has found beside the records.
  struct findings {
    std::vector<std::string> damaged; ///< keys of records that it leaves out
    std::unordered_set<std::string> waiting; ///< users with a MESSAGE
  };

  /// Fills it before anybody reads: the journal as it is on disk.
  findings rebuild(const tables& all, writer_state& state);

  /// The writer's thread only: nobody else changes it.
  const journal_index& raw() const noexcept {
    return index_;
  }

private:
  txn_ptr begin_at_index(std::unique_lock<std::mutex>& lock);

  MDB_env* env_;
  std::mutex mutex_;
  std::condition_variable changed_;
  journal_index index_;
  std::uint64_t number_ = 0;
};

} // namespace vartalap::storage
