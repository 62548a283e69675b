#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;
using core::refusal;

namespace {

/// Length-delimited field `number`, below 16, of less than 128 bytes.
std::string field(unsigned number, std::string_view value) {
  std::string result;
  result.push_back(static_cast<char>(number << 3 | 2));
  result.push_back(static_cast<char>(value.size()));
  return result.append(value);
}

std::string varint(std::uint64_t value) {
  std::string result;
  for (; value > 0x7f; value >>= 7)
    result.push_back(static_cast<char>(value | 0x80));
  result.push_back(static_cast<char>(value));
  return result;
}

std::string long_field(unsigned number, std::string_view value) {
  std::string result;
  result.push_back(static_cast<char>(number << 3 | 2));
  return result.append(varint(value.size())).append(value);
}

std::string meta_entry(std::string_view key, std::string_view value) {
  return long_field(10, long_field(1, key) + long_field(2, value));
}

/// From nobody yet: id, type MESSAGE, to.
std::string shortest() {
  return bytes_of("1202'm1' 1802 3a03'bob'");
}

std::string server_ack_of(const server_ack& ack) {
  std::string out;
  encode_server_ack(encoding::protobuf, ack, out);
  return out;
}

} // namespace

TEST_CASE("decode_protobuf reads a whole message") {
  const auto result = message_of(from_protobuf(
    bytes_of("0d00004040 1202'm1' 1803 2002 2801 3205'carol' 3a03'bob'"
             "4203'a'00'b' 4880d095ffbc31 52100a06'action' 1206'typing'"
             "52090a04'_m.k' 1201'v'")));
  const auto& message = *result.what;
  CHECK(message.id == "m1");
  CHECK(message.to == "bob");
  CHECK(message.from.empty());
  CHECK(message.channel == core::channel::group);
  CHECK(message.type == core::message_type::notification);
  CHECK(message.ephemeral);
  CHECK(message.kind == core::content_kind::bin);
  CHECK(message.content == std::string("a\0b", 3));
  CHECK(message.timestamp == 1700000000000);
  CHECK(meta_of(message, "action")->value == "typing");
  CHECK(meta_of(message, "_m.k")->value == "v");
}

TEST_CASE("decode_protobuf takes zero for what was left out") {
  for (const auto* golden :
       {"1202'm1' 3a03'bob'",
        "0d00000000 1202'm1' 1800 2000 2800 3200 3a03'bob' 4200 4800"}) {
    const auto result = message_of(from_protobuf(bytes_of(golden)));
    CHECK(result.what->channel == core::channel::individual);
    CHECK(result.what->type == core::message_type::message);
    CHECK_FALSE(result.what->ephemeral);
    CHECK(result.what->kind == core::content_kind::bin);
    CHECK(result.what->content.empty());
    CHECK(result.what->timestamp == now);
    CHECK(result.what->meta.empty());
  }
}

TEST_CASE("decode_protobuf takes fields in any order, the last of each, and "
          "skips what it does not know") {
  const auto result = message_of(from_protobuf(
    bytes_of("3a03'bob' 1805 8001 2a 1802 1202'x1' 9a0603'xyz' 1202'm1'"
             "520b0a06'chatid' 1201'a' 520b0a06'chatid' 1201'b' 5a03'new'")));
  CHECK(result.what->id == "m1");
  CHECK(result.what->meta.size() == 1);
  CHECK(meta_of(*result.what, "chatid")->value == "b");
}

TEST_CASE("decode_protobuf reads every form of CLIENT_ACK") {
  const std::string id{serverid_text};
  const auto by_serverid
    = ack_of(from_protobuf(bytes_of("1801 a20120'" + id + "'")));
  CHECK(by_serverid.serverids == std::vector{serverid()});
  const auto both = ack_of(
    from_protobuf(bytes_of("1202'm1' 1801 3a03'bob' a20120'" + id + "'")));
  CHECK(both.serverids == std::vector{serverid()});
  CHECK(both.id == "m1");
  // Without a type, what goes to the server acknowledges.
  for (const auto* golden : {"1202'm1' 1801", "1202'm1' 3a06'server'",
                             "1202'm1' 1800 3a06'server'"}) {
    const auto by_id = ack_of(from_protobuf(bytes_of(golden)));
    CHECK(by_id.serverids.empty());
    CHECK(by_id.id == "m1");
  }
}

