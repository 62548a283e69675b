#pragma once

#include "core/envelope.hpp"

#include <string>
#include <string_view>

namespace vartalap::net {

/// Levels of arrays and objects in content that every frame can carry, with
/// room for the frame around it.
inline constexpr unsigned content_depth_max = 31;

/// Appends a message's content as the JSON that a JSON receiver sees: JSON as
/// it came; bytes that are UTF-8 JSON as that JSON, other bytes as
/// {"base64": …}; a MessagePack value as the JSON that it maps to. What is
/// appended is always one JSON value, of at most 32 times the content's size.
void append_content_json(const core::envelope& message, std::string& out);

/// The JSON that an encoded MessagePack value maps to: ext as {"ext": type,
/// "base64": …}; bin, and str that is not UTF-8, as {"base64": …}; map keys
/// that are not strings as their JSON text; NaN and infinities as null.
/// Bytes that are not one value, or nested too deep, as {"base64": …}.
void append_msgpack_as_json(std::string_view bytes, std::string& out);

} // namespace vartalap::net
