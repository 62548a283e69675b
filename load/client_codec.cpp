#include "load/client_codec.hpp"

#include <cassert>
#include <cstddef>

namespace vartalap::load {

namespace {

/// Hex digits of a serverId.
constexpr std::size_t server_id_size = 32;

/// Nesting that a reader follows before it gives up.
constexpr unsigned depth_max = 40;

void put(std::string& out, unsigned byte) {
  out.push_back(static_cast<char>(byte));
}

void put_big(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;)
    put(out, static_cast<unsigned>(value >> (8 * i) & 0xff));
}

void put_uint(std::string& out, std::uint64_t value) {
  if (value < 0x80) {
    put(out, static_cast<unsigned>(value));
  } else if (value <= 0xffffffff) {
    put(out, 0xce);
    put_big(out, value, 4);
  } else {
    put(out, 0xcf);
    put_big(out, value, 8);
  }
}

void put_str(std::string& out, std::string_view text) {
  if (text.size() < 32) {
    put(out, 0xa0U | static_cast<unsigned>(text.size()));
  } else if (text.size() < 256) {
    put(out, 0xd9);
    put_big(out, text.size(), 1);
  } else {
    put(out, 0xda);
    put_big(out, text.size(), 2);
  }
  out.append(text);
}

void put_bin(std::string& out, std::string_view bytes) {
  if (bytes.size() < 256) {
    put(out, 0xc4);
    put_big(out, bytes.size(), 1);
  } else if (bytes.size() < 65536) {
    put(out, 0xc5);
    put_big(out, bytes.size(), 2);
  } else {
    put(out, 0xc6);
    put_big(out, bytes.size(), 4);
  }
  out.append(bytes);
}

/// Walks over msgpack values. After a failure everything reads as empty.
class reader {
public:
  explicit reader(std::string_view bytes) : rest_(bytes) {
  }

  bool ok() const noexcept {
    return ok_;
  }

  /// Elements of an array; fails if there is none.
  std::uint64_t array() {
    const auto tag = byte();
    if ((tag & 0xf0U) == 0x90)
      return tag & 0x0fU;
    if (tag == 0xdc)
      return big(2);
    if (tag == 0xdd)
      return big(4);
    ok_ = false;
    return 0;
  }

  /// An unsigned number; a value of another kind is skipped and reads as 0.
  std::uint64_t number() {
    const auto tag = peek();
    if (tag < 0x80) {
      byte();
      return tag;
    }
    if (tag >= 0xcc && tag <= 0xcf) {
      byte();
      return big(1U << (tag - 0xcc));
    }
    skip();
    return 0;
  }

  /// A str or bin; a value of another kind is skipped and reads as empty.
  std::string_view text() {
    const auto tag = peek();
    if ((tag & 0xe0U) == 0xa0) {
      byte();
      return take(tag & 0x1fU);
    }
    if (tag >= 0xd9 && tag <= 0xdb) {
      byte();
      return take(big(1U << (tag - 0xd9)));
    }
    if (tag >= 0xc4 && tag <= 0xc6) {
      byte();
      return take(big(1U << (tag - 0xc4)));
    }
    skip();
    return {};
  }

  void skip(unsigned depth = 0);

private:
  unsigned peek() {
    if (rest_.empty()) {
      ok_ = false;
      return 0;
    }
    return static_cast<unsigned char>(rest_.front());
  }
  unsigned byte() {
    const auto result = peek();
    if (ok_)
      rest_.remove_prefix(1);
    return result;
  }
  std::uint64_t big(unsigned bytes) {
    std::uint64_t result = 0;
    for (const char c : take(bytes))
      result = result << 8 | static_cast<unsigned char>(c);
    return result;
  }
  std::string_view take(std::uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const auto result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }
  void skip_many(std::uint64_t count, unsigned depth) {
    for (std::uint64_t i = 0; i < count && ok_; ++i)
      skip(depth + 1);
  }

