#include "storage/environment.hpp"

#include "storage/record_format.hpp"

#include <lmdb.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <string_view>

namespace vartalap::storage {

namespace {

constexpr unsigned readers_max = 512;
constexpr std::size_t free_lists_max = 65536;
constexpr off_t unfinished_bytes_max = 256L * 1024;

constexpr std::string_view key_format = "format";
constexpr std::string_view key_node = "node_uuid";
constexpr std::string_view key_disk = "disk_uuid";
constexpr std::string_view key_incarnation = "incarnation";
constexpr std::string_view key_counters = "counters";
constexpr std::string_view key_inode = "inode";

[[noreturn]] void fail(const std::string& directory, int code,
                       const char* doing) {
  throw std::runtime_error{"cannot " + std::string{doing}
                           + " the message store in " + directory + ": "
                           + mdb_strerror(code)};
}

std::string make_uuid() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0)
      != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error{"no random numbers from the system"};
  return core::server_id::from_bytes(bytes.data()).to_hex();
}

std::string inode_of(const std::string& directory) {
  struct stat found {};
  if (::stat((directory + "/data.mdb").c_str(), &found) != 0)
    return {};
  return encode_number(found.st_ino);
}

std::string text_of(MDB_txn* txn, table meta, std::string_view key) {
  const auto value = get(txn, meta, key);
  return value ? std::string{*value} : std::string{};
}

} // namespace

void close_env::operator()(MDB_env* env) const noexcept {
  mdb_env_close(env);
}

tables open_tables(MDB_txn* txn, bool create) {
  const auto open = [&](const char* name) {
    const auto found = open_table(txn, name, create);
    if (!found)
      throw std::runtime_error{std::string{"there is no table `"} + name
                               + "`: not a message store of vartalap"};
    return *found;
  };
  tables out;
  out.meta = open("meta");
  out.journal = open("journal");
  out.mailboxes = open("mailboxes");
  out.devices = open("devices");
  out.push = open("push");
  out.content = open("content");
  out.content_refs = open("content_refs");
  out.quarantine = open("quarantine");
  // Younger than format 1: a folder that no node of a cluster has opened yet
  // lacks them, and a reader does without.
  const auto young = [&](const char* name) {
    const auto found = open_table(txn, name, create);
    return found ? *found : no_table;
  };
  out.removed = young("removed");
  out.peers = young("peers");
  out.rows = young("rows");
  out.outbox = young("outbox");
  return out;
}

env_ptr open_for_reading(const std::string& directory) {
  struct stat found {};
  if (::stat((directory + "/data.mdb").c_str(), &found) != 0)
    throw std::runtime_error{"there is no message store in " + directory};
  MDB_env* raw = nullptr;
  if (const auto code = mdb_env_create(&raw); code != 0)
    fail(directory, code, "open");
  env_ptr env{raw};
  mdb_env_set_maxdbs(raw, 16);
  mdb_env_set_maxreaders(raw, readers_max);
  if (const auto code
      = mdb_env_open(raw, directory.c_str(), MDB_RDONLY | MDB_NOTLS, 0600);
      code != 0)
    fail(directory, code, "open");
  return env;
}

map_usage usage_of(MDB_env* env) {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env, &info);
  mdb_env_stat(env, &stat);
  const std::uint64_t page = stat.ms_psize;
  map_usage out{(info.me_last_pgno + 1) * page, info.me_mapsize};
  // Table 0 lists the free pages: per transaction that freed some, a count
  // and their numbers.
  const auto txn = begin_read(env);
  cursor free_list{txn.get(), 0};
  std::uint64_t free = 0;
  std::size_t lists = 0;
  for (auto more = free_list.first(); more && lists < free_lists_max;
       more = free_list.next(), ++lists)
    free += read_number(free_list.value());
  out.used -= std::min(out.used, free * page);
  return out;
}

environment::environment(const std::string& directory,
                         const core::storage_options& options,
                         const store_hooks& hooks, core::log_port& log)
  : directory_(directory, options, hooks, log) {
  open_env(options);
  check_readers();
  if (is_new())
    create();
  check_identity();
  start(log);
}

void environment::open_env(const core::storage_options& options) {
  const auto& path = directory_.path();
  MDB_env* raw = nullptr;
  if (const auto made = mdb_env_create(&raw); made != 0)
    fail(path, made, "open");
  env_.reset(raw);
  mdb_env_set_maxdbs(raw, 16);
  mdb_env_set_maxreaders(raw, readers_max);
  if (const auto sized = mdb_env_set_mapsize(raw, options.max_bytes);
      sized != 0)
    fail(path, sized, "size the map of");
  // Only these flags: without sync a power cut corrupts, with a writable map
  // a full disk kills.
  unsigned flags = MDB_NOTLS;
  if (options.durability == core::durability_mode::relaxed)
    flags |= MDB_NOMETASYNC;
  const auto code = mdb_env_open(raw, path.c_str(), flags, 0600);
  if (code == MDB_INVALID && discard_unfinished()) {
    open_env(options);
    return;
  }
  if (code != 0)
    fail(path, code, "open");
  MDB_envinfo info{};
  mdb_env_info(raw, &info);
  if (info.me_mapsize > options.max_bytes)
    throw std::runtime_error{
      "storage.max_bytes (" + std::to_string(options.max_bytes)
      + ") is less than what the message store in " + path + " holds ("
      + std::to_string(info.me_mapsize) + " bytes): raise it"};
}

