#pragma once

#include <string>

namespace vartalap::runtime {

/// The whole of a file. Blocks on the disk.
/// @param what What it is, for messages: "auth.jwks_file".
/// @throws std::runtime_error with a text for the operator.
std::string read_file(const std::string& what, const std::string& path);

/// As `read_file`, of a file that others must not read.
/// @throws std::runtime_error where they may.
std::string read_secret_file(const std::string& what, const std::string& path);

} // namespace vartalap::runtime
