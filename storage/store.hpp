#pragma once

#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/mailbox.hpp"
#include "core/mailbox_effects.hpp"
#include "core/options.hpp"
#include "core/ports.hpp"
#include "storage/operations.hpp"
#include "storage/push_store.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace vartalap::storage {

/// What became of one operation.
enum class outcome : std::uint8_t {
  committed,   ///< a put is durable (or as durable as the mode says)
  annihilated, ///< a put met its remove in the queue: never written
  done,        ///< any other operation is through
  failed,      ///< the batch failed: nothing of it is on disk
  full,        ///< no room: over 85 % of the map or too little free disk
  removed,     ///< a put met its tombstone: not stored, it is gone everywhere
};

/// One finished operation, for the mailbox that asked for it.
struct completion {
  std::uint64_t owner = 0;  ///< as given with the operation
  core::server_id serverid; ///< of a put or remove; none for others
  outcome result = outcome::done;
  bool was_put = false;
  std::uint8_t copies = 0; ///< on further nodes; by whoever makes copies
};

/// Where completions go. Called on the writer's thread, once per shard and
/// commit, with everything of that shard in the order of its operations.
/// Must not block and must not call the store's blocking functions.
class completion_sink {
public:
  virtual ~completion_sink() = default;
  virtual void completed(unsigned shard, std::vector<completion> batch) = 0;

  /// The writer met an I/O error that is not a full disk: it has stopped
  /// confirming. The process is to end with exit status 70.
  virtual void storage_failed(const std::string& what) = 0;

  /// The expiry sweep has removed these messages of `user` from disk.
  virtual void expired(std::string user, std::vector<core::server_id> ids) = 0;
};

/// A message in short. `acks`: a hash of the devices that have acknowledged
/// it, whatever their order; 0 for none.
struct message_mark {
  std::string user;
  core::server_id serverid;
  std::uint64_t acks = 0;
};

/// A tombstone: of a message, or of a device, erased `at`.
struct removal {
  std::string user;
  core::server_id serverid;
  std::string device;
  core::wall_ms at = 0;
};

/// All that is stored in one bucket.
struct bucket_listing {
  std::vector<message_mark> messages; ///< ascending by user, then serverId
  std::vector<std::pair<std::string, core::device_record>> devices;
  std::vector<removal> removals;
  std::vector<std::string> raised; ///< users with an offline event
};

/// The same in short. `sum` is of messages and devices, whatever their order.
struct bucket_digest {
  std::uint16_t bucket = 0;
  std::uint32_t messages = 0;
  std::uint32_t devices = 0;
  std::uint32_t removals = 0;
  std::uint64_t sum = 0;
};

/// A message with the devices that have acknowledged it.
struct stored_message {
  core::envelope_ptr message;
  std::vector<std::string> acked;
};

/// What was noted of another node (op::note_peer).
struct peer_note {
  std::string node_uuid;
  std::string disk_uuid;
  std::uint64_t commits = 0;
};

struct request {
  unsigned shard = 0;
  std::uint64_t owner = 0;
  operation what;
};

/// For /readyz and metrics; any thread.
struct store_status {
  bool accepting = true;      ///< false: full, new messages are refused
  bool failed = false;        ///< stopped after an I/O error
  bool expiry_paused = false; ///< the clock guard waits for an operator
  std::uint64_t journal_records = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t settled_records = 0;
  std::uint64_t queue = 0; ///< operations waiting
  std::uint64_t commits = 0;
  std::uint64_t appended = 0; ///< journal records ever written
  std::uint64_t annihilated = 0;
  std::uint64_t settled = 0; ///< moved from journal to mailboxes
  std::uint64_t quarantined = 0;
  std::uint64_t expired = 0;
  std::uint64_t removals = 0; ///< tombstones
  std::uint64_t map_used_bytes = 0;
  std::uint64_t map_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
};

/// Who this node is, on disk.
struct identity {
  std::string node_uuid;         ///< 32 hex digits
  std::string disk_uuid;         ///< 32 hex digits; new after a restore
  std::uint32_t incarnation = 0; ///< +1 at each start
  std::uint32_t node_number = 0; ///< 32 bits of the uuid: low part of serverIds
  std::uint64_t commits = 0;
  std::uint64_t newest_ms = 0; ///< greatest clock of a message stored so far
};

