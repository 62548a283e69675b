#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace vartalap::runtime {

/// The whole of a file. Blocks on the disk.
/// @param what What it is, for messages: "auth.jwks_file".
/// @throws std::runtime_error with a text for the operator.
std::string read_file(const std::string& what, const std::string& path);

/// Writes a file that is not there yet, with that mode. Blocks on the disk.
/// @return False where there is one already, which is left alone.
/// @throws std::runtime_error with a text for the operator.
bool write_new_file(const std::string& path, std::string_view text,
                    ::mode_t mode);

/// As `read_file`, of a file that others must not read.
/// @throws std::runtime_error where they may.
std::string read_secret_file(const std::string& what, const std::string& path);

} // namespace vartalap::runtime
