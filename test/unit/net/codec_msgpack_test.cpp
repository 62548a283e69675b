#include "net/codec_msgpack_reader.hpp"
#include "test/unit/net/codec_support.hpp"

#include <sstream>

#include <msgpack.hpp>

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;
using core::refusal;

namespace {

template <class Fill>
std::string packed(Fill fill) {
  std::ostringstream out;
  msgpack::packer<std::ostream> pack{out};
  fill(pack);
  return out.str();
}

using packer = msgpack::packer<std::ostream>;

std::string whole_message() {
  return packed([](packer& pack) {
    pack.pack_array(8);
    pack.pack(2);
    pack.pack("m1");
    pack.pack("bob");
    pack.pack(2);
    pack.pack(0x11);
    pack.pack_bin(3);
    pack.pack_bin_body("a\0b", 3);
    pack.pack(std::uint64_t{1700000000000});
    pack.pack(
      std::map<std::string, std::string>{{"action", "typing"}, {"_m.k", "v"}});
  });
}

msgpack::object_handle unpacked(const std::string& bytes) {
  std::size_t used = 0;
  auto result = msgpack::unpack(bytes.data(), bytes.size(), used);
  REQUIRE(used == bytes.size());
  return result;
}

} // namespace

TEST_CASE("decode_msgpack reads a whole message") {
  const auto result = message_of(from_msgpack(whole_message()));
  const auto& message = *result.what;
  REQUIRE(message.id == "m1");
  REQUIRE(message.to == "bob");
  REQUIRE(message.from.empty());
  REQUIRE(message.channel == core::channel::group);
  REQUIRE(message.type == core::message_type::notification);
  REQUIRE(message.ephemeral);
  REQUIRE(message.kind == core::content_kind::bin);
  REQUIRE(message.content == std::string("a\0b", 3));
  REQUIRE(message.timestamp == 1700000000000);
  REQUIRE(meta_of(message, "action")->value == "typing");
  REQUIRE(meta_of(message, "_m.k")->value == "v");
}

TEST_CASE("decode_msgpack fills in what was left out or is nil") {
  const std::string shortest = "\x93\x02\xa2m1\xa3"
                               "bob";
  const std::string nils = "\x98\x02\xa2m1\xa3"
                           "bob\xc0\xc0\xc0\xc0\xc0";
  for (const auto& bytes : {shortest, nils}) {
    const auto result = message_of(from_msgpack(bytes));
    REQUIRE(result.what->channel == core::channel::individual);
    REQUIRE(result.what->type == core::message_type::message);
    REQUIRE_FALSE(result.what->ephemeral);
    REQUIRE(result.what->kind == core::content_kind::msgpack);
    REQUIRE(result.what->content == "\xc0");
    REQUIRE(result.what->timestamp == now);
    REQUIRE(result.what->meta.empty());
  }
}

TEST_CASE("decode_msgpack skips elements that it does not know") {
  auto bytes = whole_message();
  bytes[0] = '\x9a';
  bytes += "\xa3"
           "eve\x81\xa1x\x93\x01\x02\xc0";
  const auto result = message_of(from_msgpack(bytes));
  REQUIRE(result.what->from.empty());
}

TEST_CASE("decode_msgpack keeps any value as content, byte for byte") {
  const auto content = GENERATE(as<std::string>{}, "\xc0", "\xc3", "\x05",
                                "\xd0\xff", "\xa2hi", "\xd9\x02hi",
                                "\x92\x01\xa1x", "\x81\x01\xc4\x01z",
                                "\xd4\x05\x01", "\xa1\xff");
  const auto result = message_of(from_msgpack(msgpack_message(content)));
  REQUIRE(result.what->kind == core::content_kind::msgpack);
  REQUIRE(result.what->content == content);
}

TEST_CASE("decode_msgpack takes a timestamp that JavaScript wrote as a float") {
  const auto with_time = [](double time) {
    return packed([time](packer& pack) {
      pack.pack_array(7).pack(2).pack("m1").pack("bob").pack(1).pack(0).pack(1);
      pack.pack(time);
    });
  };
  REQUIRE(message_of(from_msgpack(with_time(1.7e12))).what->timestamp
          == 1700000000000);
  for (const double time : {-1.0, 0.5, 1e300}) {
    REQUIRE(bad_of(from_msgpack(with_time(time))).code == refusal::bad_frame);
  }
}

