#include "core/crc32c.hpp"
#include "storage/record_format.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace vartalap;
using namespace vartalap::storage;

namespace {

std::string random_text(std::mt19937& random, std::size_t size) {
  std::string out(size, '\0');
  for (auto& c : out)
    c = static_cast<char>(random());
  return out;
}

std::string record_of(const core::envelope& message, std::string_view key,
                      std::vector<std::string> acked = {}) {
  std::string out;
  encode_record(out, key, message, acked, nullptr);
  return out;
}

} // namespace

TEST_CASE("crc32c gives the check value of RFC 3720, fast or portable") {
  CHECK(core::crc32c("123456789") == 0xe3069283U);
  CHECK(core::crc32c_portable("123456789") == 0xe3069283U);
  std::mt19937 random{7};
  for (std::size_t size = 0; size < 100; ++size) {
    const auto text = random_text(random, size);
    CHECK(core::crc32c(text) == core::crc32c_portable(text));
    const auto half = std::string_view{text}.substr(0, size / 2);
    const auto rest = std::string_view{text}.substr(size / 2);
    CHECK(core::crc32c(rest, core::crc32c(half)) == core::crc32c(text));
  }
}

TEST_CASE("record keys sort as users and serverIds do") {
  const core::server_id low{1, 2};
  const core::server_id high{1, 3};
  CHECK(std::string_view{mailbox_key("bob", low)}
        < std::string_view{mailbox_key("bob", high)});
  CHECK(std::string_view{journal_key(255)}
        < std::string_view{journal_key(256)});
  CHECK(sequence_of(journal_key(0x0102030405060708)) == 0x0102030405060708);
  const auto key = mailbox_key("bob", low);
  const auto parts = split_user_key(key);
  REQUIRE(parts);
  CHECK(parts->user == "bob");
  CHECK(parts->rest.size() == 16);
}

TEST_CASE("record keys hold the longest user and device") {
  const std::string user(128, 'u');
  const std::string device(64, 'd');
  const auto key = device_key(user, device);
  const auto parts = split_user_key(key);
  REQUIRE(parts);
  CHECK(parts->user == user);
  CHECK(parts->rest == device);
}

TEST_CASE("record keeps every field of a message") {
  auto message = *test::make_message("bob", 3, 500);
  message.type = core::message_type::notification;
  message.channel = core::channel::group;
  message.kind = core::content_kind::msgpack;
  message.meta.push_back({"empty", "", false});
  const auto key = journal_key(9);
  const auto bytes = record_of(message, key, {"phone", "tablet"});
  const auto record = read_record(key, bytes);
  REQUIRE(record);
  const auto pending = record->to_pending();
  CHECK(pending.serverid == message.serverid);
  CHECK(pending.key == core::make_dedupe_key("alice", "bob", "m3"));
  CHECK(pending.content_hash == message.content_hash());
  CHECK(pending.server_timestamp == message.server_timestamp);
  CHECK(pending.sender_hash == core::stable_hash("alice"));
  CHECK(pending.weight == message.weight());
  CHECK(pending.type == core::message_type::notification);
  CHECK(pending.acked == std::vector<std::string>{"phone", "tablet"});
  const auto back = decode_envelope(*record, {});
  REQUIRE(back);
  CHECK(back->id == message.id);
  CHECK(back->from == message.from);
  CHECK(back->to == message.to);
  CHECK(back->content == message.content);
  CHECK(back->meta == message.meta);
  CHECK(back->timestamp == message.timestamp);
  CHECK(back->serverid == message.serverid);
  CHECK(back->server_timestamp == message.server_timestamp);
  CHECK(back->type == message.type);
  CHECK(back->channel == message.channel);
  CHECK(back->kind == message.kind);
}

TEST_CASE("record is refused at another key and with any bit flipped") {
  const auto message = test::make_message("bob", 1, 60);
  const auto key = journal_key(5);
  const auto bytes = record_of(*message, key, {"phone"});
  REQUIRE(read_record(key, bytes));
  CHECK_FALSE(read_record(journal_key(6), bytes));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    CHECK_FALSE(read_record(key, bad));
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(read_record(key, std::string_view{bytes}.substr(0, size)));
}

TEST_CASE("record can be moved and gain acknowledgements") {
  const auto message = test::make_message("bob", 1);
  const auto key = journal_key(5);
  const auto bytes = record_of(*message, key, {"phone"});
  const auto place = mailbox_key("bob", message->serverid);
  std::string moved;
  append_moved(moved, place, bytes);
  auto record = read_record(place, moved);
  REQUIRE(record);
  std::string out;
  const std::vector<std::string> same{"phone"};
  CHECK_FALSE(encode_with_acks(out, place, *record, moved, same));
  const std::vector<std::string> more{"tablet", "phone", "tablet"};
  REQUIRE(encode_with_acks(out, place, *record, moved, more));
  record = read_record(place, out);
  REQUIRE(record);
  CHECK(record->acked_names() == std::vector<std::string>{"phone", "tablet"});
  REQUIRE(decode_envelope(*record, {}));
  CHECK(decode_envelope(*record, {})->content == message->content);
}

TEST_CASE("record decoding survives bodies of garbage") {
  const auto message = test::make_message("bob", 1);
  const auto key = journal_key(5);
  const auto bytes = record_of(*message, key);
  auto record = *read_record(key, bytes);
  std::mt19937 random{11};
  for (int i = 0; i < 2000; ++i) {
    const auto garbage = random_text(random, random() % 40);
    record.body = garbage;
    decode_envelope(record, {});
  }
  record.body = {};
  CHECK(decode_envelope(record, {}) == nullptr);
}

TEST_CASE("device record keeps its fields and notices damage") {
  const core::device_record device{"phone", 123456, {7, 8}, 9};
  const auto key = device_key("bob", "phone");
  std::string bytes;
  encode_device(bytes, key, device);
  const auto back = read_device(key, "phone", bytes);
  REQUIRE(back);
  CHECK(*back == device);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  CHECK_FALSE(read_device(key, "phone", bytes));
}
