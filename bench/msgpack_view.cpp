#include "bench/msgpack_view.hpp"

namespace vartalap::bench::msgpack_view {

namespace {

constexpr int depth_max = 32;

unsigned byte_at(std::string_view in, std::size_t i) {
  return static_cast<unsigned char>(in[i]);
}

std::optional<std::uint64_t> number(std::string_view in, std::size_t bytes) {
  if (in.size() < 1 + bytes)
    return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 1; i <= bytes; ++i)
    value = value << 8 | byte_at(in, i);
  return value;
}

/// How a value goes on behind its first byte.
struct layout {
  std::size_t length_bytes = 0; ///< Size of the length field.
  std::size_t fixed_bytes = 0;  ///< Payload whose size the first byte gives.
  std::size_t children = 0;     ///< Values that follow per counted element.
  std::size_t count = 0;        ///< Elements that the first byte gives.
};

std::optional<layout> layout_of(unsigned tag) {
  if (tag <= 0x7F || tag >= 0xE0)
    return layout{};
  if (tag <= 0x8F)
    return layout{.children = 2, .count = tag & 0x0FU};
  if (tag <= 0x9F)
    return layout{.children = 1, .count = tag & 0x0FU};
  if (tag <= 0xBF)
    return layout{.fixed_bytes = tag & 0x1FU};
  switch (tag) {
    case 0xC0:
    case 0xC2:
    case 0xC3:
      return layout{};
    case 0xC4: // bin 8, 16, 32
    case 0xC5:
    case 0xC6:
      return layout{.length_bytes = std::size_t{1} << (tag - 0xC4U)};
    case 0xC7: // ext 8, 16, 32: one byte of type
    case 0xC8:
    case 0xC9:
      return layout{.length_bytes = std::size_t{1} << (tag - 0xC7U),
                    .fixed_bytes = 1};
    case 0xCA:
      return layout{.fixed_bytes = 4};
    case 0xCB:
      return layout{.fixed_bytes = 8};
    case 0xCC: // unsigned and signed 8, 16, 32, 64
    case 0xCD:
    case 0xCE:
    case 0xCF:
      return layout{.fixed_bytes = std::size_t{1} << (tag - 0xCCU)};
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3:
      return layout{.fixed_bytes = std::size_t{1} << (tag - 0xD0U)};
    case 0xD4: // fixext 1, 2, 4, 8, 16
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8:
      return layout{.fixed_bytes = 1 + (std::size_t{1} << (tag - 0xD4U))};
    case 0xD9: // str 8, 16, 32
    case 0xDA:
    case 0xDB:
      return layout{.length_bytes = std::size_t{1} << (tag - 0xD9U)};
    case 0xDC: // array 16, 32
    case 0xDD:
      return layout{.length_bytes = std::size_t{2} << (tag - 0xDCU),
                    .children = 1};
    case 0xDE: // map 16, 32
    case 0xDF:
      return layout{.length_bytes = std::size_t{2} << (tag - 0xDEU),
                    .children = 2};
    default:
      return std::nullopt;
  }
}

std::optional<std::size_t> size_within(std::string_view in, int depth) {
  if (in.empty() || depth > depth_max)
    return std::nullopt;
  const auto shape = layout_of(byte_at(in, 0));
  if (!shape)
    return std::nullopt;
  const auto length = number(in, shape->length_bytes);
  if (!length)
    return std::nullopt;
  std::size_t size = 1 + shape->length_bytes + shape->fixed_bytes;
  if (shape->children == 0) {
    if (size > in.size() || *length > in.size() - size)
      return std::nullopt;
    return size + static_cast<std::size_t>(*length);
  }
  // Every element takes at least a byte, so the input bounds the loop.
  const std::uint64_t elements
    = (shape->length_bytes == 0 ? shape->count : *length) * shape->children;
  for (std::uint64_t i = 0; i < elements; ++i) {
    if (size > in.size())
      return std::nullopt;
    const auto child = size_within(in.substr(size), depth + 1);
    if (!child)
      return std::nullopt;
    size += *child;
  }
  return size;
}

} // namespace

std::optional<std::size_t> value_size(std::string_view in) {
  return size_within(in, 0);
}

std::optional<std::uint32_t> read_array(std::string_view& in) {
  if (in.empty())
    return std::nullopt;
  const unsigned tag = byte_at(in, 0);
  std::size_t bytes = 0;
  std::optional<std::uint64_t> elements;
  if (tag >= 0x90 && tag <= 0x9F)
    elements = tag & 0x0FU;
  else if (tag == 0xDC || tag == 0xDD)
    elements = number(in, bytes = std::size_t{2} << (tag - 0xDCU));
  if (!elements)
    return std::nullopt;
  in.remove_prefix(1 + bytes);
  return static_cast<std::uint32_t>(*elements);
}

std::optional<std::uint64_t> read_unsigned(std::string_view& in) {
  if (in.empty())
    return std::nullopt;
  const unsigned tag = byte_at(in, 0);
  std::size_t bytes = 0;
  std::optional<std::uint64_t> value;
  if (tag <= 0x7F)
    value = tag;
  else if (tag >= 0xCC && tag <= 0xCF)
    value = number(in, bytes = std::size_t{1} << (tag - 0xCCU));
  if (!value)
    return std::nullopt;
  in.remove_prefix(1 + bytes);
  return value;
}

std::optional<std::string_view> read_string(std::string_view& in) {
  if (in.empty())
    return std::nullopt;
  const unsigned tag = byte_at(in, 0);
  std::size_t bytes = 0;
  std::optional<std::uint64_t> length;
  if (tag >= 0xA0 && tag <= 0xBF)
    length = tag & 0x1FU;
  else if (tag >= 0xD9 && tag <= 0xDB)
    length = number(in, bytes = std::size_t{1} << (tag - 0xD9U));
  if (!length || in.size() - 1 - bytes < *length)
    return std::nullopt;
  const auto text = in.substr(1 + bytes, static_cast<std::size_t>(*length));
  in.remove_prefix(1 + bytes + text.size());
  return text;
}

void append_array(std::string& out, std::size_t elements) {
  out.push_back(static_cast<char>(0x90U | elements));
}

void append_unsigned(std::string& out, std::uint64_t value) {
  if (value <= 0x7F) {
    out.push_back(static_cast<char>(value));
    return;
  }
  const bool wide = value > 0xFFFFFFFF;
  out.push_back(static_cast<char>(wide ? 0xCF : 0xCE));
  for (int i = wide ? 7 : 3; i >= 0; --i)
    out.push_back(static_cast<char>(value >> (8 * i)));
}

void append_string(std::string& out, std::string_view text) {
  if (text.size() < 32) {
    out.push_back(static_cast<char>(0xA0U | text.size()));
  } else {
    out.push_back(static_cast<char>(0xD9));
    out.push_back(static_cast<char>(text.size()));
  }
  out.append(text);
}

void append_nil(std::string& out) {
  out.push_back(static_cast<char>(0xC0));
}

} // namespace vartalap::bench::msgpack_view
