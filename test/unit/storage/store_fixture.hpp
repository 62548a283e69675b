#pragma once

#include "storage/lmdb_store.hpp"
#include "storage/store.hpp"
#include "storage/store_hooks.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vartalap::test {

/// A directory of its own under the build folder, gone with the object.
class temporary_directory {
public:
  temporary_directory();
  ~temporary_directory();
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::string& path() const noexcept {
    return path_;
  }
  /// A directory in it that does not exist yet.
  std::string data() const {
    return path_ + "/data";
  }

private:
  std::string path_;
};

/// Keeps what the store logs.
class recorded_log final : public core::log_port {
public:
  bool enabled(core::log_level level) const noexcept override;
  void write(core::log_level level, std::string_view component,
             std::string_view text) override;
  bool contains(std::string_view part) const;

private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// Keeps completions; tests wait for them.
class recorded_sink final : public storage::completion_sink {
public:
  void completed(unsigned shard,
                 std::vector<storage::completion> batch) override;
  void storage_failed(const std::string& what) override;
  void expired(std::string user, std::vector<core::server_id> ids) override;

  /// Waits until so many operations in all are complete (at most a minute).
  void wait_for(std::size_t completions);
  /// Waits until `condition`, which may use the members below, holds.
  void wait_until(const std::function<bool()>& condition);
  /// Results of the puts of a message, in order.
  std::vector<storage::outcome> of(core::server_id id);
  std::size_t count(storage::outcome result);

  std::vector<storage::completion> all;
  std::map<unsigned, std::size_t> per_shard;
  std::size_t failures = 0;
  std::map<std::string, std::vector<core::server_id>> expirations;
  /// Called on the writer's thread before anything is kept.
  std::function<void()> on_completed;

private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// A store in a directory of its own, with a small map and nothing that
/// settles or sweeps unless a test says so.
struct store_fixture {
  store_fixture();

  void open();
  void reopen();
  void put(const core::envelope_ptr& message,
           std::vector<std::string> acked = {}, bool raise = false);
  /// Submits and waits for the completion.
  void run(std::vector<storage::operation> operations);
  /// Waits until the journal is empty, or so many records are left.
  void wait_for_journal(std::uint64_t records);
  std::vector<core::server_id> pending(std::string_view user);
  /// Users with an offline event that nobody is done with.
  std::vector<std::string> raised();

  temporary_directory directory;
  recorded_log log;
  recorded_sink sink;
  core::storage_options options;
  core::milliseconds ttl{30LL * 24 * 3600 * 1000};
  storage::store_hooks hooks;
  std::unique_ptr<storage::store> store;
  std::size_t asked = 0; ///< operations submitted
};

/// Holds the writer at its next completion until released, so that what is
/// submitted meanwhile meets in the queue.
class held_writer {
public:
  explicit held_writer(store_fixture& on);
  /// As owner 0 and shard 0.
  void submit(std::vector<storage::operation> operations);
  void submit(std::vector<storage::request> batch);
  /// Lets the writer go on and waits for everything.
  void release();

private:
  struct gate {
    bool reached = false; ///< the writer's
    std::promise<void> closed;
    std::promise<void> opened;
  };

  store_fixture& fixture_;
  std::shared_ptr<gate> gate_;
};

/// Milliseconds since the epoch.
core::wall_ms wall_now();

/// The n-th message of this process to `user`; content of that many bytes.
core::envelope_ptr make_message(const std::string& user, unsigned n,
                                std::size_t content_bytes = 100,
                                core::wall_ms at = 0);

} // namespace vartalap::test
