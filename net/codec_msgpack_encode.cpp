#include "net/codec_msgpack.hpp"

#include <algorithm>

namespace vartalap::net {

namespace {

/// Writes MessagePack to the end of a string, into room that was made at
/// once. What was not used is given back when it ends.
class packer {
public:
  /// @param room At least as many bytes as will be written.
  packer(std::string& out, std::size_t room) : out_(out) {
    const std::size_t begin = out.size();
    out.resize(begin + room);
    at_ = out.data() + begin;
  }

  packer(const packer&) = delete;
  packer& operator=(const packer&) = delete;

  ~packer() {
    out_.resize(static_cast<std::size_t>(at_ - out_.data()));
  }

  void byte(unsigned value) noexcept {
    *at_++ = static_cast<char>(static_cast<unsigned char>(value));
  }

  void nil() noexcept {
    byte(0xc0);
  }

  void array(unsigned count) noexcept {
    byte(0x90 | count); // no frame has more than 15 elements
  }

  void map(std::size_t count) noexcept {
    if (count < 16)
      return byte(0x80 | static_cast<unsigned>(count));
    marked<std::uint16_t>(0xde, count);
  }

  void uint(std::uint64_t value) noexcept {
    if (value < 0x80)
      byte(static_cast<unsigned>(value));
    else if (value <= 0xff)
      marked<std::uint8_t>(0xcc, value);
    else if (value <= 0xffff)
      marked<std::uint16_t>(0xcd, value);
    else if (value <= 0xffffffff)
      marked<std::uint32_t>(0xce, value);
    else
      marked<std::uint64_t>(0xcf, value);
  }

  void str(std::string_view text) noexcept {
    if (text.size() < 32)
      byte(0xa0 | static_cast<unsigned>(text.size()));
    else
      sized(0xd9, text.size());
    raw(text);
  }

  void bin(std::string_view bytes) noexcept {
    sized(0xc4, bytes.size());
    raw(bytes);
  }

  void serverid(core::server_id id) noexcept {
    if (!id)
      return nil();
    byte(0xd9);
    byte(32);
    id.write_hex(at_);
    at_ += 32;
  }

  void raw(std::string_view bytes) noexcept {
    at_ = std::copy(bytes.begin(), bytes.end(), at_);
  }

private:
  template <class Int>
  void marked(unsigned mark, std::uint64_t value) noexcept {
    byte(mark);
    for (std::size_t i = sizeof(Int); i-- > 0;)
      byte(static_cast<unsigned>(value >> (8 * i)) & 0xff);
  }

  /// @param first The mark of the form with an 8-bit size; those with 16 and
  ///              32 bits follow it.
  void sized(unsigned first, std::size_t size) noexcept {
    if (size <= 0xff)
      marked<std::uint8_t>(first, size);
    else if (size <= 0xffff)
      marked<std::uint16_t>(first + 1, size);
    else
      marked<std::uint32_t>(first + 2, size);
  }

  std::string& out_;
  char* at_;
};

/// Longest header of a str, bin, map or whole number.
constexpr std::size_t header_max = 9;

std::size_t room_for(const core::envelope& message) {
  // 11 elements, the serverId's digits, and what each string and entry needs.
  std::size_t room = 12 * header_max + 32 + message.id.size()
                     + message.addressee().size() + message.from.size()
                     + message.content.size();
  for (const auto& entry : message.meta)
    room += entry.key.size() + entry.value.size() + 2 * header_max;
  return room;
}

unsigned flags_of(const core::envelope& message) noexcept {
  unsigned flags = message.ephemeral ? 1 : 0;
  if (message.type == core::message_type::notification)
    flags |= 1 << 4;
  else if (message.type == core::message_type::custom)
    flags |= 2 << 4;
  return flags;
}

unsigned number_of(core::message_type type) noexcept {
  return static_cast<unsigned>(type);
}

} // namespace

void encode_msgpack_delivery(const core::envelope& message, std::string& out) {
  packer pack{out, room_for(message)};
  pack.array(11);
  pack.byte(number_of(core::message_type::message));
  pack.str(message.id);
  pack.str(message.addressee());
  pack.byte(static_cast<unsigned>(message.channel));
  pack.byte(flags_of(message));
  if (message.kind == core::content_kind::msgpack)
    pack.raw(message.content);
  else
    pack.bin(message.content);
  pack.uint(message.timestamp);
  pack.map(message.meta.size());
  for (const auto& entry : message.meta) {
    pack.str(entry.key);
    pack.str(entry.value);
  }
  pack.str(message.from);
  pack.serverid(message.serverid);
  pack.uint(message.server_timestamp);
}

void encode_msgpack_server_ack(const server_ack& ack, std::string& out) {
  packer pack{out, ack.id.size() + 7 * header_max + 32};
  pack.array(6);
  pack.byte(number_of(core::message_type::server_ack));
  pack.str(ack.id);
  pack.byte(static_cast<unsigned>(ack.status));
  pack.serverid(ack.serverid);
  pack.uint(ack.server_timestamp);
  pack.uint(static_cast<std::uint64_t>(ack.durability));
}

void encode_msgpack_error(std::string_view id, core::refusal code,
                          std::string_view why, std::string& out) {
  const auto name = core::to_string(code);
  packer pack{out, id.size() + name.size() + why.size() + 5 * header_max};
  pack.array(4);
  pack.byte(number_of(core::message_type::error));
  pack.str(id);
  pack.str(name);
  pack.str(why);
}

} // namespace vartalap::net
