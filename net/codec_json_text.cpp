#include "net/codec_json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace vartalap::net::json {

namespace {

constexpr bool needs_escape(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void append_escape(char c, std::string& out) {
  constexpr std::string_view hex = "0123456789abcdef";
  const auto escape = [&out](char letter) {
    out.push_back('\\');
    out.push_back(letter);
  };
  switch (c) {
    case '"':
    case '\\':
      return escape(c);
    case '\b':
      return escape('b');
    case '\f':
      return escape('f');
    case '\n':
      return escape('n');
    case '\r':
      return escape('r');
    case '\t':
      return escape('t');
    default:
      out += "\\u00";
      out.push_back(hex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(hex[static_cast<unsigned char>(c) & 15]);
  }
}

template <class Number>
void append_number(Number number, std::string& out) {
  std::array<char, 32> buffer{};
  const auto done
    = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  out.append(buffer.data(), done.ptr);
}

} // namespace

void append_string(std::string_view text, std::string& out) {
  out.push_back('"');
  std::size_t clean = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (needs_escape(text[at])) {
      out.append(text, clean, at - clean);
      append_escape(text[at], out);
      clean = at + 1;
    }
  }
  out.append(text, clean);
  out.push_back('"');
}

void append_uint(std::uint64_t number, std::string& out) {
  append_number(number, out);
}

void append_int(std::int64_t number, std::string& out) {
  append_number(number, out);
}

void append_double(double number, std::string& out) {
  if (std::isfinite(number))
    append_number(number, out);
  else
    out += "null";
}

void append_base64(std::string_view bytes, std::string& out) {
  constexpr std::string_view digits
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [&bytes](std::size_t at) -> std::uint32_t {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
  };
  out.push_back('"');
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::uint32_t three = byte(at) << 16 | byte(at + 1) << 8
                                | byte(at + 2);
    out.push_back(digits[three >> 18]);
    out.push_back(digits[three >> 12 & 63]);
    out.push_back(at + 1 < bytes.size() ? digits[three >> 6 & 63] : '=');
    out.push_back(at + 2 < bytes.size() ? digits[three & 63] : '=');
  }
  out.push_back('"');
}

} // namespace vartalap::net::json