// A power cut during the very first start can leave a data file that is no
// environment yet. Nothing was confirmed before `node` was written.
bool environment::discard_unfinished() {
  env_.reset();
  const auto data = directory_.path() + "/data.mdb";
  struct stat found {};
  if (directory_.has(node_marker) || ::stat(data.c_str(), &found) != 0
      || found.st_size > unfinished_bytes_max)
    return false;
  return std::rename(data.c_str(), (data + ".unfinished").c_str()) == 0;
}

bool environment::is_new() const {
  const auto txn = begin_read(env_.get());
  const auto main = open_table(txn.get(), nullptr, false);
  return record_count(txn.get(), *main) == 0;
}

void environment::create() {
  auto txn = begin_write(env_.get());
  const auto made = open_tables(txn.get(), true);
  put(txn.get(), made.meta, key_format, encode_number(format_version));
  put(txn.get(), made.meta, key_node, make_uuid());
  put(txn.get(), made.meta, key_disk, make_uuid());
  commit(std::move(txn));
  sync();
}

void environment::check_identity() {
  const auto& path = directory_.path();
  auto txn = begin_read(env_.get());
  const auto meta = open_table(txn.get(), "meta", false);
  if (!meta)
    throw std::runtime_error{path
                             + " holds an LMDB environment that is not "
                               "a message store of vartalap"};
  const auto format = read_number(text_of(txn.get(), *meta, key_format));
  if (format != format_version)
    throw std::runtime_error{
      "the message store in " + path + " has format " + std::to_string(format)
      + ", this program reads format " + std::to_string(format_version)
      + ": start the version that wrote it, or choose another directory"};
  tables_ = open_tables(txn.get(), false);
  identity_.node_uuid = text_of(txn.get(), tables_.meta, key_node);
  const auto expected = directory_.read(node_marker);
  if (!expected.empty() && expected != identity_.node_uuid)
    throw std::runtime_error{
      "the message store in " + path + " belongs to node " + identity_.node_uuid
      + ", but the file `node` beside it names " + expected
      + ": somebody has put another node's data.mdb there"};
  // Handles that a read transaction opens last only if it is committed.
  commit(std::move(txn));
  if (tables_.removed != no_table && tables_.peers != no_table
      && tables_.rows != no_table && tables_.outbox != no_table)
    return;
  auto making = begin_write(env_.get());
  tables_ = open_tables(making.get(), true);
  commit(std::move(making));
}

void environment::start(core::log_port& log) {
  auto txn = begin_write(env_.get());
  const auto meta = tables_.meta;
  const auto inode = inode_of(directory_.path());
  const auto known = text_of(txn.get(), meta, key_inode);
  auto disk = text_of(txn.get(), meta, key_disk);
  const auto copied = !known.empty() && known != inode;
  if (copied || directory_.has(restored_marker)) {
    disk = make_uuid();
    put(txn.get(), meta, key_disk, disk);
    log.write(core::log_level::warning, "storage",
              "this message store is a restored or copied one: it goes on "
              "with a new disk uuid, "
                + disk);
  }
  const auto incarnation
    = read_number(text_of(txn.get(), meta, key_incarnation)) + 1;
  put(txn.get(), meta, key_incarnation, encode_number(incarnation));
  put(txn.get(), meta, key_inode, inode);
  const auto counters = text_of(txn.get(), meta, key_counters);
  if (counters.size() == 16) {
    identity_.commits = read_number(counters);
    newest_ms_ = read_number(std::string_view{counters}.substr(8));
  }
  commit(std::move(txn));
  sync();
  directory_.remove(restored_marker);
  if (!directory_.has(node_marker))
    directory_.write(node_marker, identity_.node_uuid);
  directory_.sync();
  identity_.disk_uuid = disk;
  identity_.incarnation = static_cast<std::uint32_t>(incarnation);
  const auto uuid = core::server_id::from_hex(identity_.node_uuid);
  if (!uuid)
    throw std::runtime_error{"the node uuid in " + directory_.path()
                             + " is not 32 hex digits: the store is damaged"};
  identity_.node_number = static_cast<std::uint32_t>(uuid->high >> 32);
}

void environment::write_counters(MDB_txn* txn, std::uint64_t commits,
                                 std::uint64_t newest_ms) const {
  put(txn, tables_.meta, key_counters,
      encode_number(commits) + encode_number(newest_ms));
}

void environment::sync() const {
  if (const auto code = mdb_env_sync(env_.get(), 1); code != 0)
    throw lmdb_error{code, "sync the environment"};
}

void environment::check_readers() const {
  int dead = 0;
  mdb_reader_check(env_.get(), &dead);
}

} // namespace vartalap::storage
