#pragma once

#include "storage/environment.hpp"
#include "storage/journal_index.hpp"
#include "storage/lmdb_access.hpp"
#include "storage/operation_queue.hpp"
#include "storage/record_format.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::storage {

/// Tables that hold checked records, as numbered in `quarantine`.
enum class place : unsigned {
  journal = 1,
  mailboxes = 2,
  devices = 3,
  removed = 4
};

/// What the writer knows from commit to commit. A batch starts with a copy;
/// it counts only once the batch is committed.
struct writer_state {
  std::uint64_t next_sequence = 1;
  std::uint64_t newest_ms = 0; ///< greatest `born` of all messages seen
  core::server_id horizon;     ///< at or below: may lie in mailboxes
  std::uint64_t commits = 0;
  std::uint64_t appended = 0;
  std::uint64_t annihilated = 0;
  std::uint64_t settled = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t expired = 0;
};

/// Buffers that keep their memory from batch to batch.
struct writer_buffers {
  struct moved {
    std::size_t key_at = 0; ///< in `arena`; the value follows the key
    std::size_t key_size = 0;
    std::size_t value_size = 0;
    std::uint64_t sequence = 0;
    core::server_id serverid;
  };
  struct index_change {
    std::size_t user_at = 0;   ///< in `users`
    std::size_t user_size = 0; ///< 0: erase whoever has `sequence`
    core::server_id serverid;
    std::uint64_t sequence = 0; ///< 0: erase
  };
  std::string value;
  std::string arena;
  std::string users;
  std::vector<moved> moves;
  std::vector<index_change> changes;
};

/// One write transaction: carries out operations, settling and expiry, and
/// remembers what the in-memory index must learn once it is committed.
/// Belongs to the writer's thread. Every function throws `lmdb_error`; the
/// batch is then to be dropped, which aborts it.
class write_batch {
public:
  /// @param buffers Emptied; must not serve another batch meanwhile.
  write_batch(const environment& env, const journal_index& index,
              const writer_state& state, writer_buffers& buffers);

  /// Carries out one operation; idempotent. A put that its tombstone stops
  /// gets the fate `removed`.
  void apply(queued& what);

  /// Moves the oldest journal records, at most so many and none above
  /// `upto`, to mailboxes in the order of keys. Those born before `expiry`
  /// are removed instead.
  /// @returns How many left the journal.
  std::size_t settle(std::size_t records, std::uint64_t upto,
                     core::wall_ms expiry);

  /// Walks mailboxes on from `from`, at most so many records, and removes
  /// those born before `expiry` as well as damaged ones.
  /// @returns Where to go on; empty at the end of the table.
  std::string sweep(const std::string& from, std::size_t records,
                    core::wall_ms expiry);

  /// Walks tombstones on from `from`, at most so many, and drops those from
  /// before `expiry`, by when the messages have expired everywhere, as well as
  /// damaged ones.
  /// @returns Where to go on; empty at the end of the table.
  std::string sweep_removals(const std::string& from, std::size_t records,
                             core::wall_ms expiry);

  /// Removes expired records from the front of the journal.
  void sweep_journal(std::size_t records, core::wall_ms expiry);

  /// Copies the record to quarantine and removes it, if it is damaged or its
  /// content is.
  void quarantine(place where, std::string_view key);

  /// Makes it durable (as the mode says).
  /// @returns False where there was nothing to write.
  bool commit();

  /// Number of the transaction, for readers to compare with theirs.
  std::uint64_t number() const noexcept {
    return number_;
  }

  /// After `commit`: what it has become.
  const writer_state& state() const noexcept {
    return state_;
  }
  /// user → ids that expiry has removed.
  const std::map<std::string, std::vector<core::server_id>>&
  expired() const noexcept {
    return expired_;
  }
  /// Texts for the log, one a damaged record.
  const std::vector<std::string>& damages() const noexcept {
    return damages_;
  }
  /// Counts as of this transaction.
  struct counts {
    std::uint64_t journal_records = 0;
    std::uint64_t journal_bytes = 0;
    std::uint64_t settled_records = 0;
    std::uint64_t removals = 0;
  };
  const counts& sizes() const noexcept {
    return counts_;
  }

  /// Stores the user's offline event where none is.
  void raise_offline_once(std::string_view user);

private:
  void carry_out(const op::put& what);
  void carry_out(const op::remove& what);
  void carry_out(const op::ack& what);
  void carry_out(const op::put_device& what);
  void carry_out(const op::erase_device& what);
  void carry_out(const op::clear_offline& what);
  void carry_out(const op::merge_device& what);
  void carry_out(const op::forget& what);
  void carry_out(const op::barrier& what);
  void carry_out(const op::note_peer& what);
  void carry_out(const op::note_members& what);
  void carry_out(const op::drop_device& what);
  void carry_out(const op::note_push& what);
  void carry_out(const op::put_row& what);
  void carry_out(const op::erase_row& what);

  /// A user with a name that no key can hold never gets this far in a node; a
  /// caller's mistake must not stop everybody's storage.
  static bool is_storable(std::string_view user,
                          std::string_view device = {}) noexcept;
  void raise_offline(std::string_view user);
  void note_outgoing(const op::put& what);
  void forget_outgoing(std::string_view user, core::server_id id);
  void remember(std::string_view key, core::wall_ms at);
  std::optional<core::wall_ms> removed_at(std::string_view key) const;
  void write_device(std::string_view user, const core::device_record& record);
  bool update_acks(place where, std::string_view key,
                   std::span<const std::string> devices);
  bool may_be_stored(std::string_view user, core::server_id id) const;
  bool remove_record(place where, std::string_view key);
  bool remove_message(std::string_view user, core::server_id id);
  void move_in(const writer_buffers::moved& item);
  void expire(place where, std::string_view key);
  bool share_content(std::string_view content, content_key& key);
  void release_content(std::string_view key);
  void note_erased(std::string_view user, core::server_id id);
  bool is_sound(place where, std::string_view key, std::string_view value);
  table table_of(place where) const noexcept;

  const environment& env_;
  const journal_index& index_;
  const tables& tables_;
  writer_state state_;
  writer_buffers& buffers_;
  txn_ptr txn_;
  std::uint64_t number_ = 0;
  counts counts_;
  bool dirty_ = false;
  bool any_removals_ = false; ///< there may be tombstones
  std::map<std::string, std::vector<core::server_id>> expired_;
  std::vector<std::string> damages_;
};

/// The bytes of `content` as stored under `key`, checked.
/// @returns Nothing where it is missing or damaged.
std::optional<std::string_view> read_content(MDB_txn* txn, const tables& all,
                                             std::string_view key);

/// The member list as noted, empty where none was.
/// @returns Nothing where it is damaged.
std::optional<std::string_view> read_members(MDB_txn* txn, const tables& all);

} // namespace vartalap::storage