TEST_CASE("decode_msgpack reads acknowledgements") {
  const std::string id{serverid_text};
  const auto bytes = packed([&id](packer& pack) {
    pack.pack_array(2).pack(1).pack(std::vector<std::string>{id, id, id});
  });
  const auto ack = ack_of(from_msgpack(bytes));
  REQUIRE(ack.serverids == std::vector<core::server_id>(3, serverid()));
}

TEST_CASE("decode_msgpack names the ids of a state message") {
  const auto state = [](const std::string& content) {
    std::string bytes = "\x98\x02\xa2s1\xa3"
                        "bob\x01\x10"
                        + content
                        + "\x01\x81\xa6"
                          "action\xa5state";
    return message_of(from_msgpack(bytes)).state_ids;
  };
  const std::vector<std::string> expected{"m1"};
  const std::string body = R"({"ids":["m1"],"state":"read"})";
  REQUIRE(state("\xc4" + std::string(1, static_cast<char>(body.size())) + body)
          == expected);
  REQUIRE(state("\x82\xa3ids\x91\xa2m1\xa5state\xa4read") == expected);
  REQUIRE(state("\x81\xa3ids\x91\xa2m1").empty());
}

TEST_CASE("decode_msgpack refuses what it cannot take and says why") {
  using namespace std::string_literals;
  const auto [bytes, id, why]
    = GENERATE(table<std::string, std::string, std::string>({
      {"", "", "array"},
      {"ping", "", "array"},
      {"\x90", "", "array"},
      {"\x80", "", "array"},
      {"\x91\xc0", "", "first element"},
      {"\x91\x00"s, "", "first element"},
      {"\x94\x09\xa1x\xa1y\xa1z", "", "first element"},
      {"\x91\x03", "", "first element"},
      {"\x91\xff", "", "first element"},
      {"\x91\x02", "", "id must"},
      {"\x93\x02\x05\xa3"
       "bob",
       "", "id must"},
      {"\x93\x02\xa0\xa3"
       "bob",
       "", "id must"},
      {"\x93\x02\xa2m\x00\xa3"
       "bob"s,
       "", "id must"},
      {"\x93\x02\xa2m\xff\xa3"
       "bob",
       "", "id must"},
      {"\x93\x02\xc4\x02m1\xa3"
       "bob",
       "", "id must"},
      {"\x92\x02\xa2m1", "m1", "to must"},
      {"\x93\x02\xa2m1\xa6server", "m1", "to must"},
      {"\x93\x02\xa2m1\xa2"
       "b\x00"s,
       "m1", "to must"},
      {"\x93\x02\xa2m1\xa2"
       "b\xc3",
       "m1", "to must"},
      {"\x94\x02\xa2m1\xa1"
       "b\x03",
       "m1", "channel"},
      {"\x94\x02\xa2m1\xa1"
       "b\xff",
       "m1", "channel"},
      {"\x94\x02\xa2m1\xa1"
       "b\xa1g",
       "m1", "channel"},
      {"\x95\x02\xa2m1\xa1"
       "b\x01\x30",
       "m1", "flags"},
      {"\x95\x02\xa2m1\xa1"
       "b\x01\xcd\x01\x00"s,
       "m1", "flags"},
      {"\x95\x02\xa2m1\xa1"
       "b\x01\xff",
       "m1", "flags"},
      {"\x97\x02\xa2m1\xa1"
       "b\x01\x00\xc0\xa1x"s,
       "m1", "timestamp"},
      {"\x97\x02\xa2m1\xa1"
       "b\x01\x00\xc0\xff"s,
       "m1", "timestamp"},
      {"\x98\x02\xa2m1\xa1"
       "b\x01\x00\xc0\x01\x90"s,
       "m1", "meta must"},
      {"\x98\x02\xa2m1\xa1"
       "b\x01\x00\xc0\x01\x81\x01\xa1v"s,
       "m1", "meta's keys"},
      {"\x98\x02\xa2m1\xa1"
       "b\x01\x00\xc0\x01\x81\xa1\xff\xa1v"s,
       "m1", "meta's keys"},
      {"\x98\x02\xa2m1\xa1"
       "b\x01\x00\xc0\x01\x81\xa1k\x05"s,
       "m1", "meta's values"},
      {"\x98\x02\xa2m1\xa1"
       "b\x01\x00\xc0\x01\x81\xa1k\xa1\xff"s,
       "m1", "meta's values"},
      {"\x93\x02\xa2m1\xa1"
       "b\xc0",
       "m1", "after the frame"},
      {"\x96\x02\xa2m1\xa1"
       "b\x01\x00\xc1"s,
       "m1", "not one MessagePack value"},
      {"\x91\x01", "", "acknowledgement"},
      {"\x92\x01\x90", "", "acknowledgement"},
      {"\x92\x01\xa1x", "", "acknowledgement"},
      {"\x92\x01\x91\xa1x", "", "serverId"},
      {"\x92\x01\x91\x05", "", "serverId"},
      {"\x92\x01\x91\xd9\x20"
       "00000000000000000000000000000000",
       "", "serverId"},
      {"\x92\x01\x91\xd9\x20"
       "018C0DE1F2A30001000000070000000B",
       "", "serverId"},
    }));
  CAPTURE(why, bytes);
  const auto bad = bad_of(from_msgpack(bytes));
  REQUIRE(bad.code == refusal::bad_frame);
  REQUIRE(bad.id == id);
  REQUIRE(bad.why.find(why) != std::string::npos);
}

