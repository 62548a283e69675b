#pragma once

#include "core/envelope.hpp"

#include <string>
#include <string_view>

/// The protocol's words and numbers that the codecs share.
namespace vartalap::net {

/// Prefix of the binary encodings' meta keys that stand for JSON's meta.k.
inline constexpr std::string_view meta_prefix = "_m.";

/// The binary key of JSON's meta.createdAt.
inline constexpr std::string_view created_at_key = "_m.createdAt";

/// Without blanks at both ends.
std::string_view trim(std::string_view text) noexcept;

/// Equal but for the case of ASCII letters.
bool is_same_word(std::string_view a, std::string_view b) noexcept;

/// The type that a contentType (in any case, trimmed) names: one of the
/// protocol's type names, else MESSAGE.
core::message_type type_of(std::string_view content_type) noexcept;

/// The upper-case name of a type, e.g. "CLIENT_ACK".
std::string_view name_of(core::message_type type) noexcept;

/// The upper-case name of a channel, e.g. "INDIVIDUAL"; unknown counts as
/// individual.
std::string_view name_of(core::channel channel) noexcept;

/// The channel that a trimmed head.type names in any case: individual (also
/// chat, unknown and nothing) or group.
/// @param otherwise What any word that is no channel's name gives.
core::channel channel_of(std::string_view word,
                         core::channel otherwise) noexcept;

/// "stored", "delivered" or "relayed".
std::string_view name_of(core::ack_status status) noexcept;

/// "memory", "disk", "disk+N" or "written".
std::string name_of(core::durability durability);

/// The value of a meta entry, or null.
const core::meta_entry* find_meta(const core::envelope& message,
                                  std::string_view key) noexcept;

} // namespace vartalap::net
