#pragma once

#include "core/cluster_messages.hpp"
#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/mailbox.hpp"
#include "core/mailbox_effects.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// What the links between nodes carry, besides the hello: each an item of
/// core::link_channel, in MessagePack: [kind, fields...]. The kinds are the
/// places in `peer_message`; new ones go to its end.
namespace vartalap::net::peer {

/// First thing on a new connection, from the dialing node, answered with the
/// same or with `refusal` set. Not an item: a blob of its own.
struct hello {
  std::uint8_t version_min = 0; ///< of the link's protocol
  std::uint8_t version_max = 0;
  std::uint64_t session = 0; ///< the dialing node's choice; never 0
  std::string cluster;
  std::string name;
  std::string node_uuid;
  std::string disk_uuid;
  std::uint32_t incarnation = 0;
  std::uint64_t commits = 0;      ///< committed transactions of its disk
  std::uint64_t members_hash = 0; ///< placement::hash of its member list
  std::uint64_t rules_hash = 0;   ///< of replicas and min_copies
  std::uint64_t clock = 0;        ///< the sender's, as in core::node_clock
  std::string refusal;            ///< why the link cannot be; empty: it is
};

// From the node that holds a client's connection, or an HTTP call, to the home
// of a mailbox. Tokens are the asking link's: the answer names them.

/// A message for the home's mailbox; answered by `confirmed`, `refused`,
/// `merged` or `not_home`.
struct submit {
  std::uint64_t token = 0;
  std::string own_device; ///< the sender's device, for a message to oneself
  core::envelope_ptr message;
};

/// A device is connected here; answered by `attached` or `not_home`.
struct attach {
  std::uint64_t attachment = 0;
  std::string user;
  std::string device;
  std::uint64_t opened = 0; ///< when, by the node's serverId clock
};
struct detach {
  std::uint64_t attachment = 0;
};

/// Acknowledgements of a device. `token` 0: nobody waits for `counted`.
struct acks {
  std::uint64_t token = 0;
  std::uint64_t attachment = 0; ///< 0: not over a connection
  std::string user;
  std::string device;
  std::vector<core::server_id> serverids;
  std::vector<std::string> in_flight;
  std::vector<std::pair<std::string, std::string>> named; ///< from, id
};

/// Deliveries up to `ordinal` have left the connection's output, so long ago.
struct written {
  std::uint64_t attachment = 0;
  std::uint64_t ordinal = 0;
  std::uint64_t age_us = 0;
};

/// Answered by `page`.
struct list {
  std::uint64_t token = 0;
  std::string user;
  std::string device;
  std::uint64_t limit = 0;
  std::uint64_t bytes_max = 0;
};
struct change_device {
  std::string user;
  std::string device;
  bool remove = false;
  bool sets_push = false; ///< `push` replaces the device's
  core::push_target push{};
};
/// Answered by `inspected`.
struct inspect {
  std::uint64_t token = 0;
  std::string user;
};

// From the home to the node that holds the connection.

struct confirmed {
  std::uint64_t token = 0;
  core::server_id serverid;
  std::uint64_t server_timestamp = 0;
  core::ack_status status = core::ack_status::stored;
  core::durability durability = core::durability::memory;
};
struct refused {
  std::uint64_t token = 0;
  core::refusal code = core::refusal::none;
};
struct merged {
  std::uint64_t token = 0;
};

/// The home is elsewhere by now: ask again with the newest view.
struct not_home {
  std::uint64_t token = 0;      ///< of a submit, acks, list or inspect; or 0
  std::uint64_t attachment = 0; ///< of an attach; or 0
};

struct attached {
  std::uint64_t attachment = 0;
};
struct deliver {
  std::uint64_t attachment = 0;
  std::uint64_t ordinal = 0;
  std::uint32_t attempt = 0;
  core::envelope_ptr message;
};
struct gap {
  std::uint64_t attachment = 0;
  std::uint64_t count = 0;
};
struct close {
  std::uint64_t attachment = 0;
  core::effect::close_reason reason = core::effect::close_reason::undelivered;
};
struct page {
  std::uint64_t token = 0;
  bool more = false;
  bool failed = false;
  bool too_many_devices = false;
  std::vector<core::envelope_ptr> messages;
};
struct inspected {
  std::uint64_t token = 0;
  core::mailbox::inspection what;
};
struct counted {
  std::uint64_t token = 0;
  std::uint64_t pending = 0; ///< how many of the acknowledged were
};

// Copies. `ticket` 0: nobody waits for `stored`.

/// Store this; answered by `stored`.
struct copy_put {
  std::uint64_t ticket = 0;
  bool raise_offline = false;
  std::vector<std::string> acked;
  core::envelope_ptr message;
};
struct copy_remove {
  std::uint64_t ticket = 0;
  std::string user;
  core::server_id serverid;
  bool remember = false; ///< leaves a tombstone where it was held
};
struct copy_ack {
  std::uint64_t ticket = 0;
  std::string user;
  core::server_id serverid;
  std::string device;
};
struct copy_device {
  std::uint64_t ticket = 0;
  std::string user;
  core::device_record record;
};
struct copy_erase_device {
  std::uint64_t ticket = 0;
  std::string user;
  std::string device;
  core::wall_ms at = 0;
  bool remember = false;
};
struct copy_clear_offline {
  std::uint64_t ticket = 0;
  std::string user;
};
/// These are durable here.
struct stored {
  std::vector<std::uint64_t> tickets;
  std::vector<std::uint64_t> failed; ///< these are not
};

/// What the nodes' cluster_cores tell each other.
struct cluster {
  core::cluster_message what;
};

} // namespace vartalap::net::peer

namespace vartalap::net {

using peer_message
  = std::variant<peer::submit, peer::attach, peer::detach, peer::acks,
                 peer::written, peer::list, peer::change_device, peer::inspect,
                 peer::confirmed, peer::refused, peer::merged, peer::not_home,
                 peer::attached, peer::deliver, peer::gap, peer::close,
                 peer::page, peer::inspected, peer::counted, peer::copy_put,
                 peer::copy_remove, peer::copy_ack, peer::copy_device,
                 peer::copy_erase_device, peer::copy_clear_offline,
                 peer::stored, peer::cluster>;

/// Replaces `out` by the item.
void encode_peer(const peer_message& message, std::string& out);

/// @returns Nothing for what is not understood: damaged, or of a version that
///          this one does not speak.
std::optional<peer_message> decode_peer(std::string_view item);

/// The hello as a blob of its own.
std::vector<char> encode_hello(const peer::hello& message);

/// @returns Nothing for what is no hello.
std::optional<peer::hello> decode_hello(std::string_view blob);

} // namespace vartalap::net
