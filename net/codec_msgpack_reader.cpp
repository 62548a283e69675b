#include "net/codec_msgpack_reader.hpp"

#include <array>
#include <bit>

namespace vartalap::net::msgpack_view {

bool reader::big_endian(std::size_t width, std::uint64_t& out) noexcept {
  if (left() < width)
    return false;
  out = 0;
  for (std::size_t i = 0; i < width; ++i)
    out = out << 8 | static_cast<unsigned char>(bytes_[at_ + i]);
  at_ += width;
  return true;
}

bool reader::number(token& out, kind what, std::size_t width) noexcept {
  if (!big_endian(width, out.number))
    return false;
  out.what = what;
  if (what == kind::real) {
    out.real = width == 4 ? static_cast<double>(
                 std::bit_cast<float>(static_cast<std::uint32_t>(out.number)))
                          : std::bit_cast<double>(out.number);
  } else if (what == kind::sint) {
    const auto spare = static_cast<unsigned>(64 - 8 * width);
    const auto value = static_cast<std::int64_t>(out.number << spare) >> spare;
    out.number = static_cast<std::uint64_t>(value);
    if (value >= 0)
      out.what = kind::uint;
  }
  return true;
}

bool reader::blob(token& out, kind what, std::uint64_t size) noexcept {
  if (size > left())
    return false;
  out.what = what;
  out.bytes = bytes_.substr(at_, static_cast<std::size_t>(size));
  at_ += static_cast<std::size_t>(size);
  return true;
}

bool reader::payload(token& out, kind what, std::size_t width) noexcept {
  std::uint64_t size = 0;
  return big_endian(width, size) && blob(out, what, size);
}

bool reader::extension(token& out, std::uint64_t size) noexcept {
  std::uint64_t type = 0;
  if (!big_endian(1, type))
    return false;
  out.ext_type = static_cast<std::int8_t>(static_cast<std::uint8_t>(type));
  return blob(out, kind::ext, size);
}

bool reader::extended(token& out, std::size_t width) noexcept {
  std::uint64_t size = 0;
  return big_endian(width, size) && extension(out, size);
}

bool reader::container(token& out, kind what, std::uint64_t count) noexcept {
  // Each element is at least one byte: a count beyond that is a lie.
  const std::uint64_t least = what == kind::map ? 2 * count : count;
  if (least > left())
    return false;
  out.what = what;
  out.number = count;
  return true;
}

bool reader::counted(token& out, kind what, std::size_t width) noexcept {
  std::uint64_t count = 0;
  return big_endian(width, count) && container(out, what, count);
}

namespace {

/// 2^exponent, for the exponents 0 to 7 that a mark can say; the mask says so
/// to analysers too.
constexpr std::size_t power_of_two(unsigned exponent) noexcept {
  return std::size_t{1} << (exponent & 7);
}

} // namespace

bool reader::marked(token& out, unsigned mark) noexcept {
  switch (mark) {
    case 0xc0:
      out.what = kind::nil;
      return true;
    case 0xc2:
    case 0xc3:
      out.what = kind::boolean;
      out.number = mark & 1;
      return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return payload(out, kind::bin, power_of_two(mark - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9:
      return extended(out, power_of_two(mark - 0xc7));
    case 0xca:
    case 0xcb:
      return number(out, kind::real, 4 * power_of_two(mark - 0xca));
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return number(out, kind::uint, power_of_two(mark - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return number(out, kind::sint, power_of_two(mark - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return extension(out, power_of_two(mark - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return payload(out, kind::str, power_of_two(mark - 0xd9));
    case 0xdc:
    case 0xdd:
      return counted(out, kind::array, 2 * power_of_two(mark - 0xdc));
    case 0xde:
    case 0xdf:
      return counted(out, kind::map, 2 * power_of_two(mark - 0xde));
    default:
      return false; // 0xc1
  }
}

bool reader::next(token& out) noexcept {
  if (at_ >= bytes_.size())
    return false;
  const unsigned mark = static_cast<unsigned char>(bytes_[at_++]);
  if (mark < 0x80) {
    out.what = kind::uint;
    out.number = mark;
    return true;
  }
  if (mark < 0x90)
    return container(out, kind::map, mark & 0x0f);
  if (mark < 0xa0)
    return container(out, kind::array, mark & 0x0f);
  if (mark < 0xc0)
    return blob(out, kind::str, mark & 0x1f);
  if (mark >= 0xe0) {
    out.what = kind::sint;
    out.number
      = static_cast<std::uint64_t>(static_cast<std::int64_t>(mark) - 256);
    return true;
  }
  return marked(out, mark);
}

bool reader::skip(unsigned depth) noexcept {
  if (depth > depth_max)
    depth = depth_max;
  std::array<std::uint64_t, depth_max> open; // values still to come, per level
  unsigned level = 0;
  for (;;) {
    token what;
    if (!next(what))
      return false;
    if (what.what == kind::array || what.what == kind::map) {
      if (level == depth)
        return false;
      const unsigned each = what.what == kind::map ? 2 : 1;
      if (what.number > 0) {
        open[level++] = what.number * each;
        continue;
      }
    }
    while (level > 0 && --open[level - 1] == 0)
      --level;
    if (level == 0)
      return true;
  }
}

} // namespace vartalap::net::msgpack_view