TEST_CASE("decode_protobuf refuses what it cannot take and says why") {
  struct refused {
    const char* frame;
    const char* id;
    const char* why;
  };
  const std::vector<refused> cases{
    {"", "", "id is missing"},
    {"1202'm1' 1802", "m1", "recipient (destination) is missing"},
    {"1802 3a03'bob'", "", "id is missing"},
    {"1202'm1' 1802 3a06'server'", "m1", "only CLIENT_ACK"},
    {"1202'm1' 1802 3a02'b'0a", "m1", "destination must be"},
    {"1202'm1' 1802 3a02'b'ff", "m1", "destination must be"},
    {"1202'm'00 1802 3a03'bob'", "", "id must be"},
    {"1202'm'ff 1802 3a03'bob'", "", "id must be"},
    {"1202'm1' 1804 3a03'bob'", "m1", "type must be"},
    {"1202'm1' 1809 3a03'bob'", "m1", "type must be"},
    {"1202'm1' 18ffffffffffffffffff01 3a03'bob'", "m1", "type must be"},
    {"1202'm1' 1802 2003 3a03'bob'", "m1", "channel must be"},
    {"1202'm1' 3a03'bob' 52060a01'k' 1201ff", "m1", "meta's keys and values"},
    {"1202'm1' 3a03'bob' 52060a01ff 1201'v'", "m1", "meta's keys and values"},
    {"1801", "", "names a serverId or an id"},
    {"1801 a20102'zz'", "", "32 lower-case hex digits"},
    {"1202'm1' 1801 a20120'00000000000000000000000000000000'", "m1",
     "32 lower-case hex digits"},
    {"1202'm1' 1802 3aff01'bob'", "m1", "not one protobuf Message"},
    {"1202'm1' 1802 3a03'bob' 07", "m1", "not one protobuf Message"},
    {"'{\"id\":\"m1\"}'", "", "not one protobuf Message"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.frame);
    const auto bad = bad_of(from_protobuf(bytes_of(one.frame)));
    CHECK(bad.code == refusal::bad_frame);
    CHECK(bad.id == one.id);
    CAPTURE(bad.why);
    CHECK(bad.why.find(one.why) != std::string::npos);
  }
}

TEST_CASE("decode_protobuf refuses a length that the bytes cannot hold") {
  for (const auto* golden : {"42ffffffff07", "42ffffffff0f", "52ffffffff07",
                             "42ffffffffffffffff7f", "12feffffff07'm'"}) {
    CAPTURE(golden);
    CHECK(bad_of(from_protobuf(bytes_of(golden))).code == refusal::bad_frame);
  }
}

