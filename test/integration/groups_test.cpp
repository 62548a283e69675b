// Groups from outside: HTTP calls in both spellings, messages, events.

#include "test/integration/rig/groups.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace vartalap::integration;

TEST_CASE("groups are made, shown, changed and left over HTTP") {
  server_process server;
  const auto port = server.port();
  const auto group = create(port, "alice", {"bob", " carl "});
  CHECK(group.size() == 36);
  const auto shown = call(port, "GET", "bob", "/v1.0/groups/" + group);
  CHECK(json_at(shown.body, "/groupId") == group);
  CHECK(json_at(shown.body, "/name") == "friends");
  CHECK(json_at(shown.body, "/profilePic") == "null");
  CHECK(members_of(shown.body) == "alice! bob carl");

  const auto members = "/v1.0/groups/" + group + "/members";
  const auto add
    = call(port, "POST", "bob", members, R"({"members":["dora"]})");
  CHECK(add.status == 200);
  CHECK(add.body == R"({"status":true})");
  CHECK(call(port, "POST", "bob", members, "{}").body == R"({"status":true})");
  CHECK(info(port, "dora", group) == "alice! bob carl dora");

  const auto refused
    = call(port, "DELETE", "bob", members, R"({"member":"carl"})");
  CHECK(refused.status == 200);
  CHECK(refused.body == R"({"status":false})");
  CHECK(call(port, "DELETE", "alice", members, R"({"member":"carl"})").body
        == R"({"status":true})");
  CHECK(info(port, "carl", group) == "404");
  // The last admin leaves: who has been here longest is admin.
  CHECK(call(port, "DELETE", "alice", members, R"({"member":"alice"})").body
        == R"({"status":true})");
  CHECK(info(port, "dora", group) == "bob! dora");
  for (const auto* user : {"alice", "eve"}) {
    const auto none = call(port, "POST", user, members, R"({"members":["x"]})");
    CHECK(none.status == 404);
    CHECK(none.body == R"({"status":false})");
  }
}

TEST_CASE("groups answer in the older spelling too") {
  server_process server;
  const auto port = server.port();
  const auto group = create(port, "alice", {"bob"}, "/group/create");
  const auto path = "/v1.0/group/" + group;
  CHECK(
    call(port, "POST", "alice", path + "/add", R"({"members":["carl"]})").body
    == R"({"status":true})");
  CHECK(
    call(port, "POST", "alice", path + "/remove", R"({"member":"bob"})").body
    == R"({"status":true})");
  CHECK(members_of(call(port, "GET", "carl", path).body) == "alice! carl");
  const auto list = call(port, "GET", "carl", "/group/get");
  REQUIRE(list.status == 200);
  CHECK(json_list(list.body, "").size() == 1);
  CHECK(call(port, "DELETE", "alice", "/group/create").status == 405);
  CHECK(call(port, "GET", "alice", "/group/create").status == 405);
}

TEST_CASE("the list of groups follows every change at once, and a restart") {
  server_process server;
  const auto port = server.port();
  const auto names = [&](const std::string& user) {
    std::set<std::string> out;
    const auto list = call(port, "GET", user, "/v1.0/groups/");
    REQUIRE(list.status == 200);
    for (const auto& one : json_list(list.body, ""))
      out.insert(json_at(one, "/groupId"));
    return out;
  };
  CHECK(names("alice").empty());
  const auto one = create(port, "alice", {"bob"});
  const auto two = create(port, "bob", {});
  const auto members = "/groups/" + two + "/members";
  CHECK(names("alice") == std::set<std::string>{one});
  CHECK(names("bob") == std::set<std::string>{one, two});
  call(port, "POST", "bob", members, R"({"members":["alice"]})");
  CHECK(names("alice") == std::set<std::string>{one, two});
  server.kill();
  server.start();
  CHECK(names("alice") == std::set<std::string>{one, two});
  call(port, "DELETE", "bob", members, R"({"member":"alice"})");
  CHECK(names("alice") == std::set<std::string>{one});
  // A long name has a list like any other.
  const std::string longest(128, 'n');
  call(port, "POST", "bob", members, "{\"members\":[\"" + longest + "\"]}");
  CHECK(names(longest) == std::set<std::string>{two});
}

