#pragma once

#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What tests of groups say and hear.
namespace vartalap::integration {

http_answer call(std::uint16_t port, const std::string& method,
                 const std::string& user, const std::string& path,
                 const std::string& body = {});

/// A JSON list of strings.
std::string list_of(const std::vector<std::string>& names);

/// @returns The new group's id.
std::string create(std::uint16_t port, const std::string& by,
                   const std::vector<std::string>& members,
                   const std::string& path = "/v1.0/groups/");

/// A group of alice and u0 … u(count - 1), filled by as few calls as can be.
std::string create_large(std::uint16_t port, int count);

/// "alice! bob": admins with a mark. `at` is a JSON pointer to the group.
std::string members_of(const std::string& body, const std::string& at = {});

/// The same, asked by `user`; or the status where that is not 200.
std::string info(std::uint16_t port, const std::string& user,
                 const std::string& group);

/// A message to a group.
std::string frame(const std::string& id, const std::string& group,
                  const std::string& text = "hello",
                  const std::string& more = {});

/// The next delivery, acknowledged.
heard next(chat_peer& who);
heard next_event(chat_peer& who);
heard next_message(chat_peer& who);

/// The ack or error for that id; deliveries before it are acknowledged.
heard answer_to(chat_peer& who, const std::string& id);

/// Ids of the messages that wait for a user, events left out; oldest first.
std::vector<std::string> waiting(std::uint16_t port, const std::string& user);

/// Waits until so many messages wait for the user.
std::vector<std::string> waiting(std::uint16_t port, const std::string& user,
                                 std::size_t count);

/// As ids say it: repeats dropped, as a client does.
std::vector<std::string> without_repeats(const std::vector<std::string>& all);

} // namespace vartalap::integration
