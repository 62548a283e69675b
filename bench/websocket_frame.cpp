#include "bench/websocket_frame.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace vartalap::bench {

namespace {

constexpr std::size_t mask_bytes = 4;

void unmask(char* data, std::size_t size, const std::array<char, 4>& key) {
  std::array<char, 8> twice{};
  std::memcpy(twice.data(), key.data(), 4);
  std::memcpy(twice.data() + 4, key.data(), 4);
  std::uint64_t wide_key = 0;
  std::memcpy(&wide_key, twice.data(), 8);
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + i, 8);
    word ^= wide_key;
    std::memcpy(data + i, &word, 8);
  }
  for (; i < size; ++i)
    data[i] = static_cast<char>(data[i] ^ key[i % 4]);
}

std::uint64_t big_endian(std::span<const char> bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes)
    value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

} // namespace

ws_parse parse_frame(std::span<char> input, std::size_t& offset,
                     ws_frame& frame, std::size_t payload_bytes_max) {
  const auto bytes = input.subspan(offset);
  if (bytes.size() < 2)
    return ws_parse::incomplete;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  if ((first & 0x70U) != 0)
    return ws_parse::broken;
  const std::size_t short_size = second & 0x7FU;
  const std::size_t length_bytes
    = short_size == 127 ? 8 : (short_size == 126 ? 2 : 0);
  const bool masked = (second & 0x80U) != 0;
  const std::size_t head = 2 + length_bytes + (masked ? mask_bytes : 0);
  if (bytes.size() < head)
    return ws_parse::incomplete;
  const std::uint64_t size = length_bytes == 0
                               ? short_size
                               : big_endian(bytes.subspan(2, length_bytes));
  if (size > payload_bytes_max)
    return ws_parse::broken;
  if (bytes.size() - head < size)
    return ws_parse::incomplete;
  char* payload = bytes.data() + head;
  if (masked) {
    std::array<char, mask_bytes> key{};
    std::memcpy(key.data(), payload - mask_bytes, mask_bytes);
    if (key != std::array<char, mask_bytes>{})
      unmask(payload, static_cast<std::size_t>(size), key);
  }
  frame.opcode = static_cast<ws_opcode>(first & 0x0FU);
  frame.final = (first & 0x80U) != 0;
  frame.payload = {payload, static_cast<std::size_t>(size)};
  offset += head + static_cast<std::size_t>(size);
  return ws_parse::frame;
}

void append_frame_header(std::string& out, ws_opcode opcode,
                         std::size_t payload_bytes, ws_side side) {
  const unsigned mask_bit = side == ws_side::client ? 0x80U : 0;
  out.push_back(static_cast<char>(0x80U | static_cast<unsigned>(opcode)));
  const auto append_length = [&](unsigned marker, int length_bytes) {
    out.push_back(static_cast<char>(mask_bit | marker));
    for (int i = length_bytes - 1; i >= 0; --i)
      out.push_back(static_cast<char>(payload_bytes >> (8 * i)));
  };
  if (payload_bytes < 126)
    append_length(static_cast<unsigned>(payload_bytes), 0);
  else if (payload_bytes <= 0xFFFF)
    append_length(126, 2);
  else
    append_length(127, 8);
  if (side == ws_side::client)
    out.append(mask_bytes, '\0');
}

std::string_view http_header(std::string_view head, std::string_view name) {
  std::size_t line_start = head.find("\r\n");
  while (line_start != std::string_view::npos) {
    line_start += 2;
    const std::size_t line_end = head.find("\r\n", line_start);
    const auto line = head.substr(line_start, line_end - line_start);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos
        && same_ignoring_case(line.substr(0, colon), name)) {
      auto value = line.substr(colon + 1);
      while (!value.empty() && value.front() == ' ')
        value.remove_prefix(1);
      while (!value.empty() && value.back() == ' ')
        value.remove_suffix(1);
      return value;
    }
    line_start = line_end;
  }
  return {};
}

} // namespace vartalap::bench