TEST_CASE("what is wrong with a group's call is said") {
  server_process server;
  const auto port = server.port();
  for (const auto* body :
       {"", "[]", "{}", R"({"name":"x"})", R"({"name":"","members":[]})",
        R"({"name":"x","members":"bob"})", R"({"name":"x","members":[1]})",
        R"({"name":"x","members":["server"]})",
        R"({"name":"x","members":[],"profilePic":7})"}) {
    INFO(body);
    const auto answer = call(port, "POST", "alice", "/groups/", body);
    CHECK(answer.status == 400);
    CHECK(json_at(answer.body, "/code") == "bad_frame");
  }
  std::vector<std::string> many;
  for (int i = 0; i <= 100; ++i)
    many.push_back("u" + std::to_string(i));
  CHECK(call(port, "POST", "alice", "/groups/",
             R"({"name":"x","members":)" + list_of(many) + "}")
          .status
        == 400);
  CHECK(call(port, "GET", "alice", "/groups/x").status == 404);
  CHECK(call(port, "GET", "alice", "/groups/x/members").status == 405);
  CHECK(call(port, "GET", "alice", "/groups/x/y/z").status == 404);
  CHECK(call(port, "PUT", "alice", "/groups/").status == 405);
  CHECK(call(port, "GET", "", "/groups/").status == 401);
  CHECK(call(port, "GET", "a", "/groups/00000000-0000-4000-8000-000000000000")
          .status
        == 404);
}

TEST_CASE("a group's message goes to every member but its sender") {
  server_process server;
  const auto group = create(server.port(), "alice", {"bob", "carl"});
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  chat_peer carl(server.port(), "carl", speech::msgpack, "");
  alice.ws.send(frame("m1", group));
  const auto ack = answer_to(alice, "m1");
  CHECK(ack.kind == heard::what::server_ack);
  CHECK(ack.status == "stored");
  CHECK(ack.durability == "disk");
  CHECK(ack.server_id.size() == 32);
  const auto at_bob = next_message(bob);
  CHECK(at_bob.id == "m1");
  CHECK(json_at(at_bob.raw, "/head/type") == "GROUP");
  CHECK(json_at(at_bob.raw, "/head/to") == group);
  CHECK(json_at(at_bob.raw, "/head/from") == "alice");
  CHECK(json_at(at_bob.body, "/text") == "hello");
  for (auto got = next(carl);; got = next(carl))
    if (got.id == "m1") {
      CHECK(got.from == "alice");
      break;
    }
  // From a MessagePack sender, and back in order.
  for (int i = 2; i <= 20; ++i)
    alice.ws.send(frame("m" + std::to_string(i), group));
  for (int i = 2; i <= 20; ++i)
    CHECK(next_message(bob).id == "m" + std::to_string(i));
  CHECK(waiting(server.port(), "alice").empty());
}

TEST_CASE("a group refuses strangers, and what is no group") {
  server_process server;
  const auto group = create(server.port(), "alice", {"bob"});
  chat_peer eve(server.port(), "eve");
  eve.ws.send(frame("x1", group));
  CHECK(answer_to(eve, "x1").code == "not_a_member");
  eve.ws.send(frame("x2", "00000000-0000-4000-8000-000000000000"));
  CHECK(answer_to(eve, "x2").code == "unknown_group");
  eve.ws.send(frame("x3", "nonsense"));
  CHECK(answer_to(eve, "x3").code == "unknown_group");
  const auto over_http = call(server.port(), "POST", "eve",
                              "/messages?ack=true",
                              "[" + json_string(frame("x4", group)) + "]");
  CHECK(decode_json(json_list(over_http.body, "/acks").at(0)).code
        == "not_a_member");
  CHECK(waiting(server.port(), "bob").empty());
}

TEST_CASE("a group answers resends as the first, and other content as reused") {
  server_process server;
  const auto group = create(server.port(), "alice", {"bob"});
  chat_peer alice(server.port(), "alice");
  alice.ws.send(frame("m1", group));
  const auto first = answer_to(alice, "m1");
  alice.ws.send(frame("m1", group));
  CHECK(answer_to(alice, "m1").server_id == first.server_id);
  alice.ws.send(frame("m1", group, "other"));
  CHECK(answer_to(alice, "m1").code == "id_reused");
  // The same id to bob himself is another message.
  alice.say({.id = "m1", .to = "bob", .text = "to you alone"});
  CHECK(answer_to(alice, "m1").kind == heard::what::server_ack);
  CHECK(waiting(server.port(), "bob", 2)
        == std::vector<std::string>{"m1", "m1"});
}

