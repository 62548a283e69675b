#pragma once

#include "storage/data_directory.hpp"
#include "storage/lmdb_access.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace vartalap::storage {

/// Version of everything on disk; an environment of another is refused.
inline constexpr std::uint64_t format_version = 1;

/// Handles of all tables.
struct tables {
  table journal = 0;
  table mailboxes = 0;
  table devices = 0;
  table push = 0;
  table content = 0;
  table content_refs = 0;
  table quarantine = 0;
  table removed = 0;
  table peers = 0;
  table rows = 0;
  table outbox = 0;
  table meta = 0;
};

/// Opens the tables of `txn`.
/// @param create Make those that are missing.
/// @throws std::runtime_error where one is missing and not `create`.
tables open_tables(MDB_txn* txn, bool create);

struct close_env {
  void operator()(MDB_env* env) const noexcept;
};
using env_ptr = std::unique_ptr<MDB_env, close_env>;

/// Opens the environment of another process, or a backup, for reading.
/// @throws std::runtime_error with a text for the operator.
env_ptr open_for_reading(const std::string& directory);

/// How much of the map is used, in bytes.
struct map_usage {
  std::uint64_t used = 0; ///< pages in use; free ones inside do not count
  std::uint64_t size = 0;
};
map_usage usage_of(MDB_env* env);

/// The node's own LMDB environment: opened, checked, identified. One per
/// process and directory. Thread-safe as LMDB is (MDB_NOTLS).
class environment {
public:
  /// Opens or creates it; refuses, untouched, one of another format or node;
  /// counts the incarnation up on disk before it returns.
  /// @throws std::runtime_error with a text for the operator.
  environment(const std::string& directory,
              const core::storage_options& options, const store_hooks& hooks,
              core::log_port& log);

  MDB_env* handle() const noexcept {
    return env_.get();
  }
  const tables& all() const noexcept {
    return tables_;
  }
  const identity& who() const noexcept {
    return identity_;
  }
  const data_directory& directory() const noexcept {
    return directory_;
  }

  /// server_timestamp of the newest message that the last commit before this
  /// start knew of; 0 where there was none.
  std::uint64_t newest_ms() const noexcept {
    return newest_ms_;
  }

  /// Writes commit counter and newest message into `txn`.
  void write_counters(MDB_txn* txn, std::uint64_t commits,
                      std::uint64_t newest_ms) const;

  /// Syncs data and meta pages, whatever the mode.
  void sync() const;

  /// Frees the slots of readers whose process is dead.
  void check_readers() const;

private:
  void open_env(const core::storage_options& options);
  bool discard_unfinished();
  bool is_new() const;
  void create();
  void check_identity();
  void start(core::log_port& log);

  data_directory directory_;
  env_ptr env_;
  tables tables_;
  identity identity_;
  std::uint64_t newest_ms_ = 0;
};

} // namespace vartalap::storage
