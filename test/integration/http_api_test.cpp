#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using namespace vartalap::integration;

namespace {

http_answer post(const server_process& server, const std::string& user,
                 const std::string& path, const std::string& body) {
  return http(server.port(),
              {.method = "POST", .path = path, .user = user, .body = body});
}

http_answer get(const server_process& server, const std::string& user,
                const std::string& path) {
  return http(server.port(), {.path = path, .user = user});
}

std::string message(const std::string& id, const std::string& to,
                    const std::string& text = "hello") {
  return encode(speech::json, {.id = id, .to = to, .text = text});
}

/// The body of POST /messages.
std::string batch(const std::vector<std::string>& frames) {
  std::string out;
  for (const auto& frame : frames)
    out += (out.empty() ? "[" : ",") + json_string(frame);
  return out.empty() ? "[]" : out + "]";
}

std::string list_of(const std::vector<std::string>& ids) {
  std::string out;
  for (const auto& id : ids)
    out += (out.empty() ? "[" : ",") + json_string(id);
  return out.empty() ? "[]" : out + "]";
}

/// What POST /messages?ack=true answered, decoded.
std::vector<heard> acks_of(const http_answer& answer) {
  std::vector<heard> out;
  for (const auto& text : json_list(answer.body, "/acks"))
    out.push_back(decode_json(text));
  return out;
}

std::vector<heard> messages_of(const http_answer& answer) {
  std::vector<heard> out;
  for (const auto& text : json_list(answer.body, "/messages"))
    out.push_back(decode_json(text));
  return out;
}

std::string to_base64(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const auto size
    = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string from_base64(const std::string& text) {
  std::string out(text.size() / 4 * 3, '\0');
  REQUIRE(EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                          reinterpret_cast<const unsigned char*>(text.data()),
                          static_cast<int>(text.size()))
          >= 0);
  out.resize(
    out.size()
    - static_cast<std::size_t>(std::count(text.begin(), text.end(), '=')));
  return out;
}

} // namespace

TEST_CASE("POST /messages confirms each message in its place") {
  server_process server;
  const auto answer = post(
    server, "alice", "/v1.0/messages?ack=true",
    batch({message("m1", "bob"), "not a frame", message("m2", "carol"),
           R"({"_v":2.1,"id":"g","head":{"type":"group","to":"x"}})",
           message("m1", "bob"), message("m1", "bob", "changed"), "ping"}));
  REQUIRE(answer.status == 201);
  const auto acks = acks_of(answer);
  REQUIRE(acks.size() == 7);
  CHECK(acks[0].kind == heard::what::server_ack);
  CHECK(acks[0].id == "m1");
  CHECK(acks[0].durability == "disk");
  CHECK(acks[1].code == "bad_frame");
  CHECK(acks[2].id == "m2");
  CHECK(acks[2].kind == heard::what::server_ack);
  CHECK(acks[3].code == "unknown_group");
  CHECK(acks[4].server_id == acks[0].server_id);
  CHECK(acks[5].code == "id_reused");
  CHECK(acks[6].code == "bad_frame");
  chat_peer bob(server.port(), "bob");
  CHECK(bob.hear_delivery("m1").from == "alice");
  CHECK(bob.ws.is_silent(milliseconds{50}));
}

TEST_CASE("POST /messages without ack answers an empty object") {
  server_process server;
  for (const auto* path : {"/v1.0/messages", "/messages", "/messages/",
                           "/v1.0/messages?ack=false&format=text"}) {
    INFO(path);
    const auto answer
      = post(server, "alice", path, batch({message("m1", "bob")}));
    CHECK(answer.status == 201);
    CHECK(answer.body == "{}");
  }
  chat_peer bob(server.port(), "bob");
  bob.hear_delivery("m1");
}

