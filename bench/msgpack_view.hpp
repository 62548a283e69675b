#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// As much MessagePack as a forwarder needs that copies values without looking
/// into them.
namespace vartalap::bench::msgpack_view {

/// Bytes of the value that starts `in`; nothing when it is cut off, invalid or
/// nested deeper than 32.
std::optional<std::size_t> value_size(std::string_view in);

/// Reads an array header and moves `in` behind it.
std::optional<std::uint32_t> read_array(std::string_view& in);

/// Reads an unsigned integer and moves `in` behind it.
std::optional<std::uint64_t> read_unsigned(std::string_view& in);

/// Reads a string and moves `in` behind it; the result points into `in`.
std::optional<std::string_view> read_string(std::string_view& in);

/// Appends an array header; at most 15 elements.
void append_array(std::string& out, std::size_t elements);

/// Appends an unsigned integer in its shortest of the forms 1, 5 and 9 bytes.
void append_unsigned(std::string& out, std::uint64_t value);

/// Appends a string of at most 255 bytes.
void append_string(std::string& out, std::string_view text);

/// Appends nil.
void append_nil(std::string& out);

} // namespace vartalap::bench::msgpack_view
