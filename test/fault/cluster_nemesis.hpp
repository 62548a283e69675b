#pragma once

#include "test/fault/cluster_rig.hpp"

#include <random>
#include <vector>

/// What goes wrong in a cluster under load. Each function does it once and
/// heals it: when it returns, every node is in service and reaches the others.
namespace vartalap::fault {

/// kill -9 of these nodes at once; back after `down`.
void kill_and_restart(cluster_rig& rig, const std::vector<std::size_t>& nodes,
                      milliseconds down);

/// kill -9 of a node again and again, each time 0.2 to 1.5 s after its start.
/// @returns How long the last start took until the node was in service.
milliseconds kill_loop(cluster_rig& rig, std::size_t node, int kills,
                       std::mt19937& random);

/// SIGSTOP, and SIGCONT after `span`.
/// @returns By how many bytes the memory of the peers has grown meanwhile: the
///          most of any.
std::size_t freeze(cluster_rig& rig, std::size_t node, milliseconds span);

/// No packets between a node and all others, in the given directions.
void partition(cluster_rig& rig, std::size_t node, cut which,
               milliseconds span);

/// Two nodes do not reach each other; both reach the rest.
void partial_partition(cluster_rig& rig, std::size_t a, std::size_t b,
                       milliseconds span);

/// The node's network goes and comes every `period`.
void flapping(cluster_rig& rig, std::size_t node, milliseconds period,
              milliseconds span);

/// Clients at every node to whom much is sent and who do not read it; half of
/// them go on talking.
/// @returns How many of them the server has not disconnected after `span`.
std::size_t slow_consumers(cluster_rig& rig, std::size_t each,
                           milliseconds span);

/// A node goes on with an old copy of its data: stopped, copied, started,
/// killed after `age`, and started with the copy.
void restore_old_copy(cluster_rig& rig, std::size_t node, milliseconds age);

/// SIGTERM; the node must have ended within `limit`. Then back.
/// @returns How long the end took.
milliseconds stop_and_restart(cluster_rig& rig, std::size_t node,
                              milliseconds limit);

/// SIGTERM and restart of each node, one after the other.
void rolling_restart(cluster_rig& rig);

/// A spare node becomes a member while all serve.
/// @returns How long it took until it had its share of buckets and copies.
milliseconds add_node(cluster_rig& rig, std::size_t node);

/// `vartalap drain` of a member, which is no member from then on.
/// @returns How long it took until the others had its share.
milliseconds remove_node(cluster_rig& rig, std::size_t node);

/// A spare node becomes a member by a changed cluster.toml and a restart of
/// each node, one after the other: until the last of them the old list is in
/// force, and each says so.
/// @throws std::runtime_error where one does not.
void add_node_by_restarts(cluster_rig& rig, std::size_t node);

/// SIGTERM to one node while another is in trouble.
enum class trouble { killed, frozen, cut_off };
/// @returns How long the end took.
milliseconds stop_beside(cluster_rig& rig, std::size_t stopped,
                         std::size_t troubled, trouble what);

/// One of them, drawn at random, with random nodes and spans.
/// @returns Its name.
std::string random_nemesis(cluster_rig& rig, std::mt19937& random);

} // namespace vartalap::fault
