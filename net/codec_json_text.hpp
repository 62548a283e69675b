#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Pieces of JSON text, appended to a string.
namespace vartalap::net::json {

/// A string with its quotes; quotes, backslashes and control characters are
/// escaped, everything else is copied.
/// @pre `text` is UTF-8.
void append_string(std::string_view text, std::string& out);

/// A whole number.
void append_uint(std::uint64_t number, std::string& out);

/// A whole number.
void append_int(std::int64_t number, std::string& out);

/// The shortest text that reads back as the same number; NaN and the
/// infinities, which JSON does not have, become null.
void append_double(double number, std::string& out);

/// A string of base64 (RFC 4648, section 4, padded), with its quotes.
void append_base64(std::string_view bytes, std::string& out);

} // namespace vartalap::net::json
