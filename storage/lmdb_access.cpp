#include "storage/lmdb_access.hpp"

#include <lmdb.h>

#include <cerrno>

namespace vartalap::storage {

namespace {

void check(int code, const char* doing) {
  if (code != MDB_SUCCESS)
    throw lmdb_error{code, doing};
}

// LMDB takes mutable pointers but does not write through them.
MDB_val to_val(std::string_view bytes) noexcept {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view to_view(const MDB_val& val) noexcept {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

} // namespace

lmdb_error::lmdb_error(int code, const std::string& doing)
  : std::runtime_error(doing + ": " + mdb_strerror(code)), code_(code) {
}

bool lmdb_error::no_room() const noexcept {
  return code_ == MDB_MAP_FULL || code_ == ENOSPC || code_ == EDQUOT;
}

void abort_txn::operator()(MDB_txn* txn) const noexcept {
  mdb_txn_abort(txn);
}

txn_ptr begin_write(MDB_env* env) {
  MDB_txn* txn = nullptr;
  check(mdb_txn_begin(env, nullptr, 0, &txn), "begin a write transaction");
  return txn_ptr{txn};
}

txn_ptr begin_read(MDB_env* env) {
  MDB_txn* txn = nullptr;
  check(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn),
        "begin a read transaction");
  return txn_ptr{txn};
}

void commit(txn_ptr txn) {
  // A failed commit has aborted already: the pointer is gone either way.
  check(mdb_txn_commit(txn.release()), "commit");
}

std::uint64_t txn_id(MDB_txn* txn) noexcept {
  return mdb_txn_id(txn);
}

std::uint64_t last_txn_id(MDB_env* env) {
  MDB_envinfo info{};
  check(mdb_env_info(env, &info), "ask for the environment's state");
  return info.me_last_txnid;
}

std::optional<table> open_table(MDB_txn* txn, const char* name, bool create) {
  MDB_dbi dbi = 0;
  const auto code = mdb_dbi_open(txn, name, create ? MDB_CREATE : 0U, &dbi);
  if (code == MDB_NOTFOUND)
    return std::nullopt;
  check(code, "open a table");
  return dbi;
}

std::optional<std::string_view> get(MDB_txn* txn, table where,
                                    std::string_view key) {
  auto k = to_val(key);
  MDB_val v{};
  const auto code = mdb_get(txn, where, &k, &v);
  if (code == MDB_NOTFOUND)
    return std::nullopt;
  check(code, "read a record");
  return to_view(v);
}

void put(MDB_txn* txn, table where, std::string_view key,
         std::string_view value) {
  auto k = to_val(key);
  auto v = to_val(value);
  check(mdb_put(txn, where, &k, &v, 0), "write a record");
}

void append(MDB_txn* txn, table where, std::string_view key,
            std::string_view value) {
  auto k = to_val(key);
  auto v = to_val(value);
  check(mdb_put(txn, where, &k, &v, MDB_APPEND), "append a record");
}

bool erase(MDB_txn* txn, table where, std::string_view key) {
  auto k = to_val(key);
  const auto code = mdb_del(txn, where, &k, nullptr);
  if (code == MDB_NOTFOUND)
    return false;
  check(code, "delete a record");
  return true;
}

std::uint64_t record_count(MDB_txn* txn, table where) {
  MDB_stat stat{};
  check(mdb_stat(txn, where, &stat), "count a table");
  return stat.ms_entries;
}

std::uint64_t table_bytes(MDB_txn* txn, table where) {
  MDB_stat stat{};
  check(mdb_stat(txn, where, &stat), "measure a table");
  return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages)
         * stat.ms_psize;
}

cursor::cursor(MDB_txn* txn, table where) {
  check(mdb_cursor_open(txn, where, &cursor_), "open a cursor");
}

cursor::~cursor() {
  mdb_cursor_close(cursor_);
}

bool cursor::move(int operation, std::string_view key) {
  auto k = to_val(key);
  MDB_val v{};
  const auto code
    = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(operation));
  if (code == MDB_NOTFOUND)
    return false;
  check(code, "move a cursor");
  key_ = to_view(k);
  value_ = to_view(v);
  return true;
}

bool cursor::first() {
  return move(MDB_FIRST, {});
}

bool cursor::last() {
  return move(MDB_LAST, {});
}

bool cursor::next() {
  return move(MDB_NEXT, {});
}

bool cursor::seek(std::string_view key) {
  return move(MDB_SET_RANGE, key);
}

bool cursor::find(std::string_view key) {
  return move(MDB_SET_KEY, key);
}

bool cursor::insert(std::string_view key, std::string_view value) {
  auto k = to_val(key);
  auto v = to_val(value);
  const auto code = mdb_cursor_put(cursor_, &k, &v, MDB_NOOVERWRITE);
  if (code == MDB_KEYEXIST)
    return false;
  check(code, "insert a record");
  return true;
}

void cursor::erase() {
  check(mdb_cursor_del(cursor_, 0), "delete a record");
}

} // namespace vartalap::storage
