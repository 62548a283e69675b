#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// MQTT 3.1.1 control packets as far as the driver needs them: quality of
/// service 1, no will, no retained messages, no credentials.
namespace vartalap::bench::mqtt {

/// Type of a control packet (MQTT 3.1.1, table 2.1).
enum class packet_type : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  subscribe = 8,
  suback = 9,
  disconnect = 14,
};

/// A packet as it was received; `body` points into the buffer it came from and
/// starts behind the fixed header.
struct packet {
  packet_type type = packet_type::connack;
  bool duplicate = false;      ///< DUP flag of a publish.
  std::uint16_t packet_id = 0; ///< Of publish, puback and suback.
  std::uint8_t code = 0;       ///< Return code of connack and suback.
  std::string_view payload;    ///< Of a publish.
};

/// What read_packet() found.
enum class read_result { packet, incomplete, broken };

/// Reads the packet that starts at `offset` of `in` and moves `offset` behind
/// it; otherwise nothing changes. Packets of other types are `broken`.
read_result read_packet(std::string_view in, std::size_t& offset, packet& out);

/// Appends a CONNECT that asks for a session that outlives the connection
/// (clean session off). @param keep_alive_s 0 switches keep-alive off.
void append_connect(std::string& out, std::string_view client_id,
                    std::uint16_t keep_alive_s);

/// Appends a SUBSCRIBE to one topic at quality of service 1.
void append_subscribe(std::string& out, std::uint16_t packet_id,
                      std::string_view topic);

/// Appends a PUBLISH at quality of service 1.
void append_publish(std::string& out, std::uint16_t packet_id,
                    std::string_view topic, std::string_view payload);

/// Appends a PUBACK.
void append_puback(std::string& out, std::uint16_t packet_id);

/// Appends a DISCONNECT.
void append_disconnect(std::string& out);

} // namespace vartalap::bench::mqtt
