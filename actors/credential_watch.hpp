#pragma once

#include "core/units.hpp"
#include "net/client_info.hpp"
#include "net/session.hpp"
#include "net/timer_wheel.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace vartalap::actors {

class shard_context;

/// The open WebSockets of access keys, to close them when a key ends. One per
/// node; any thread.
class live_keys {
public:
  /// One whose key has just ended is closed at once.
  /// @param key Its hash. @returns What `remove` takes.
  std::uint64_t add(const std::string& key,
                    const std::shared_ptr<net::session>& session);
  void remove(const std::string& key, std::uint64_t which);

  /// Closes what was opened with this key, with 4001.
  void close(const std::string& key);

private:
  struct open_one {
    std::uint64_t number;
    net::shard* home;
    std::weak_ptr<net::session> session;
  };
  std::mutex mutex_;
  bool has_ended(const std::string& key) const;

  std::uint64_t last_ = 0;
  std::unordered_multimap<std::string, open_one> open_;
  std::deque<std::string> ended_; ///< the latest: some may be connecting still
};

/// Closes a WebSocket with 4001 once its credential is over: a token expires,
/// an access key is revoked. Belongs to the session's shard.
class credential_watch final : private net::timer_node {
public:
  /// @returns Null where the credential never ends.
  static std::unique_ptr<credential_watch>
  begin(shard_context& context, const std::shared_ptr<net::session>& session,
        const net::client_info& client);

  credential_watch(shard_context& context,
                   const std::shared_ptr<net::session>& session,
                   const net::client_info& client);
  ~credential_watch() override;

private:
  void on_timer(core::mono_time now) override;

  shard_context& context_;
  std::weak_ptr<net::session> session_;
  std::string key_;
  std::uint64_t number_ = 0;
};

} // namespace vartalap::actors
