#include "core/ids.hpp"

#include "core/hash.hpp"

#include <algorithm>
#include <cstring>

namespace vartalap::core {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void write_hex_word(std::uint64_t word, char* out) noexcept {
  for (int i = 15; i >= 0; --i, word >>= 4) {
    out[i] = hex_digits[word & 15];
  }
}

// 16 for anything but a lower-case hex digit.
unsigned hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<unsigned>(c - 'a' + 10);
  }
  return 16;
}

std::optional<std::uint64_t> hex_word(std::string_view text) noexcept {
  std::uint64_t word = 0;
  for (char c : text) {
    const auto digit = hex_value(c);
    if (digit > 15) {
      return std::nullopt;
    }
    word = word << 4 | digit;
  }
  return word;
}

constexpr std::uint32_t not_utf8 = 0xffffffff;

// Decodes the code point at `at` and moves `at` past it.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) noexcept {
  const auto byte = [&](std::size_t i) {
    return std::uint32_t{static_cast<unsigned char>(text[i])};
  };
  const auto first = byte(at);
  if (first < 0x80) {
    ++at;
    return first;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) {
    return not_utf8;
  }
  auto point = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = byte(at + i);
    if ((next & 0xc0) != 0x80) {
      return not_utf8;
    }
    point = point << 6 | (next & 0x3f);
  }
  const bool overlong = (length == 3 && point < 0x800)
                        || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (overlong || surrogate || point > 0x10ffff) {
    return not_utf8;
  }
  at += length;
  return point;
}

bool is_control(std::uint32_t point) noexcept {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

} // namespace

std::string server_id::to_hex() const {
  std::string text(32, '0');
  write_hex(text.data());
  return text;
}

void server_id::write_hex(char* out) const noexcept {
  write_hex_word(high, out);
  write_hex_word(low, out + 16);
}

std::optional<server_id> server_id::from_hex(std::string_view text) noexcept {
  if (text.size() != 32) {
    return std::nullopt;
  }
  const auto high = hex_word(text.substr(0, 16));
  const auto low = hex_word(text.substr(16));
  if (!high || !low) {
    return std::nullopt;
  }
  return server_id{*high, *low};
}

std::array<std::uint8_t, 16> server_id::to_bytes() const noexcept {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return bytes;
}

server_id server_id::from_bytes(const std::uint8_t* bytes) noexcept {
  server_id id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = id.high << 8 | bytes[i];
    id.low = id.low << 8 | bytes[8 + i];
  }
  return id;
}

server_id server_id_clock::next(std::uint64_t wall) noexcept {
  return {clock().next(wall), low_};
}

void server_id_clock::observe(server_id seen) noexcept {
  clock().raise(seen.high);
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    // Most of what is sent is ASCII: eight bytes at once.
    std::uint64_t eight = 0;
    if (text.size() - at >= sizeof(eight)) {
      std::memcpy(&eight, text.data() + at, sizeof(eight));
      if ((eight & 0x8080808080808080U) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    if (next_code_point(text, at) == not_utf8) {
      return false;
    }
  }
  return true;
}

bool is_valid_id(std::string_view text, std::size_t max) noexcept {
  if (text.empty() || text.size() > max) {
    return false;
  }
  for (std::size_t at = 0; at < text.size();) {
    const auto point = next_code_point(text, at);
    if (point == not_utf8 || is_control(point)) {
      return false;
    }
  }
  return true;
}

bool is_valid_user(std::string_view text) noexcept {
  return text != server_user && is_valid_id(text, user_id_bytes_max);
}

bool is_valid_device(std::string_view text) noexcept {
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= device_id_bytes_max
         && std::all_of(text.begin(), text.end(), allowed);
}

std::uint64_t stable_hash(std::string_view text, std::uint64_t seed) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ mix64(seed);
  for (char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return mix64(hash);
}

std::uint16_t bucket_of(std::string_view user) noexcept {
  return static_cast<std::uint16_t>(stable_hash(user) >> 48);
}

dedupe_key make_dedupe_key(std::string_view from, std::string_view to,
                           std::string_view id) noexcept {
  field_hasher hasher{0x6465647570653031ULL};
  hasher.add(from);
  hasher.add(to);
  hasher.add(id);
  const auto digest = hasher.finish();
  return {digest.a, digest.b};
}

} // namespace vartalap::core
