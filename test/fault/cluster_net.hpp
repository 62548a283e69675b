#pragma once

#include "test/fault/cluster_forward.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::fault {

/// A network namespace of this process: it has no name, so it cannot meet that
/// of another run, and ends with the last process and descriptor in it.
/// Whatever runs or opens sockets in it must do so on a thread that is in it.
class net_space {
public:
  /// Makes one with its loopback up.
  /// @throws std::runtime_error where this process may not, with what to do.
  net_space();
  ~net_space();
  net_space(const net_space&) = delete;
  net_space& operator=(const net_space&) = delete;

  /// Puts the calling thread into it, for good.
  void enter() const;

  /// Runs `what` inside, on a thread of the namespace that lives as long as
  /// this object: children started there may be bound to their parent thread.
  /// What `what` throws comes out of here. One call at a time.
  void run(const std::function<void()>& what);

  /// Runs a program inside to its end.
  /// @throws std::runtime_error with what it said where it fails.
  void command(const std::vector<std::string>& arguments);

  /// For programs that take a namespace as a path.
  std::string path() const;

private:
  class worker;
  int fd_ = -1;
  std::unique_ptr<worker> worker_;
};

/// Which packets between nodes are dropped, seen from one node.
enum class cut { nothing, from_it, to_it, both };

/// Namespaces for `nodes` nodes and one hub, where their clients are, all on
/// one bridge: 10.99.0.1 … for the nodes, 10.99.0.254 for the hub.
///
/// A server that believes its users listens on loopback only; so in each node's
/// namespace port 8080 of its address is forwarded to a port of loopback.
/// Faults touch what goes from node to node, never what goes to the hub.
class cluster_net {
public:
  /// @param ports For each node the loopback port to which 8080 is forwarded.
  /// @throws std::runtime_error where it cannot be made.
  explicit cluster_net(const std::vector<std::uint16_t>& ports);

  std::size_t size() const noexcept {
    return nodes_.size();
  }
  net_space& node(std::size_t i) {
    return *nodes_.at(i);
  }
  net_space& hub() {
    return hub_;
  }
  static std::string address(std::size_t node);

  /// Where the hub's clients reach a node.
  static std::string url(std::size_t node);

  /// From now on drops so much of what goes between `node` and `others`, and
  /// nothing else that was dropped at this node before.
  void drop(std::size_t node, const std::vector<std::size_t>& others,
            cut which);
  /// Between `node` and all others.
  void isolate(std::size_t node, cut which);
  /// Drops nothing more, anywhere.
  void heal();

private:
  net_space hub_;
  std::vector<std::unique_ptr<net_space>> nodes_;
  std::vector<std::unique_ptr<forwarder>> forwarders_;
  std::vector<bool> cut_; ///< which nodes have rules
};

} // namespace vartalap::fault
