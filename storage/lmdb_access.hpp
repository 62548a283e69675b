#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

// lmdb.h stays in the sources: these names are all that headers need.
struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace vartalap::storage {

/// Handle of a named database.
using table = unsigned int;

/// A table that a folder of an earlier release does not have.
inline constexpr table no_table = 0xffffffff;

/// LMDB, or the system under it, refused something. Does not leave this
/// folder other than as the std::runtime_error that it is.
class lmdb_error : public std::runtime_error {
public:
  lmdb_error(int code, const std::string& doing);

  /// MDB_… (negative) or errno (positive).
  int code() const noexcept {
    return code_;
  }

  /// True where room has run out: the map is full or the disk is.
  bool no_room() const noexcept;

private:
  int code_;
};

struct abort_txn {
  void operator()(MDB_txn* txn) const noexcept;
};
/// A transaction; aborted unless `commit` took it.
using txn_ptr = std::unique_ptr<MDB_txn, abort_txn>;

/// All functions below throw `lmdb_error` on anything unexpected.
txn_ptr begin_write(MDB_env* env);
txn_ptr begin_read(MDB_env* env);
void commit(txn_ptr txn);

/// Number of the transaction that a reader sees, or that a writer is.
std::uint64_t txn_id(MDB_txn* txn) noexcept;

/// Number of the last transaction that was committed.
std::uint64_t last_txn_id(MDB_env* env);

/// Opens a named database, creating it where `create`.
/// @returns Nothing where it does not exist.
std::optional<table> open_table(MDB_txn* txn, const char* name, bool create);

/// The value stays valid until the transaction changes something or ends.
std::optional<std::string_view> get(MDB_txn* txn, table where,
                                    std::string_view key);
void put(MDB_txn* txn, table where, std::string_view key,
         std::string_view value);
/// Adds a record whose key is above all others of the table.
void append(MDB_txn* txn, table where, std::string_view key,
            std::string_view value);
/// @returns False where it was not there.
bool erase(MDB_txn* txn, table where, std::string_view key);

std::uint64_t record_count(MDB_txn* txn, table where);
/// Bytes of the pages that a table occupies.
std::uint64_t table_bytes(MDB_txn* txn, table where);

/// A position in a table. Must end before its transaction.
class cursor {
public:
  cursor(MDB_txn* txn, table where);
  ~cursor();
  cursor(const cursor&) = delete;
  cursor& operator=(const cursor&) = delete;

  /// Each moves and tells whether there is a record.
  bool first();
  bool last();
  bool next();
  /// To the first key that is not less.
  bool seek(std::string_view key);
  /// To exactly this key.
  bool find(std::string_view key);

  /// Where it stands; valid until the transaction changes something.
  std::string_view key() const noexcept {
    return key_;
  }
  std::string_view value() const noexcept {
    return value_;
  }

  /// @returns False, and writes nothing, where the key exists.
  bool insert(std::string_view key, std::string_view value);
  /// Deletes the current record; `next` then goes to the one after it.
  void erase();

private:
  bool move(int operation, std::string_view key);

  MDB_cursor* cursor_ = nullptr;
  std::string_view key_;
  std::string_view value_;
};

} // namespace vartalap::storage