TEST_CASE("a group's ephemeral message is relayed, and kept nowhere") {
  server_process server;
  const auto group = create(server.port(), "alice", {"bob", "carl"});
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  const auto joined = next_event(bob);
  alice.ws.send(frame("t1", group, "", R"(,"ephemeral":true)"));
  CHECK(answer_to(alice, "t1").status == "relayed");
  const auto got = next(bob);
  CHECK(got.id == "t1");
  CHECK(json_at(got.raw, "/head/to") == group);
  CHECK(waiting(server.port(), "carl").empty());
}

TEST_CASE("every change of a group is told to all, the removed one included") {
  server_process server;
  const auto port = server.port();
  std::map<std::string, std::unique_ptr<chat_peer>> peers;
  for (const auto* user : {"alice", "bob", "carl"})
    peers[user] = std::make_unique<chat_peer>(port, user);
  const auto group = create(port, "alice", {"bob", "carl"});
  for (auto& [user, peer] : peers) {
    const auto event = next_event(*peer);
    CHECK(json_at(event.raw, "/head/type") == "GROUP");
    CHECK(json_at(event.raw, "/head/action") == "add");
    CHECK(json_at(event.raw, "/head/from") == "alice");
    CHECK(json_at(event.raw, "/head/to") == group);
    CHECK(json_at(event.raw, "/head/chatid") == group);
    CHECK(json_at(event.raw, "/head/chatId") == group);
    CHECK(json_list(event.body, "/added").size() == 3);
    CHECK(json_at(event.body, "/added/0/username") == "alice");
    CHECK(json_at(event.body, "/added/0/role") == "admin");
    CHECK(json_at(event.body, "/added/2/role") == "user");
  }
  call(port, "DELETE", "alice", "/groups/" + group + "/members",
       R"({"member":"carl"})");
  for (auto& [user, peer] : peers) {
    const auto event = next_event(*peer);
    CHECK(json_at(event.raw, "/head/action") == "remove");
    CHECK(json_list(event.body, "/removed")
          == std::vector<std::string>{"carl"});
  }
  call(port, "POST", "bob", "/groups/" + group + "/members",
       R"({"members":["carl","dora"]})");
  CHECK(json_list(next_event(*peers["carl"]).body, "/added").size() == 2);
}

TEST_CASE("a member whose mailbox is full delays nobody else") {
  server_process server(server_settings{{"limits.mailbox_messages", "6"}});
  const auto port = server.port();
  const auto group = create(port, "alice", {"bob", "carl"});
  chat_peer alice(port, "alice");
  chat_peer carl(port, "carl");
  for (int i = 0; i < 12; ++i) {
    const auto id = "m" + std::to_string(i);
    alice.ws.send(frame(id, group));
    CHECK(answer_to(alice, id).kind == heard::what::server_ack);
    CHECK(next_message(carl).id == id);
  }
  // Bob's mailbox holds the event and five; what he takes makes room.
  std::vector<std::string> got;
  const auto until = clock::now() + 3 * patience;
  while (got.size() < 11 && clock::now() < until) {
    const auto page = call(port, "GET", "bob", "/messages?limit=1");
    for (const auto& text : json_list(page.body, "/messages")) {
      const auto one = decode_json(text);
      if (json_at(one.raw, "/head/contentType") != "notification")
        got.push_back(one.id);
      call(port, "POST", "bob", "/messages/ack",
           "{\"serverIds\":" + list_of({one.server_id}) + "}");
    }
  }
  // The group holds as much as a mailbox: what only bob still owed was given
  // up from the oldest on where that was full.
  CHECK(std::is_sorted(got.begin(), got.end(), [](auto& x, auto& y) {
    return std::stoi(x.substr(1)) < std::stoi(y.substr(1));
  }));
  CHECK(got.size() >= 10);
  CHECK(got.back() == "m11");
}