TEST_CASE("decode_msgpack believes no count that the bytes cannot hold") {
  using namespace std::string_literals;
  const auto bytes = GENERATE(
    as<std::string>{}, "\xdd\x10\x00\x00\x00"s, "\xdd\xff\xff\xff\xff"s,
    "\xdc\xff\xff\x02"s, "\x92\x01\xdd\xff\xff\xff\xff"s,
    "\x93\x02\xdb\xff\xff\xff\xff"s, "\x93\x02\xd9\xffm"s,
    "\x96\x02\xa2m1\xa1"
    "b\x01\x00\xdf\xff\xff\xff\xff"s,
    "\x96\x02\xa2m1\xa1"
    "b\x01\x00\xdd\x10\x00\x00\x00"s,
    "\x96\x02\xa2m1\xa1"
    "b\x01\x00\xc6\xff\xff\xff\xff"s,
    "\x96\x02\xa2m1\xa1"
    "b\x01\x00\xc9\xff\xff\xff\xff\x01"s,
    "\x98\x02\xa2m1\xa1"
    "b\x01\x00\xc0\x01\xdf\x7f\xff\xff\xff"s);
  bad_of(from_msgpack(bytes));
}

TEST_CASE("decode_msgpack refuses nesting beyond its depth, cheaply") {
  const auto nested = [](std::size_t depth) {
    return msgpack_message(std::string(depth - 1, '\x91') + '\x90');
  };
  message_of(from_msgpack(nested(31)));
  REQUIRE(bad_of(from_msgpack(nested(32))).code == refusal::bad_frame);
  REQUIRE(bad_of(from_msgpack(nested(1'000'000))).code == refusal::bad_frame);
  REQUIRE(bad_of(from_msgpack(std::string(1'000'000, '\x91'))).code
          == refusal::bad_frame);
  // an unknown element is skipped under the same rule
  auto bytes = whole_message();
  bytes[0] = '\x99';
  bad_of(from_msgpack(bytes + std::string(31, '\x91') + '\x90'));
}

TEST_CASE("decode_msgpack refuses a valid frame that is cut off anywhere") {
  const std::string id{serverid_text};
  const auto ack = packed([&id](packer& pack) {
    pack.pack_array(2).pack(1).pack(std::vector<std::string>{id, id});
  });
  for (const auto& whole :
       {whole_message(), ack, msgpack_message("\x82\x01\x92\x01\x02\xa1x\xc0")})
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      bad_of(from_msgpack(std::string_view{whole}.substr(0, size)));
    }
}