TEST_CASE("POST /messages refuses as a whole what is not of its form") {
  server_process server(server_settings{{"limits.pending_per_sender", "0"}});
  const std::vector<std::string> many(1001, message("m", "bob"));
  struct expectation {
    const char* path;
    std::string body;
    unsigned status;
  };
  const std::array<expectation, 8> cases{{
    {"/messages", "", 400},
    {"/messages", "{}", 400},
    {"/messages", "[", 400},
    {"/messages", "\"x\"", 400},
    {"/messages?ack=maybe", batch({message("m", "bob")}), 400},
    {"/messages?format=xml", batch({message("m", "bob")}), 400},
    {"/messages?device=a%2Fb", batch({message("m", "bob")}), 400},
    {"/messages", batch(many), 413},
  }};
  for (const auto& one : cases) {
    INFO(one.path << ' ' << one.body.substr(0, 100));
    const auto answer = post(server, "alice", one.path, one.body);
    CHECK(answer.status == one.status);
    CHECK(!json_at(answer.body, "/message").empty());
  }
  CHECK(messages_of(get(server, "bob", "/messages")).empty());
}

TEST_CASE("POST /messages over the rate takes nothing and says when") {
  server_process server(
    {{"limits.message_rate", "1"}, {"limits.message_burst", "5"}});
  std::vector<std::string> five;
  for (int i = 0; i < 5; ++i)
    five.push_back(message("m" + std::to_string(i), "bob"));
  CHECK(post(server, "alice", "/messages", batch(five)).status == 201);
  const auto refused
    = post(server, "alice", "/messages", batch({message("late", "bob")}));
  CHECK(refused.status == 429);
  CHECK(json_at(refused.body, "/code") == "rate_limited");
  REQUIRE(refused.headers.count("retry-after") == 1);
  CHECK(std::stoi(refused.headers.at("retry-after")) >= 1);
  CHECK(messages_of(get(server, "bob", "/messages")).size() == 5);
  // Other users, and acknowledgements, go on.
  CHECK(post(server, "carol", "/messages", batch({message("c", "bob")})).status
        == 201);
}

TEST_CASE("GET /messages shows what is pending and acknowledges nothing") {
  server_process server;
  std::vector<std::string> frames;
  for (int i = 0; i < 5; ++i)
    frames.push_back(message("m" + std::to_string(i), "bob"));
  post(server, "alice", "/messages", batch(frames));
  for (int round = 0; round < 2; ++round) {
    const auto answer = get(server, "bob", "/v1.0/messages?limit=3");
    REQUIRE(answer.status == 200);
    const auto page = messages_of(answer);
    REQUIRE(page.size() == 3);
    for (std::size_t i = 0; i < page.size(); ++i) {
      CHECK(page[i].id == "m" + std::to_string(i));
      CHECK(page[i].from == "alice");
      CHECK(page[i].body == R"({"text":"hello"})");
    }
    CHECK(json_at(answer.body, "/more") == "true");
  }
  const auto all = get(server, "bob", "/messages?limit=100");
  CHECK(messages_of(all).size() == 5);
  CHECK(json_at(all.body, "/more") == "false");
  for (const auto* limit : {"0", "-1", "x", "1x"}) {
    INFO(limit);
    CHECK(get(server, "bob", std::string("/messages?limit=") + limit).status
          == 400);
  }
}

TEST_CASE("POST /messages/ack acknowledges for one device, once") {
  server_process server;
  // Both devices are known, and owe.
  get(server, "bob", "/messages?device=phone");
  get(server, "bob", "/messages?device=desk");
  post(server, "alice", "/messages",
       batch({message("m1", "bob"), message("m2", "bob")}));
  const auto page = messages_of(get(server, "bob", "/messages?device=phone"));
  REQUIRE(page.size() == 2);
  const auto body = "{\"serverIds\":" + list_of({page[0].server_id}) + "}";
  const auto first = post(server, "bob", "/messages/ack?device=phone", body);
  CHECK(first.status == 200);
  CHECK(first.body == R"({"acknowledged":1})");
  CHECK(post(server, "bob", "/messages/ack?device=phone", body).body
        == R"({"acknowledged":0})");
  CHECK(messages_of(get(server, "bob", "/messages?device=phone")).size() == 1);
  CHECK(messages_of(get(server, "bob", "/messages?device=desk")).size() == 2);
  // Nobody acknowledges for another user.
  const auto other = "{\"serverIds\":" + list_of({page[1].server_id}) + "}";
  CHECK(post(server, "mallory", "/messages/ack?device=phone", other).body
        == R"({"acknowledged":0})");
  CHECK(messages_of(get(server, "bob", "/messages?device=phone")).size() == 1);
  for (const auto* bad :
       {"", "[]", "{}", R"({"serverIds":["zz"]})", R"({"serverIds":"x"})"}) {
    INFO(bad);
    CHECK(post(server, "bob", "/messages/ack", bad).status == 400);
  }
}

