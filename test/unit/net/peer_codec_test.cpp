#include "net/peer_messages.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace vartalap;
using namespace vartalap::net;

namespace {

std::shared_ptr<core::envelope> sample() {
  auto out = std::make_shared<core::envelope>();
  out->id = "m1";
  out->from = "alice";
  out->to = "bob";
  out->content = std::string("a\0b", 3);
  out->meta = {{"k", "v", false}, {"_m.n", "17", true}};
  out->timestamp = 1'700'000'000'000;
  out->serverid = {0x0123456789abcdefULL, 42};
  out->server_timestamp = 1'700'000'000'001;
  out->type = core::message_type::notification;
  out->channel = core::channel::other;
  out->kind = core::content_kind::json;
  out->group = "g1";
  return out;
}

/// There and back, and there again: the bytes are the same.
template <class T>
T round_trip(const T& message) {
  std::string bytes;
  encode_peer(message, bytes);
  auto back = decode_peer(bytes);
  REQUIRE(back.has_value());
  REQUIRE(std::holds_alternative<T>(*back));
  std::string again;
  encode_peer(*back, again);
  CHECK(again == bytes);
  return std::get<T>(std::move(*back));
}

} // namespace

TEST_CASE("peer_codec keeps a message as it is") {
  const auto out = round_trip(peer::submit{7, "phone", sample()});
  const auto& m = *out.message;
  const auto s = sample();
  CHECK(out.token == 7);
  CHECK(out.own_device == "phone");
  CHECK(m.id == s->id);
  CHECK(m.content == s->content);
  CHECK(m.content_hash() == s->content_hash());
  CHECK(m.serverid == s->serverid);
  CHECK(m.server_timestamp == s->server_timestamp);
  CHECK(m.timestamp == s->timestamp);
  CHECK(m.group == s->group);
}

TEST_CASE("peer_codec keeps every kind of message") {
  round_trip(peer::attach{1, "bob", "phone", 77});
  round_trip(peer::detach{1});
  const auto acks = round_trip(
    peer::acks{3, 4, "bob", "phone", {{1, 2}, {3, 4}}, {"a"}, {{"x", "y"}}});
  CHECK(acks.serverids.at(1) == core::server_id{3, 4});
  CHECK(acks.named.at(0).second == "y");
  round_trip(peer::written{1, 2, 3});
  round_trip(peer::list{1, "bob", "phone", 100, 1 << 20});
  round_trip(peer::change_device{"bob", "phone", true});
  const core::push_target target{core::push_platform::apns, "token", 77};
  const auto change
    = round_trip(peer::change_device{"bob", "phone", false, true, target});
  CHECK(change.sets_push);
  CHECK(change.push == target);
  round_trip(peer::inspect{9, "bob"});
  const auto confirmed = round_trip(peer::confirmed{
    9, {5, 6}, 7, core::ack_status::delivered, core::durability::written});
  CHECK(confirmed.durability == core::durability::written);
  round_trip(peer::refused{9, core::refusal::mailbox_full});
  round_trip(peer::merged{9});
  round_trip(peer::not_home{9, 10});
  round_trip(peer::attached{1});
  round_trip(peer::deliver{1, 2, 3, sample()});
  round_trip(peer::gap{1, 2});
  round_trip(peer::close{1, core::effect::close_reason::erased});
  round_trip(peer::page{1, true, false, true, {sample(), sample()}});
  core::mailbox::inspection seen;
  seen.devices.push_back({"phone", true, 1, 2, 3, 4});
  seen.pending = 5;
  CHECK(round_trip(peer::inspected{1, seen}).what.devices.at(0).stuck == 4);
  round_trip(peer::counted{1, 2});
  round_trip(peer::copy_put{1, true, {"phone", "web"}, sample()});
  round_trip(peer::copy_remove{1, "bob", {1, 2}, true});
  round_trip(peer::copy_ack{1, "bob", {1, 2}, "phone"});
  round_trip(peer::copy_device{1, "bob", {"phone", 1, {2, 3}, 4}});
  core::device_record device{"phone", 1, {2, 3}, 4, target};
  CHECK(round_trip(peer::copy_device{1, "bob", device}).record == device);
  round_trip(peer::copy_erase_device{1, "bob", "phone", 5, true});
  round_trip(peer::copy_clear_offline{1, "bob"});
  round_trip(peer::stored{{1, 2}, {3}});
}

