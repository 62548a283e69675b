#pragma once

#include "test/integration/rig/server_process.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace vartalap::integration {

/// How the nodes of a cluster know each other.
enum class trust {
  secret,      ///< a file that both share
  certificates ///< of an authority of their own
};

/// With `trust::secret`.
inline constexpr const char* shared_secret = "0123456789abcdef0123456789abcdef";

/// The nodes n1 and n2 of a cluster on loopback, each with a copy of every
/// message; n1 dials n2. Killed and cleaned up at the end.
class node_pair {
public:
  /// Makes the secret or the certificates, starts both, and waits until they
  /// are ready and linked, and homes no longer move.
  /// @throws std::runtime_error where they do not get there.
  explicit node_pair(trust how);
  ~node_pair();
  node_pair(const node_pair&) = delete;
  node_pair& operator=(const node_pair&) = delete;

  /// 0: n1, 1: n2.
  server_process& operator[](std::size_t node) {
    return *nodes_[node];
  }
  /// Where a node waits for the other.
  std::uint16_t peer_port(std::size_t node) const noexcept {
    return peer_ports_[node];
  }
  /// Of cluster.toml; the data of the nodes are in n1 and n2, certificates in
  /// certs.
  const std::string& folder() const noexcept {
    return folder_;
  }

  /// How a node sees the link to the other: `up`, `sessions_total`, …
  double link(std::size_t node, const std::string& metric);

private:
  void make_certificates() const;
  void make_secret() const;

  std::string folder_;
  std::array<std::uint16_t, 2> peer_ports_;
  std::array<std::unique_ptr<server_process>, 2> nodes_;
};

} // namespace vartalap::integration