TEST_CASE("POST /sync acknowledges and answers what is next") {
  server_process server;
  post(server, "alice", "/messages",
       batch({message("m1", "bob"), message("m2", "bob"),
              message("m3", "bob", std::string(2000, 'x'))}));
  auto answer = post(server, "bob", "/sync", R"({"limit":1})");
  REQUIRE(answer.status == 200);
  auto page = messages_of(answer);
  REQUIRE(page.size() == 1);
  CHECK(page[0].id == "m1");
  CHECK(json_at(answer.body, "/more") == "true");
  answer = post(server, "bob", "/v1.0/sync",
                "{\"acks\":" + list_of({page[0].server_id}) + "}");
  page = messages_of(answer);
  REQUIRE(page.size() == 2);
  CHECK(page[0].id == "m2");
  CHECK(json_at(answer.body, "/more") == "false");
  // One message always fits, two do not.
  answer = post(server, "bob", "/sync", R"({"maxBytes":600})");
  CHECK(messages_of(answer).size() == 1);
  CHECK(json_at(answer.body, "/more") == "true");
  answer = post(server, "bob", "/sync",
                "{\"acks\":" + list_of({page[0].server_id, page[1].server_id})
                  + "}");
  CHECK(answer.body == R"({"messages":[],"more":false})");
  CHECK(post(server, "bob", "/sync", R"({"acks":[1]})").status == 400);
}

TEST_CASE("CLIENT_ACK and state frames acknowledge over HTTP too") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  for (const auto* id : {"m1", "m2", "m3"}) {
    alice.say({.id = id, .to = "bob"});
    alice.hear_answer(id);
  }
  const auto page = messages_of(get(server, "bob", "/messages"));
  REQUIRE(page.size() == 3);
  const auto state
    = encode(speech::json, {.id = "s1",
                            .to = "alice",
                            .notification = true,
                            .action = "state",
                            .body = R"({"ids":["m2"],"state":"read"})"});
  const auto answer
    = post(server, "bob", "/messages?ack=true",
           batch({encode_ack(speech::json, {page[0].server_id}), state,
                  R"({"id":"m3","head":{"to":"server"}})"}));
  REQUIRE(answer.status == 201);
  const auto acks = acks_of(answer);
  REQUIRE(acks.size() == 3);
  CHECK(acks[0].kind == heard::what::server_ack);
  CHECK(acks[1].kind == heard::what::server_ack);
  CHECK(acks[2].code == "bad_frame"); // over HTTP a serverId is needed
  CHECK(alice.hear_delivery("s1").from == "bob");
  const auto left = messages_of(get(server, "bob", "/messages"));
  REQUIRE(left.size() == 1);
  CHECK(left[0].id == "m3");
}

