#pragma once

#include "core/options.hpp"
#include "core/ports.hpp"
#include "net/client_info.hpp"
#include "net/networks.hpp"
#include "net/shard.hpp"
#include "net/tls_context.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace vartalap::net {

class session;

/// What sessions turn to: who serves open WebSockets and plain requests.
class gateway {
public:
  /// False: upgrades are refused, `websocket_opened` is never called.
  virtual bool serves_websockets() const noexcept {
    return true;
  }

  /// The shard on which this client's WebSocket is to live; `accepted` is the
  /// one that has read its request. Any shard's thread.
  virtual shard& home_of(const client_info&, shard& accepted) {
    return accepted;
  }

  /// A WebSocket is open. Call `set_events` before returning.
  virtual void
  websocket_opened(const std::shared_ptr<session>& opened, client_info client)
    = 0;

  /// A plain request; `reply` once, on this shard's thread.
  virtual void
  http(std::shared_ptr<http_request> request, shard& home, http_reply reply)
    = 0;

protected:
  ~gateway() = default;
};

/// The close codes that are counted each. Any other counts as the first.
inline constexpr std::array<unsigned, 13> counted_close_codes{
  0, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1013, 4001, 4008, 4009, 4029};

/// What a listener and its sessions have counted; any thread.
struct listener_counters {
  std::atomic<std::uint64_t> connections{0}; ///< now
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> upgraded{0};
  std::atomic<std::uint64_t> refused_address{0};
  std::atomic<std::uint64_t> refused_total{0};
  std::atomic<std::uint64_t> out_of_files{0};
  std::atomic<std::uint64_t> frames_in{0};
  std::atomic<std::uint64_t> frames_out{0};
  std::atomic<std::uint64_t> http_requests{0};
  std::atomic<std::uint64_t> slow_consumers{0};
  std::atomic<std::uint64_t> floods{0};
  std::atomic<std::uint64_t> timeouts{0};
  /// WebSockets that ended, in the order of `counted_close_codes`.
  std::array<std::atomic<std::uint64_t>, counted_close_codes.size()> closed{};

  void count_closed(unsigned code) noexcept;
};

/// A client port: accepts on the first shard and spreads the connections over
/// all of them, within the limits on connections in all and per address.
class listener final : public ready_handler, private timer_node {
public:
  /// Binds and listens; call `start` to accept.
  /// @param address "127.0.0.1:8080" or "[::1]:8080"; port 0 takes a free one.
  /// @param tls Null: in the clear. Must outlive the listener.
  /// @throws std::runtime_error that names the address and the mend.
  listener(std::vector<shard*> shards, const std::string& address,
           const core::limit_options& limits, const core::auth_options& auth,
           authenticator& who, gateway& to, core::log_port& log,
           tls_context* tls = nullptr);
  ~listener() override;

  /// Begins to accept. Any thread.
  void start();

  /// Stops accepting; sessions go on. Any thread.
  void stop();

  /// "127.0.0.1:8080", with the port that was really taken.
  std::string address() const;
  std::uint16_t port() const noexcept {
    return port_;
  }

  const core::limit_options& limits() const noexcept {
    return limits_;
  }
  const core::auth_options& auth() const noexcept {
    return auth_;
  }
  authenticator& who() noexcept {
    return who_;
  }
  gateway& to() noexcept {
    return to_;
  }
  listener_counters& counters() noexcept {
    return counters_;
  }

  /// Counts a connection of this address; false if it has too many. Any
  /// thread. `released` gives the place back.
  bool admit(const std::string& remote);
  void released(const std::string& remote);

  /// `limits.trusted_proxies`.
  const networks& proxies() const noexcept {
    return proxies_;
  }
  bool is_trusted_proxy(const std::string& remote) const {
    return proxies_.contain(remote);
  }

private:
  void on_ready(std::uint32_t events) override;
  void on_timer(core::mono_time now) override;
  void accept_some();
  void take(int fd, std::string remote);

  std::vector<shard*> shards_;
  const core::limit_options& limits_;
  const core::auth_options& auth_;
  authenticator& who_;
  gateway& to_;
  core::log_port& log_;
  tls_context* tls_;
  networks proxies_;
  std::string host_;
  std::uint16_t port_ = 0;
  std::size_t connections_max_ = 0;
  int fd_ = -1;
  int reserve_fd_ = -1; ///< given up to answer when files run out
  std::size_t next_shard_ = 0;
  std::mutex addresses_mutex_;
  std::unordered_map<std::string, std::size_t> addresses_;
  listener_counters counters_;
};

} // namespace vartalap::net