TEST_CASE("decode_msgpack takes content up to its limit, not longer") {
  codec_limits limits;
  limits.content_bytes = 4;
  message_of(from_msgpack(msgpack_message("\xc4\x04"
                                          "abcd"),
                          limits));
  message_of(from_msgpack(msgpack_message("\xa3"
                                          "abc"),
                          limits));
  for (const auto* content : {"\xc4\x05"
                              "abcde",
                              "\xa4"
                              "abcd"}) {
    const auto bad = bad_of(from_msgpack(msgpack_message(content), limits));
    REQUIRE(bad.code == refusal::too_large);
    REQUIRE(bad.id == "m1");
  }
}

TEST_CASE("decode_msgpack takes meta up to its limits, not beyond") {
  const auto with_meta = [](std::size_t entries, std::size_t value) {
    return packed([&](packer& pack) {
      pack.pack_array(8).pack(2).pack("m1").pack("bob").pack(1).pack(0);
      pack.pack(1).pack(1).pack_map(static_cast<std::uint32_t>(entries));
      for (std::size_t i = 0; i < entries; ++i)
        pack.pack(std::to_string(100 + i)).pack(std::string(value, 'v'));
    });
  };
  REQUIRE(message_of(from_msgpack(with_meta(32, 1))).what->meta.size() == 32);
  REQUIRE(bad_of(from_msgpack(with_meta(33, 1))).code == refusal::too_large);
  REQUIRE(bad_of(from_msgpack(with_meta(900, 1))).code == refusal::too_large);
  message_of(from_msgpack(with_meta(1, 4093)));
  REQUIRE(bad_of(from_msgpack(with_meta(1, 4094))).code == refusal::too_large);
}

TEST_CASE("encode_delivery writes what msgpack-cxx reads as the array") {
  auto message = accepted(from_msgpack(whole_message()));
  const auto bytes = delivery(encoding::msgpack, message);
  const auto handle = unpacked(bytes);
  const auto& array = handle.get().via.array;
  REQUIRE(handle.get().type == msgpack::type::ARRAY);
  REQUIRE(array.size == 11);
  REQUIRE(array.ptr[0].as<int>() == 2);
  REQUIRE(array.ptr[1].as<std::string>() == "m1");
  REQUIRE(array.ptr[2].as<std::string>() == "bob");
  REQUIRE(array.ptr[3].as<int>() == 2);
  REQUIRE(array.ptr[4].as<int>() == 0x11);
  REQUIRE(array.ptr[5].type == msgpack::type::BIN);
  REQUIRE(array.ptr[5].as<std::string>() == std::string("a\0b", 3));
  REQUIRE(array.ptr[6].as<std::uint64_t>() == 1700000000000);
  REQUIRE(
    array.ptr[7].as<std::map<std::string, std::string>>()
    == std::map<std::string, std::string>{{"action", "typing"}, {"_m.k", "v"}});
  REQUIRE(array.ptr[8].as<std::string>() == "alice");
  REQUIRE(array.ptr[9].as<std::string>() == serverid_text);
  REQUIRE(array.ptr[10].as<std::uint64_t>() == now + 5);
}

TEST_CASE("encode_delivery gives an ephemeral message a nil serverId") {
  core::envelope message;
  message.id = "m1";
  message.kind = core::content_kind::json;
  message.content = "{}";
  const auto handle = unpacked(delivery(encoding::msgpack, message));
  REQUIRE(handle.get().via.array.ptr[9].type == msgpack::type::NIL);
  REQUIRE(handle.get().via.array.ptr[5].as<std::string>() == "{}");
  REQUIRE(handle.get().via.array.ptr[5].type == msgpack::type::BIN);
}

