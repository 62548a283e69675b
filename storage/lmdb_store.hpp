#pragma once

#include "storage/environment.hpp"
#include "storage/published_index.hpp"
#include "storage/store.hpp"
#include "storage/store_hooks.hpp"
#include "storage/writer.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace vartalap::storage {

/// The store on LMDB: environment, index and writer put together, and the
/// reads.
class lmdb_store final : public store {
public:
  /// As `store::open`, with other surroundings.
  lmdb_store(const std::string& directory, const core::storage_options& options,
             core::milliseconds ttl, unsigned shards, completion_sink& sink,
             core::log_port& log, const store_hooks& hooks);
  ~lmdb_store() override;

  void submit(std::vector<request> batch) override;
  core::mailbox_snapshot snapshot(std::string_view user) override;
  std::vector<core::envelope_ptr>
  fetch(std::string_view user,
        std::span<const core::server_id> serverids) override;
  std::vector<stored_message>
  fetch_stored(std::string_view user,
               std::span<const core::server_id> serverids) override;
  std::vector<bucket_digest> digests(std::uint16_t first,
                                     std::uint32_t count) override;
  bucket_listing list_bucket(std::uint16_t bucket) override;
  std::vector<row> rows(std::string_view user, row_kind kind) override;
  std::vector<peer_note> peers() override;
  std::string members() override;
  push_page list_pushes(const std::string& from, std::size_t limit) override;
  std::vector<std::string> outgoing(const std::string& from,
                                    std::size_t limit) override;
  identity who() const override;
  store_status status() const override;
  void resume_expiry() override;
  void close() override;

private:
  void check_suspect(core::log_port& log);
  void quarantine_found(const std::vector<std::string>& keys,
                        writer_state& state, core::log_port& log);
  /// A crash between storing a message and finding that its recipient is away
  /// must not eat the wake-up: after a start nobody is connected.
  void raise_waiting(const std::unordered_set<std::string>& users,
                     writer_state& state, core::log_port& log);
  void read_devices(MDB_txn* txn, std::string_view user,
                    core::mailbox_snapshot& out);
  std::vector<core::pending_record>
  read_journal(const published_index::reading& reading);
  std::vector<core::pending_record> read_mailbox(MDB_txn* txn,
                                                 std::string_view user);
  stored_message read_message(MDB_txn* txn, place where, std::string_view key);

  // listing.cpp
  template <class Message, class Device>
  void visit_range(const published_index::range_reading& reading,
                   std::uint16_t first, std::uint32_t count,
                   const Message& message, const Device& device);

  environment env_;
  published_index index_;
  std::uint64_t newest_ms_ = 0; ///< at the start
  std::unique_ptr<writer> writer_;
};

} // namespace vartalap::storage
