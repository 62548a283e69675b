#include "bench/mqtt_packet.hpp"

namespace vartalap::bench::mqtt {

namespace {

constexpr std::string_view protocol_name = "MQTT";
constexpr char protocol_level = 4; // 3.1.1
constexpr unsigned qos_1 = 1;

void append_u16(std::string& out, std::size_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

void append_text(std::string& out, std::string_view text) {
  append_u16(out, text.size());
  out.append(text);
}

void append_header(std::string& out, packet_type type, unsigned flags,
                   std::size_t body_bytes) {
  out.push_back(static_cast<char>(static_cast<unsigned>(type) << 4 | flags));
  while (body_bytes > 0x7F) {
    out.push_back(static_cast<char>(0x80U | (body_bytes & 0x7FU)));
    body_bytes >>= 7;
  }
  out.push_back(static_cast<char>(body_bytes));
}

std::uint16_t u16_at(std::string_view in, std::size_t i) {
  const auto high = static_cast<unsigned char>(in[i]);
  const auto low = static_cast<unsigned char>(in[i + 1]);
  return static_cast<std::uint16_t>(high << 8 | low);
}

/// Fills `out` from the body; false: too short, or not a type we expect.
bool read_body(std::string_view body, unsigned flags, packet& out) {
  switch (out.type) {
    case packet_type::connack:
      if (body.size() < 2)
        return false;
      out.code = static_cast<std::uint8_t>(body[1]);
      return true;
    case packet_type::puback:
      if (body.size() < 2)
        return false;
      out.packet_id = u16_at(body, 0);
      return true;
    case packet_type::suback:
      if (body.size() < 3)
        return false;
      out.packet_id = u16_at(body, 0);
      out.code = static_cast<std::uint8_t>(body[2]);
      return true;
    case packet_type::publish: {
      if (body.size() < 2 || (flags >> 1 & 3U) != qos_1)
        return false;
      const std::size_t topic_end = 2U + u16_at(body, 0);
      if (body.size() < topic_end + 2)
        return false;
      out.duplicate = (flags & 8U) != 0;
      out.packet_id = u16_at(body, topic_end);
      out.payload = body.substr(topic_end + 2);
      return true;
    }
    default:
      return false;
  }
}

} // namespace

read_result read_packet(std::string_view in, std::size_t& offset, packet& out) {
  constexpr std::size_t length_bytes_max = 4;
  std::size_t at = offset + 1;
  std::size_t length = 0;
  for (std::size_t i = 0;; ++i, ++at) {
    if (i == length_bytes_max)
      return read_result::broken;
    if (at >= in.size())
      return read_result::incomplete;
    const auto byte = static_cast<unsigned char>(in[at]);
    length |= static_cast<std::size_t>(byte & 0x7FU) << (7 * i);
    if ((byte & 0x80U) == 0)
      break;
  }
  ++at;
  if (in.size() - at < length)
    return read_result::incomplete;
  const auto first = static_cast<unsigned char>(in[offset]);
  packet found;
  found.type = static_cast<packet_type>(first >> 4);
  if (!read_body(in.substr(at, length), first & 0x0FU, found))
    return read_result::broken;
  out = found;
  offset = at + length;
  return read_result::packet;
}

void append_connect(std::string& out, std::string_view client_id,
                    std::uint16_t keep_alive_s) {
  append_header(out, packet_type::connect, 0,
                2 + protocol_name.size() + 4 + 2 + client_id.size());
  append_text(out, protocol_name);
  out.push_back(protocol_level);
  out.push_back('\0'); // no flag set: the session is kept
  append_u16(out, keep_alive_s);
  append_text(out, client_id);
}

void append_subscribe(std::string& out, std::uint16_t packet_id,
                      std::string_view topic) {
  append_header(out, packet_type::subscribe, 2, 2 + 2 + topic.size() + 1);
  append_u16(out, packet_id);
  append_text(out, topic);
  out.push_back(static_cast<char>(qos_1));
}

void append_publish(std::string& out, std::uint16_t packet_id,
                    std::string_view topic, std::string_view payload) {
  append_header(out, packet_type::publish, qos_1 << 1,
                2 + topic.size() + 2 + payload.size());
  append_text(out, topic);
  append_u16(out, packet_id);
  out.append(payload);
}

void append_puback(std::string& out, std::uint16_t packet_id) {
  append_header(out, packet_type::puback, 0, 2);
  append_u16(out, packet_id);
}

void append_disconnect(std::string& out) {
  append_header(out, packet_type::disconnect, 0, 0);
}

} // namespace vartalap::bench::mqtt