TEST_CASE("POST /messages with format=binary takes and answers base64 of "
          "protobuf frames") {
  server_process server;
  chat_peer bob(server.port(), "bob");
  const auto sent = [](const said& what) {
    return to_base64(encode(speech::protobuf, what));
  };
  const auto answer
    = post(server, "alice", "/messages?format=binary&ack=true",
           batch({sent({.id = "m1", .to = "bob"}),
                  to_base64("\x12\x01x\x18\x04"), "no base64",
                  message("m2", "bob"), sent({.id = "m3", .to = "bob"})}));
  REQUIRE(answer.status == 201);
  std::vector<heard> acks;
  for (const auto& text : json_list(answer.body, "/acks"))
    acks.push_back(decode(speech::protobuf, from_base64(text)));
  REQUIRE(acks.size() == 5);
  CHECK(acks[0].kind == heard::what::server_ack);
  CHECK(acks[0].id == "m1");
  CHECK(acks[1].code == "bad_frame");
  CHECK(acks[1].id == "x");
  CHECK(acks[2].code == "bad_frame");
  CHECK(acks[3].code == "bad_frame");
  CHECK(acks[4].id == "m3");
  const auto got = bob.hear_delivery("m1");
  CHECK(got.from == "alice");
  CHECK(got.server_id == acks[0].server_id);
  bob.acknowledge({got.server_id, bob.hear_delivery("m3").server_id});
  CHECK(post(server, "bob", "/messages?format=binary",
             batch({to_base64(encode_ack(speech::protobuf, {got.server_id}))}))
          .body
        == "{}");
}

TEST_CASE("every call needs a credential, login and nodes excepted") {
  server_process server;
  struct call {
    const char* method;
    const char* path;
  };
  const std::array<call, 9> calls{{{"GET", "/messages"},
                                   {"POST", "/messages"},
                                   {"POST", "/messages/ack"},
                                   {"POST", "/sync"},
                                   {"GET", "/profile/"},
                                   {"GET", "/devices"},
                                   {"PUT", "/devices/x"},
                                   {"GET", "/groups/"},
                                   {"GET", "/blocks"}}};
  for (const auto& one : calls) {
    INFO(one.method << ' ' << one.path);
    const auto answer
      = http(server.port(), {.method = one.method, .path = one.path});
    CHECK(answer.status == 401);
    CHECK(json_at(answer.body, "/error") == "Unauthorized");
  }
}

TEST_CASE("GET /auth answers a proxy's question, with any method") {
  server_process server;
  for (const auto* method : {"GET", "POST", "PUT", "DELETE"}) {
    INFO(method);
    auto answer = http(
      server.port(), {.method = method, .path = "/v1.0/auth", .user = "alice"});
    CHECK(answer.status == 200);
    CHECK(answer.body == "{}");
    answer = http(server.port(), {.method = method, .path = "/auth"});
    CHECK(answer.status == 401);
    CHECK(answer.body == "{}");
  }
}

TEST_CASE("GET /nodes tells who is on this machine where the nodes are") {
  server_process server;
  const auto here = "127.0.0.1:" + std::to_string(server.port());
  for (const auto* path : {"/nodes", "/v1.0/nodes/"}) {
    INFO(path);
    const auto answer = get(server, "", path);
    CHECK(answer.status == 200);
    CHECK(answer.body
          == R"({"nodes":[{"name":"n1","url":"ws://)" + here
               + R"("}],"node":"n1"})");
  }
  CHECK(post(server, "alice", "/nodes", "{}").status == 405);
}

TEST_CASE("GET /nodes tells nobody behind a proxy, nor a foreign page") {
  server_process server;
  const auto status = [&](const std::string& headers) {
    return raw_http(server.port(), "GET /nodes HTTP/1.1\r\n" + headers + "\r\n")
      .status;
  };
  CHECK(status("Host: localhost:8081\r\n") == 200);
  CHECK(status("Host: chat.example.org\r\n") == 404);
  CHECK(status("Host: 10.0.0.1:8081\r\n") == 404);
  CHECK(status("Host: 127.0.0.1:1\r\nX-Forwarded-For: 192.0.2.1\r\n") == 404);
  CHECK(status("Host: 127.0.0.1:1\r\nForwarded: for=192.0.2.1\r\n") == 404);
  CHECK(status("Host: 127.0.0.1:1\r\nOrigin: http://evil.example\r\n") == 403);
}