TEST_CASE("encode_delivery writes headers for every size of content") {
  for (const std::size_t size : {0, 31, 32, 255, 256, 65535, 65536, 100000}) {
    core::envelope message;
    message.id = std::string(size % 64 + 1, 'i');
    message.to = std::string(size % 128 + 1, 't');
    message.content = std::string(size, 'c');
    for (std::size_t i = 0; i < size % 33; ++i)
      message.meta.push_back({"k" + std::to_string(i), "v", false});
    const auto bytes = delivery(encoding::msgpack, message);
    const auto handle = unpacked(bytes);
    REQUIRE(handle.get().via.array.ptr[5].as<std::string>() == message.content);
    REQUIRE(handle.get().via.array.ptr[7].via.map.size == size % 33);
  }
}

TEST_CASE("encode_delivery appends to what is there") {
  std::string out = "before";
  encode_delivery(encoding::msgpack, accepted(from_msgpack(whole_message())),
                  out);
  REQUIRE(out.starts_with("before\x9b"));
}

TEST_CASE("encode_server_ack says what was reached, in MessagePack") {
  server_ack ack{"m1", "alice", serverid(), now};
  ack.status = core::ack_status::delivered;
  ack.durability = static_cast<core::durability>(255);
  std::string out;
  encode_server_ack(encoding::msgpack, ack, out);
  const auto handle = unpacked(out);
  const auto& array = handle.get().via.array;
  REQUIRE(array.size == 6);
  REQUIRE(array.ptr[0].as<int>() == 0);
  REQUIRE(array.ptr[1].as<std::string>() == "m1");
  REQUIRE(array.ptr[2].as<int>() == 1);
  REQUIRE(array.ptr[3].as<std::string>() == serverid_text);
  REQUIRE(array.ptr[4].as<std::uint64_t>() == now);
  REQUIRE(array.ptr[5].as<int>() == 255);
}

TEST_CASE("encode_error names code and reason, in MessagePack") {
  std::string out;
  encode_error(encoding::msgpack, "m1", "alice", core::refusal::too_large,
               "why", out);
  const auto handle = unpacked(out);
  const auto words
    = handle.get().as<std::tuple<int, std::string, std::string, std::string>>();
  REQUIRE(words
          == std::make_tuple(9, std::string{"m1"}, std::string{"too_large"},
                             std::string{"why"}));
}

TEST_CASE("encode_gap tells the count, in MessagePack") {
  std::string out;
  encode_gap(encoding::msgpack, "alice", 12, out);
  const auto handle = unpacked(out);
  const auto& array = handle.get().via.array;
  REQUIRE(array.size == 11);
  REQUIRE(array.ptr[4].as<int>() == 0x11);
  REQUIRE(array.ptr[5].as<std::string>() == "{\"count\":12}");
  REQUIRE(array.ptr[8].as<std::string>() == "server");
  REQUIRE(array.ptr[7].as<std::map<std::string, std::string>>()["action"]
          == "gap");
}

TEST_CASE("msgpack_view::reader agrees with msgpack-cxx on random bytes") {
  std::mt19937 random{4242};
  const auto below = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
  };
  // Marks are drawn more often than they are in random bytes.
  const std::string marks = "\x01\x81\x82\x91\x92\xa1\xa2\xc0\xc1\xc3\xc4\xc5"
                            "\xc7\xca\xcc\xcd\xd0\xd3\xd4\xd5\xd9\xdc\xde\xff";
  std::size_t valid = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string bytes;
    for (std::size_t i = 1 + below(12); i > 0; --i)
      bytes.push_back(below(3) == 0 ? static_cast<char>(below(8))
                                    : marks[below(marks.size())]);
    msgpack::null_visitor nothing;
    std::size_t used = 0;
    bool theirs = false;
    try {
      theirs = msgpack::parse(bytes.data(), bytes.size(), used, nothing);
    } catch (const msgpack::unpack_error&) {
      theirs = false;
    }
    msgpack_view::reader reader{bytes};
    const bool ours = reader.skip(msgpack_view::depth_max);
    CAPTURE(round);
    REQUIRE(ours == theirs);
    if (ours)
      REQUIRE(reader.position() == used);
    valid += ours ? 1 : 0;
  }
  REQUIRE(valid > 1000);
}
