#include "bench/latency_histogram.hpp"
#include "bench/mqtt_packet.hpp"
#include "bench/msgpack_view.hpp"
#include "bench/process_meter.hpp"
#include "bench/websocket_frame.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

#include <string>

using namespace vartalap::bench;

TEST_CASE("latency_histogram is exact below 128 µs and never more than 1/64 "
          "too low") {
  for (std::uint64_t us = 0; us < 5'000'000; us += 1 + us / 50) {
    latency_histogram h;
    h.record(us);
    const auto found = h.quantile(1);
    REQUIRE(found <= us);
    REQUIRE(us - found <= us / 64);
    if (us < 128)
      REQUIRE(found == us);
  }
}

TEST_CASE("latency_histogram finds quantiles by rank") {
  latency_histogram h;
  REQUIRE(h.quantile(0.99) == 0);
  for (std::uint64_t us = 1; us <= 100; ++us)
    h.record(us);
  REQUIRE(h.quantile(0.5) == 50);
  REQUIRE(h.quantile(0.99) == 99);
  REQUIRE(h.quantile(1) == 100);
}

TEST_CASE("parse_frame reads what append_frame_header writes, at every split") {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U}) {
    for (const auto side : {ws_side::client, ws_side::server}) {
      const std::string payload(size, 'p');
      std::string wire;
      append_frame_header(wire, ws_opcode::binary, size, side);
      wire += payload;
      ws_frame frame;
      std::size_t offset = 0;
      for (std::size_t have = 0; have < wire.size(); have += 1 + have / 4) {
        REQUIRE(parse_frame({wire.data(), have}, offset, frame, 100'000)
                == ws_parse::incomplete);
        REQUIRE(offset == 0);
      }
      REQUIRE(parse_frame(wire, offset, frame, 100'000) == ws_parse::frame);
      REQUIRE(offset == wire.size());
      REQUIRE(frame.payload == payload);
    }
  }
}

TEST_CASE("parse_frame unmasks with the key of the frame") {
  // RFC 6455, section 5.7: a masked "Hello".
  std::string wire = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  ws_frame frame;
  std::size_t offset = 0;
  REQUIRE(parse_frame(wire, offset, frame, 5) == ws_parse::frame);
  REQUIRE(frame.opcode == ws_opcode::text);
  REQUIRE(frame.payload == "Hello");
}

TEST_CASE("parse_frame refuses a frame over the limit") {
  std::string wire = "\x82\x05Hello";
  ws_frame frame;
  std::size_t offset = 0;
  REQUIRE(parse_frame(wire, offset, frame, 4) == ws_parse::broken);
}

TEST_CASE("http_header finds a header whatever its case") {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nSEC-WebSocket-key:  "
                           "abc \r\n";
  REQUIRE(http_header(head, "Sec-WebSocket-Key") == "abc");
  REQUIRE(http_header(head, "Sec-WebSocket").empty());
}

TEST_CASE("msgpack_view finds the end of every kind of value") {
  using namespace std::string_literals;
  const std::string values[] = {
    "\x07"s,
    "\xff"s,
    "\xc0"s,
    "\xc3"s,
    "\xcd\x01\x02"s,
    "\xd3\x01\x02\x03\x04\x05\x06\x07\x08"s,
    "\xca\x01\x02\x03\x04"s,
    "\xcb\x01\x02\x03\x04\x05\x06\x07\x08"s,
    "\xa3"s + "abc",
    "\xd9\x03"s + "abc",
    "\xc4\x02"s + "ab",
    "\xc5\x00\x02"s + "ab",
    "\xd4\x05"s + "a",
    "\xc7\x02\x05"s + "ab",
    "\x92\x01\xa1"s + "a",
    "\xdc\x00\x02\x01\x02"s,
    "\x81\xa1"s + "k\x91\x01",
    "\xde\x00\x01\x01\x02"s,
  };
  for (const auto& value : values) {
    REQUIRE(msgpack_view::value_size(value + "tail") == value.size());
    const auto cut = value.substr(0, value.size() - 1);
    REQUIRE_FALSE(msgpack_view::value_size(cut));
  }
  REQUIRE_FALSE(msgpack_view::value_size("\xc1"));
  REQUIRE_FALSE(msgpack_view::value_size(std::string(1000, '\x91') + "\x01"));
}

TEST_CASE("msgpack_view reads back what it writes") {
  std::string wire;
  msgpack_view::append_array(wire, 4);
  msgpack_view::append_unsigned(wire, 127);
  msgpack_view::append_unsigned(wire, 128);
  msgpack_view::append_unsigned(wire, std::uint64_t{1} << 40);
  msgpack_view::append_string(wire, std::string(32, 's'));
  std::string_view in = wire;
  REQUIRE(msgpack_view::read_array(in) == 4U);
  REQUIRE(msgpack_view::read_unsigned(in) == 127U);
  REQUIRE(msgpack_view::read_unsigned(in) == 128U);
  REQUIRE(msgpack_view::read_unsigned(in) == std::uint64_t{1} << 40);
  REQUIRE(msgpack_view::read_string(in) == std::string(32, 's'));
  REQUIRE(in.empty());
}

TEST_CASE("mqtt read_packet reads a publish that append_publish wrote") {
  for (const std::size_t size : {0U, 100U, 200U, 20'000U}) {
    const std::string payload(size, 'x');
    std::string wire;
    mqtt::append_publish(wire, 513, "u/12", payload);
    mqtt::packet packet;
    std::size_t offset = 0;
    const std::string_view all = wire;
    REQUIRE(mqtt::read_packet(all.substr(0, all.size() - 1), offset, packet)
            == mqtt::read_result::incomplete);
    REQUIRE(mqtt::read_packet(all, offset, packet)
            == mqtt::read_result::packet);
    REQUIRE(offset == wire.size());
    REQUIRE(packet.type == mqtt::packet_type::publish);
    REQUIRE(packet.packet_id == 513);
    REQUIRE(packet.payload == payload);
  }
}

TEST_CASE("mqtt read_packet refuses a publish of another quality of service") {
  std::size_t offset = 0;
  mqtt::packet packet;
  const std::string wire("\x30\x04\x00\x01tx", 6);
  REQUIRE(mqtt::read_packet(wire, offset, packet) == mqtt::read_result::broken);
}

TEST_CASE("process_meter sees the CPU time and the memory of a process") {
  const process_meter meter(getpid());
  const double before = meter.cpu_us();
  volatile std::uint64_t sum = 0;
  while (meter.cpu_us() - before < 2000)
    sum = sum + 1;
  REQUIRE(sum > 0);
  REQUIRE(meter.pss_bytes() > 100'000);
  REQUIRE_THROWS(process_meter(5'000'000));
}
