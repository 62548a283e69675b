#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman_actor.hpp>

#include <cstdint>
#include <string>

/// CAF's middleman without the network: it speaks BASP over local stream
/// sockets only, which net/peer_tunnel connects to other nodes.
namespace vartalap::actors {

/// The port under which a node's gate is published; it names no TCP port.
inline constexpr std::uint16_t gate_port = 1;

/// Makes an actor system of this configuration have a middleman: one that
/// listens nowhere by itself, announces random node ids (CAF derives them from
/// hardware and process id, which two containers may share), and deserializes
/// on its own thread, because CAF's BASP workers look like pinned actors to our
/// scheduler. Before the system is made.
void load_middleman(caf::actor_system_config& config);

/// Takes away what a remote node could spawn actors and read settings by.
/// After the system was made.
void close_remote_services(caf::actor_system& system);

/// The actor that opens the middleman's endpoints. It understands CAF's own
/// messages, with these addresses:
/// - publish at `gate_port`: a path of a unix-domain socket, of any length,
///   whose folder exists. Only this process can connect to it.
/// - connect: `adopted(fd)`. The descriptor is the middleman's from then on.
/// Ends on `exit_reason::kill` only.
caf::io::middleman_actor spawn_local_middleman(caf::actor_system& system);

/// The host name for `connect` that stands for a connected, non-blocking stream
/// socket. Never the same twice: CAF remembers actors by it.
std::string adopted(int fd);

/// A connected, non-blocking unix-domain stream socket, or -1 and errno.
int connect_local(const std::string& path);

} // namespace vartalap::actors