TEST_CASE("POST /login believes a name, and makes the device known") {
  server_process server;
  const auto body = R"({"username":"bob","authToken":"test",)"
                    R"("notificationToken":"push","deviceId":"phone"})";
  auto answer = post(server, "", "/v1.0/login", body);
  REQUIRE(answer.status == 200);
  CHECK(json_at(answer.body, "/status") == "true");
  CHECK(json_at(answer.body, "/username") == "bob");
  CHECK(json_at(answer.body, "/isNew") == "true");
  const auto key = json_at(answer.body, "/accesskey");
  CHECK(key.size() == 32);
  answer = post(server, "", "/login", body);
  CHECK(json_at(answer.body, "/isNew") == "false");
  CHECK(json_at(answer.body, "/accesskey") != key);
  // Known: what came before its first connection is owed to it.
  post(server, "alice", "/messages", batch({message("m1", "bob")}));
  CHECK(messages_of(get(server, "bob", "/messages?device=phone")).size() == 1);
  CHECK(json_at(get(server, "bob", "/devices").body, "/0/device") == "phone");
  for (const auto* bad :
       {"", "{}", "[]", R"({"username":1})", R"({"username":"server"})",
        R"({"username":"bob","deviceId":"a/b"})"}) {
    INFO(bad);
    const auto refused = post(server, "", "/login", bad);
    CHECK((refused.status == 400 || refused.status == 401));
  }
}

TEST_CASE("a device that is removed owes nothing any more") {
  server_process server;
  const auto put = [&server](const std::string& method,
                             const std::string& device) {
    return http(server.port(), {.method = method,
                                .path = "/v1.0/devices/" + device,
                                .user = "bob",
                                .body = R"({"platform":"fcm","token":"t"})"})
      .status;
  };
  CHECK(put("PUT", "phone") == 200);
  CHECK(put("PUT", "desk") == 200);
  CHECK(put("PUT", "bad name") == 400);
  CHECK(json_list(get(server, "bob", "/devices").body, "").size() == 2);
  post(server, "alice", "/messages", batch({message("m1", "bob")}));
  const auto page = messages_of(get(server, "bob", "/messages?device=desk"));
  REQUIRE(page.size() == 1);
  post(server, "bob", "/messages/ack?device=desk",
       "{\"serverIds\":" + list_of({page[0].server_id}) + "}");
  const auto pending = [&server] {
    return json_at(http(server.admin_port(), {.path = "/users/bob"}).body,
                   "/pending");
  };
  CHECK(pending() == "1");
  CHECK(put("DELETE", "phone") == 200);
  CHECK(pending() == "0");
  CHECK(json_list(get(server, "bob", "/devices").body, "").size() == 1);
}

TEST_CASE("a profile is the caller's own name") {
  server_process server;
  for (const auto* path : {"/v1.0/profile/", "/profile", "/profile/get"}) {
    INFO(path);
    CHECK(get(server, "alice", path).body == R"({"username":"alice"})");
  }
}

TEST_CASE("calls that are not in this version say so") {
  server_process server;
  for (const auto* path : {"/assets/upload/presigned_url"}) {
    INFO(path);
    const auto answer = get(server, "alice", path);
    CHECK(answer.status == 501);
    CHECK(json_at(answer.body, "/statusCode") == "501");
  }
}

TEST_CASE("what HTTP has confirmed is there after a kill") {
  server_process server;
  std::vector<std::string> confirmed;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::string> frames;
    for (int i = 0; i < 20; ++i)
      frames.push_back(
        message("m" + std::to_string(round) + '-' + std::to_string(i), "bob"));
    for (const auto& ack :
         acks_of(post(server, "alice", "/messages?ack=true", batch(frames)))) {
      REQUIRE(ack.kind == heard::what::server_ack);
      confirmed.push_back(ack.server_id);
    }
    server.kill();
    server.start();
  }
  auto page = get(server, "bob", "/messages?limit=1000");
  std::vector<std::string> found;
  for (const auto& one : messages_of(page))
    found.push_back(one.server_id);
  CHECK(found == confirmed);
  // Acknowledged is gone, and stays so.
  CHECK(post(server, "bob", "/messages/ack",
             "{\"serverIds\":" + list_of(found) + "}")
          .body
        == R"({"acknowledged":100})");
  CHECK(messages_of(get(server, "bob", "/messages")).empty());
  server.signal(15);
  REQUIRE(server.ended_within(patience));
  server.start();
  CHECK(messages_of(get(server, "bob", "/messages")).empty());
}