  std::string_view rest_;
  bool ok_ = true;
};

void reader::skip(unsigned depth) {
  if (depth > depth_max)
    ok_ = false;
  if (!ok_)
    return;
  const auto tag = byte();
  if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
    return;
  if (tag < 0x90)
    return skip_many(std::uint64_t{2} * (tag & 0x0fU), depth);
  if (tag < 0xa0)
    return skip_many(tag & 0x0fU, depth);
  if (tag < 0xc0) {
    take(tag & 0x1fU);
  } else if (tag >= 0xc4 && tag <= 0xc6) {
    take(big(1U << (tag - 0xc4)));
  } else if (tag >= 0xc7 && tag <= 0xc9) {
    take(big(1U << (tag - 0xc7)) + 1);
  } else if (tag == 0xca || tag == 0xcb) {
    take(tag == 0xca ? 4 : 8);
  } else if (tag >= 0xcc && tag <= 0xcf) {
    take(1U << (tag - 0xcc));
  } else if (tag >= 0xd0 && tag <= 0xd3) {
    take(1U << (tag - 0xd0));
  } else if (tag >= 0xd4 && tag <= 0xd8) {
    take((1U << (tag - 0xd4)) + 1);
  } else if (tag >= 0xd9 && tag <= 0xdb) {
    take(big(1U << (tag - 0xd9)));
  } else if (tag == 0xdc || tag == 0xdd) {
    skip_many(big(tag == 0xdc ? 2 : 4), depth);
  } else if (tag == 0xde || tag == 0xdf) {
    skip_many(2 * big(tag == 0xde ? 2 : 4), depth);
  } else {
    ok_ = false;
  }
}

server_frame decode_delivery(reader& from, std::uint64_t size) {
  // [2, id, to, channel, flags, content, timestamp, meta, from, serverId, …]
  if (size < 10)
    return unreadable{};
  delivery result;
  result.id = from.text();
  result.to = from.text();
  from.skip();
  result.kind = static_cast<unsigned>(from.number() >> 4 & 0x0f);
  result.content = from.text();
  from.skip();
  from.skip();
  result.from = from.text();
  result.server_id = from.text();
  return from.ok() ? server_frame(result) : unreadable{};
}

} // namespace

void encode(const client_message& message, std::string& out) {
  put(out, 0x97);
  put(out, 2);
  put_str(out, message.id);
  put_str(out, message.to);
  put(out, 1);
  put(out, 0);
  put_bin(out, message.content);
  put_uint(out, message.timestamp);
}

void encode_ack(std::string_view server_ids, std::string& out) {
  assert(server_ids.size() % server_id_size == 0);
  const auto count = server_ids.size() / server_id_size;
  put(out, 0x92);
  put(out, 1);
  if (count < 16) {
    put(out, 0x90U | static_cast<unsigned>(count));
  } else if (count < 65536) {
    put(out, 0xdc);
    put_big(out, count, 2);
  } else {
    put(out, 0xdd);
    put_big(out, count, 4);
  }
  for (std::size_t i = 0; i < count; ++i)
    put_str(out, server_ids.substr(i * server_id_size, server_id_size));
}

server_frame decode(std::string_view frame) {
  reader from(frame);
  const auto size = from.array();
  if (!from.ok() || size < 2)
    return unreadable{};
  const auto type = from.number();
  if (type == 2)
    return decode_delivery(from, size);
  if (type == 0) {
    server_ack result;
    result.id = from.text();
    result.status = size > 2 ? from.number() : 0;
    result.server_id = size > 3 ? from.text() : std::string_view();
    if (size > 4)
      from.skip();
    result.durability = size > 5 ? from.number() : 0;
    return from.ok() ? server_frame(result) : unreadable{};
  }
  if (type == 9) {
    refusal result;
    result.id = from.text();
    result.code = size > 2 ? from.text() : std::string_view();
    result.message = size > 3 ? from.text() : std::string_view();
    return from.ok() ? server_frame(result) : unreadable{};
  }
  return unreadable{};
}

} // namespace vartalap::load