TEST_CASE("decode_protobuf refuses groups nested without end") {
  CHECK(bad_of(from_protobuf(std::string(60'000, '\x5b'))).code
        == refusal::bad_frame);
}

TEST_CASE("decode_protobuf takes ids and users up to their length, not "
          "longer") {
  const auto with = [](std::size_t id, std::size_t to) {
    return from_protobuf(long_field(2, std::string(id, 'i'))
                         + long_field(7, std::string(to, 't')));
  };
  CHECK(message_of(with(64, 128)).what->to.size() == 128);
  CHECK(bad_of(with(65, 128)).code == refusal::bad_frame);
  CHECK(bad_of(with(64, 129)).code == refusal::bad_frame);
}

TEST_CASE("decode_protobuf takes content up to its limit, not longer") {
  codec_limits limits;
  limits.content_bytes = 100;
  const auto with = [&limits](std::size_t bytes) {
    return from_protobuf(shortest() + field(8, std::string(bytes, 'x')),
                         limits);
  };
  CHECK(message_of(with(100)).what->content.size() == 100);
  const auto bad = bad_of(with(101));
  CHECK(bad.code == refusal::too_large);
  CHECK(bad.id == "m1");
  limits.content_bytes = 0;
  CHECK(message_of(with(101)).what->content.size() == 101);
}

TEST_CASE("decode_protobuf takes meta up to its limits, not beyond") {
  const auto entries = [](std::size_t count) {
    auto bytes = shortest();
    for (std::size_t i = 0; i < count; ++i)
      bytes += meta_entry("k" + std::to_string(i), "v");
    return from_protobuf(bytes);
  };
  CHECK(message_of(entries(32)).what->meta.size() == 32);
  CHECK(bad_of(entries(33)).code == refusal::too_large);
  const auto value = [](std::size_t bytes) {
    return from_protobuf(shortest() + meta_entry("k", std::string(bytes, 'v')));
  };
  CHECK(message_of(value(4095)).what->meta.size() == 1);
  CHECK(bad_of(value(4096)).code == refusal::too_large);
}

TEST_CASE("decode_protobuf reads a frame that is cut off as less, or refuses "
          "it") {
  const auto whole = bytes_of("1202'm1' 1802 2001 3a03'bob' 4205'hello'"
                              "52090a04'_m.k' 1201'v' 4880d095ffbc31");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    const auto decoded = from_protobuf(whole.substr(0, n));
    if (const auto* taken = std::get_if<frame::message>(&decoded)) {
      CHECK(taken->what->id == "m1");
      CHECK(taken->what->to == "bob");
    } else {
      CHECK_FALSE(bad_of(decoded).why.empty());
    }
  }
}

TEST_CASE("encode_delivery writes the headers of every size of content, in "
          "protobuf") {
  auto message = accepted(from_protobuf(shortest()));
  for (const std::size_t size : {0U, 1U, 127U, 128U, 16383U, 16384U, 65536U}) {
    message.content = std::string(size, 'x');
    const auto bytes = delivery(encoding::protobuf, message);
    CHECK(bytes.find(long_field(8, message.content)) != std::string::npos);
    CHECK(message_of(from_protobuf(bytes)).what->content == message.content);
  }
}

TEST_CASE("encode_delivery appends protobuf to what is there") {
  std::string out = "before";
  encode_delivery(encoding::protobuf, accepted(from_protobuf(shortest())), out);
  CHECK(out.starts_with("before\x0d"));
}

TEST_CASE("encode_delivery gives an ephemeral message no serverId, in "
          "protobuf") {
  auto message = accepted(from_protobuf(shortest()));
  message.serverid = {};
  CHECK(delivery(encoding::protobuf, message).find("\xa2\x01")
        == std::string::npos);
}

TEST_CASE("encode_server_ack says what was reached, in protobuf") {
  server_ack ack;
  ack.id = "m1";
  ack.to = "alice";
  ack.serverid = serverid();
  ack.server_timestamp = now + 5;
  ack.status = core::ack_status::delivered;
  ack.durability = core::durability::memory;
  CHECK(hex_of(server_ack_of(ack))
        == hex_of(bytes_of(
          "0d66660640 1202'm1' 1800 2001 2801 3206'server' 3a05'alice'"
          "422c'{\"status\":\"delivered\",\"durability\":\"memory\"}'"
          "a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31")));
  ack.status = core::ack_status::relayed;
  ack.serverid = {};
  CHECK(server_ack_of(ack).find("\xa2\x01") == std::string::npos);
}

TEST_CASE("encode_error names code and reason, in protobuf") {
  std::string out;
  encode_error(encoding::protobuf, "m1", "alice", refusal::too_large,
               "say \"less\"", out);
  CHECK(hex_of(out)
        == hex_of(bytes_of(
          "0d66660640 1202'm1' 1809 2001 2801 3206'server' 3a05'alice'"
          "422d'{\"code\":\"too_large\",\"message\":\"say \\\"less\\\"\"}'")));
}

TEST_CASE("encode_gap tells the count, in protobuf") {
  std::string out;
  encode_gap(encoding::protobuf, "bob", 7, out);
  CHECK(out.find(bytes_of("1803 2001 2801 3206'server' 3a03'bob'"
                          "420b'{\"count\":7}'"))
        != std::string::npos);
  CHECK(out.find(bytes_of("520d0a06'action' 1203'gap'")) != std::string::npos);
}