TEST_CASE("peer_codec keeps what cluster_cores say") {
  namespace say = core::say;
  const core::cluster_message all[] = {
    say::status{core::node_phase::serving, {1, 2}, true, 9},
    say::claims{true, {{1, 2}, {65535, 4}}, {7}},
    say::please_take{{1, 2, 3}},
    say::sums{1, 2, 3, {{4, 5, ~std::uint64_t{0}}}},
    say::differs{1, 2, {3}},
    say::listing{1,
                 2,
                 {{"bob", {1, 2}, 3}},
                 {{"bob", {"phone", 1, {}, 2}}},
                 {{"eve", {4, 5}, "", 6}}},
    say::wants{1, 2, {{"bob", {1, 2}, 3}}, {{"eve", {}, "phone", 6}}},
    say::pass_done{9},
  };
  for (const auto& one : all)
    CHECK(round_trip(peer::cluster{one}).what.index() == one.index());
}

TEST_CASE("peer_codec takes nothing that is cut or changed for a message") {
  std::string bytes;
  encode_peer(peer::submit{7, "phone", sample()}, bytes);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK_FALSE(decode_peer(std::string_view(bytes).substr(0, n)).has_value());
  CHECK_FALSE(decode_peer(bytes + "x").has_value());
  // Anything may come out of noise, but nothing may break.
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    auto noise = bytes;
    for (int n = 0; n < 3; ++n)
      noise[random() % noise.size()] = static_cast<char>(random());
    decode_peer(noise);
  }
}

TEST_CASE("peer_codec takes no value that an enumeration does not have") {
  std::string bytes;
  const auto takes = [&](const peer_message& message) {
    encode_peer(message, bytes);
    return decode_peer(bytes).has_value();
  };
  const auto past_refusals = static_cast<core::refusal>(core::refusal_count);
  CHECK_FALSE(takes(peer::refused{1, past_refusals}));
  using reason = core::effect::close_reason;
  CHECK_FALSE(takes(peer::close{1, static_cast<reason>(4)}));
  CHECK_FALSE(takes(peer::cluster{
    core::say::status{static_cast<core::node_phase>(3), {}, {}}}));
  CHECK_FALSE(takes(peer::confirmed{
    1, {}, 2, static_cast<core::ack_status>(3), core::durability::disk}));
  const auto sent = sample();
  sent->kind = static_cast<core::content_kind>(3);
  CHECK_FALSE(takes(peer::submit{1, "", sent}));
  sent->kind = core::content_kind::bin;
  sent->channel = static_cast<core::channel>(3);
  CHECK_FALSE(takes(peer::submit{1, "", sent}));
  sent->channel = core::channel::other;
  sent->type = static_cast<core::message_type>(4);
  CHECK_FALSE(takes(peer::submit{1, "", sent}));
  sent->type = core::message_type::custom;
  CHECK(takes(peer::submit{1, "", sent}));
  for (const auto type :
       {core::message_type::group_record, core::message_type::group_command,
        core::message_type::outgoing_custom}) {
    sent->type = type;
    CHECK(takes(peer::submit{1, "", sent}));
  }
  // On disk and on six more nodes.
  CHECK(takes(peer::confirmed{
    1, {}, 2, core::ack_status::stored, static_cast<core::durability>(7)}));
}

TEST_CASE("peer_codec takes no array that is longer than what came") {
  // The kind of `stored`, then 8,388,608 tickets of which none is there.
  CHECK_FALSE(decode_peer(std::string("\x92\x19\x92\xdd\x00\x80\x00\x00", 8)));
}

TEST_CASE("peer_codec refuses a hello that is damaged, long or none") {
  peer::hello hello;
  hello.version_max = 1;
  hello.session = 99;
  hello.name = "n1";
  hello.refusal = "no";
  auto blob = encode_hello(hello);
  const auto back = decode_hello({blob.data(), blob.size()});
  REQUIRE(back.has_value());
  CHECK(back->session == 99);
  CHECK(back->name == "n1");
  CHECK(back->refusal == "no");
  for (auto& byte : blob) {
    byte = static_cast<char>(byte ^ 4);
    CHECK_FALSE(decode_hello({blob.data(), blob.size()}).has_value());
    byte = static_cast<char>(byte ^ 4);
  }
  hello.refusal.assign(5000, 'x');
  blob = encode_hello(hello);
  CHECK_FALSE(decode_hello({blob.data(), blob.size()}).has_value());
  CHECK_FALSE(decode_hello("").has_value());
}
