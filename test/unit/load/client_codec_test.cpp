#include "load/client_codec.hpp"

#include <catch2/catch.hpp>

using namespace std::string_literals;
using namespace vartalap::load;

namespace {

const std::string server_id(32, 'a');

/// [2, "m1", "bob", 1, 0, bin "hi", 1000, nil, "alice", serverId, 2000]
std::string delivery_frame(const std::string& content = "\xc4\x02hi"s) {
  return "\x9b\x02\xa2m1\xa3"
         "bob\x01\x00"s
         + content + "\xcd\x03\xe8\xc0\xa5"s + "alice" + "\xd9\x20"s + server_id
         + "\xcd\x07\xd0"s;
}

} // namespace

TEST_CASE("client_codec writes a message as protocol.md lays it out") {
  client_message m;
  m.id = "m1";
  m.to = "bob";
  m.content = "hi";
  m.timestamp = 5;
  std::string out;
  encode(m, out);
  CHECK(out
        == "\x97\x02\xa2m1\xa3"
           "bob\x01\x00\xc4\x02hi\x05"s);
}

TEST_CASE("client_codec writes long contents with a long length") {
  client_message m;
  m.id = "m";
  m.to = "u";
  const std::string content(70'000, 'x');
  m.content = content;
  m.timestamp = 1'700'000'000'000;
  std::string out;
  encode(m, out);
  CHECK(out.find("\xc6\x00\x01\x11\x70"s) != std::string::npos);
  CHECK(out.ends_with("\xcf\x00\x00\x01\x8b\xcf\xe5\x68\x00"s));
}

TEST_CASE("client_codec writes one ack for many serverIds") {
  std::string out;
  encode_ack(server_id, out);
  CHECK(out == "\x92\x01\x91\xd9\x20"s + server_id);
  out.clear();
  std::string many;
  for (int i = 0; i < 20; ++i)
    many += server_id;
  encode_ack(many, out);
  CHECK(out.starts_with("\x92\x01\xdc\x00\x14\xd9\x20"s));
  CHECK(out.size() == 5 + 20 * 34);
}

TEST_CASE("client_codec reads a delivery") {
  const auto frame = delivery_frame();
  const auto what = decode(frame);
  REQUIRE(std::holds_alternative<delivery>(what));
  const auto& d = std::get<delivery>(what);
  CHECK(d.id == "m1");
  CHECK(d.to == "bob");
  CHECK(d.from == "alice");
  CHECK(d.content == "hi");
  CHECK(d.server_id == server_id);
  CHECK(d.kind == 0);
}

TEST_CASE("client_codec skips contents that are no bin") {
  // {"a": [1, -1, 1.5, nil]}
  const auto frame
    = delivery_frame("\x81\xa1"s + "a"
                     + "\x94\x01\xff\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xc0"s);
  const auto what = decode(frame);
  REQUIRE(std::holds_alternative<delivery>(what));
  CHECK(std::get<delivery>(what).content.empty());
  CHECK(std::get<delivery>(what).from == "alice");
}

TEST_CASE("client_codec reads confirmations and refusals") {
  const auto ack = decode("\x96\x00\xa2m1\x01\xd9\x20"s + server_id
                          + "\xcd\x07\xd0\xcc\xff"s);
  // The views point into a temporary: only numbers are looked at.
  REQUIRE(std::holds_alternative<server_ack>(ack));
  CHECK(std::get<server_ack>(ack).status == 1);
  CHECK(std::get<server_ack>(ack).durability == 255);

  const auto text = "\x94\x09\xa2m1\xa9not_found\xa1x"s;
  const auto error = decode(text);
  REQUIRE(std::holds_alternative<refusal>(error));
  CHECK(std::get<refusal>(error).id == "m1");
  CHECK(std::get<refusal>(error).code == "not_found");
}

TEST_CASE("client_codec reads short confirmations and unknown elements") {
  const auto shortest = decode("\x92\x00\xa2m1"s);
  CHECK(std::holds_alternative<server_ack>(shortest));
  const auto longer = decode("\x95\x09\xa2m1\xa1x\xc0\x81\x01\x02"s);
  CHECK(std::holds_alternative<refusal>(longer));
}

TEST_CASE("client_codec survives every truncation") {
  const auto frame = delivery_frame();
  for (std::size_t n = 0; n + 3 < frame.size(); ++n)
    CHECK(std::holds_alternative<unreadable>(
      decode(std::string_view(frame).substr(0, n))));
  CHECK(
    std::holds_alternative<unreadable>(decode("\xdd\xff\xff\xff\xff\x02"s)));
  CHECK(std::holds_alternative<unreadable>(
    decode(delivery_frame(std::string(100, '\x91')))));
}
