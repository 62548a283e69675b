#pragma once

#include "core/push_queue.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Push records and push targets as bytes; docs/storage.md has the same as
/// tables. Pure and thread-safe.
namespace vartalap::storage {

/// Replaces `out` by the value of `record` at `key` in the table `push`.
void encode_push(std::string& out, std::string_view key,
                 const core::push_record& record);

/// What stands at `key`. An empty value is an event that nobody has looked at.
/// @returns Nothing where it is damaged.
std::optional<core::push_record> read_push(std::string_view key,
                                           std::string_view value);

/// Appends a device's push target to its record; nothing where it never had
/// one.
void append_target(std::string& out, const core::push_target& target);

/// What `append_target` has written; none where nothing stands there.
core::push_target read_target(std::string_view bytes);

} // namespace vartalap::storage