/// The durable side of a node: one LMDB environment with journal, mailboxes,
/// devices, and one writer thread that group-commits.
///
/// Threads: `submit`, `status` from any thread, never blocking on the disk;
/// reads (`snapshot`, `fetch`) block on the disk: from worker threads only.
class store {
public:
  /// Opens or creates the environment in `directory`, rebuilds the journal's
  /// index, starts the writer.
  /// @throws std::runtime_error with a text for the operator (what is wrong,
  ///         where, how to mend it): unusable directory, unknown format,
  ///         another process has it open, a file system that cannot carry it.
  static std::unique_ptr<store>
  open(const std::string& directory, const core::storage_options& options,
       core::milliseconds ttl, unsigned shards, completion_sink& sink,
       core::log_port& log);

  virtual ~store() = default;

  /// Queues operations; they are committed in this order with whatever else
  /// waits, and completions follow. Never blocks, never fails: refusals come
  /// as completions.
  virtual void submit(std::vector<request> batch) = 0;

  /// Everything known of a user. Blocks on the disk.
  /// @throws std::runtime_error on an I/O error.
  virtual core::mailbox_snapshot snapshot(std::string_view user) = 0;

  /// The stored messages with these ids, ascending; damaged ones are left
  /// out (quarantined and counted). Blocks on the disk.
  virtual std::vector<core::envelope_ptr>
  fetch(std::string_view user, std::span<const core::server_id> serverids) = 0;

  /// As `fetch`, with who has acknowledged them: for copies on other nodes.
  virtual std::vector<stored_message>
  fetch_stored(std::string_view user,
               std::span<const core::server_id> serverids)
    = 0;

  /// What the buckets [first, first + count) hold; empty ones are left out.
  /// Blocks on the disk; reads every record there.
  virtual std::vector<bucket_digest>
  digests(std::uint16_t first, std::uint32_t count) = 0;

  /// All that a bucket holds. Blocks on the disk.
  virtual bucket_listing list_bucket(std::uint16_t bucket) = 0;

  /// Rows of a user, ascending by name; damaged ones left out. Blocks.
  virtual std::vector<row> rows(std::string_view user, row_kind kind) = 0;

  /// The other nodes as they were last noted.
  virtual std::vector<peer_note> peers() = 0;

  /// The member list as last noted; empty where none was, or it is damaged.
  virtual std::string members() = 0;

  /// Raised offline events on from `from` (empty: all), of at most `limit`
  /// records. Damaged ones count as new. Blocks on the disk.
  virtual push_page list_pushes(const std::string& from, std::size_t limit) = 0;

  /// Mailboxes of groups that hold what is not yet with all members: a page
  /// on from `from` (empty: the first), of at most `limit`. Blocks on the disk.
  virtual std::vector<std::string>
  outgoing(const std::string& from, std::size_t limit) = 0;

  virtual identity who() const = 0;
  virtual store_status status() const = 0;

  /// An operator confirmed the clock: expiry goes on.
  virtual void resume_expiry() = 0;

  /// Commits what waits, syncs, stops the writer. Idempotent. Later submits
  /// are answered as `failed`.
  virtual void close() = 0;
};

/// Copies a consistent, compacted snapshot of the environment in `directory`
/// to the new directory `target`; may run while a node uses it.
/// @throws std::runtime_error with a text for the operator.
void backup(const std::string& directory, const std::string& target);

/// What `verify` found.
struct verify_report {
  std::uint64_t journal_records = 0;
  std::uint64_t mailbox_records = 0;
  std::uint64_t mailboxes = 0;
  std::uint64_t devices = 0;
  std::vector<std::string> problems; ///< one line each, at most 1000
  std::uint64_t damaged = 0;
};

/// Reads every record of the environment in `directory` and checks it.
/// Changes nothing.
/// @throws std::runtime_error where it cannot be opened at all.
verify_report verify(const std::string& directory);

} // namespace vartalap::storage
