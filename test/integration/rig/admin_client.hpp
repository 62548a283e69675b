#pragma once

#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <functional>
#include <string>

namespace vartalap::integration {

/// GET on the admin address.
http_answer admin(const server_process& server, const std::string& path);

/// A metric by its name without the prefix vartalap_, with its labels.
/// @throws std::runtime_error where the node has no such metric.
double metric(const server_process& server, const std::string& name);

/// How many messages wait for a user.
std::string pending_of(const server_process& server, const std::string& user);

/// Asks until nothing waits for a user.
/// @returns False where something still does after `patience`.
bool becomes_empty(const server_process& server, const std::string& user);

/// Asks until the answer is yes.
/// @returns False where it is still no after `limit`.
bool comes_true(const std::function<bool()>& question,
                milliseconds limit = patience);

} // namespace vartalap::integration
