// TLS on the listeners, from outside.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/integration/rig/server_process.hpp"
#include "test/integration/rig/tls_client.hpp"

#include <catch2/catch.hpp>
#include <openssl/ssl.h>

#include <csignal>
#include <vector>

namespace vartalap::integration {

namespace {

server_settings with_tls(const scratch_folder& files,
                         const std::string& more = {}) {
  write_certificate(files, "chat.example", "chat");
  return {{"[node.tls]", "certificate = " + files.quoted("chat.pem")
                           + "\nkey = " + files.quoted("chat.key") + more}};
}

/// A WebSocket over TLS.
class secure_peer : public tls_client {
public:
  secure_peer(std::uint16_t port, const std::string& user) : tls_client(port) {
    send(upgrade_request(port, {.user = user,
                                .query = "ack=true&client_ack=true",
                                .subprotocol = "vartalap.json"}));
    if (parse_answer(read_until("\r\n\r\n")).status != 101)
      throw std::runtime_error("no WebSocket");
  }

  void say(const std::string& text) {
    send(make_frame(opcode::text, text));
  }

  std::string hear() {
    const auto head = read(2);
    std::size_t size = static_cast<unsigned char>(head.at(1)) & 0x7fU;
    const auto longer = size == 126   ? read(2)
                        : size == 127 ? read(8)
                                      : std::string();
    if (!longer.empty()) {
      size = 0;
      for (const auto c : longer)
        size = size << 8U | static_cast<unsigned char>(c);
    }
    return read(size);
  }
};

} // namespace

TEST_CASE("over TLS a message of any size arrives and is confirmed") {
  const scratch_folder files;
  server_process server(with_tls(files));
  // Until here it was ready on the admin address, which is in the clear.
  secure_peer alice(server.port(), "alice");
  secure_peer bob(server.port(), "bob");
  CHECK(alice.server_name() == "chat.example");
  // Records have 16 KiB, reads 64.
  for (const auto size : {std::size_t{1}, std::size_t{16'383},
                          std::size_t{16'384}, std::size_t{60'000}}) {
    const auto id = "m" + std::to_string(size);
    const std::string text(size, 'x');
    alice.say(encode(speech::json, {.id = id, .to = "bob", .text = text}));
    const auto got = decode(speech::json, bob.hear());
    CHECK(got.id == id);
    CHECK(json_at(got.body, "/text") == text);
    bob.say(encode_ack(speech::json, {got.server_id}));
    CHECK(decode(speech::json, alice.hear()).kind == heard::what::server_ack);
  }
  // Many at once, so that one read has several records.
  for (int i = 0; i < 200; ++i)
    alice.say(encode(speech::json, {.id = "n" + std::to_string(i),
                                    .to = "bob",
                                    .text = std::string(2000, 'y')}));
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) {
    const auto got = decode(speech::json, bob.hear());
    CHECK(got.id == "n" + std::to_string(i));
    bob.say(encode_ack(speech::json, {got.server_id}));
  }
  CHECK(comes_true([&] { return pending_of(server, "bob") == "0"; }));
}

TEST_CASE("over TLS the HTTP API answers, and the cookie is secure") {
  const scratch_folder files;
  server_process server(with_tls(files));
  const auto head = "Host: 127.0.0.1:" + std::to_string(server.port())
                    + "\r\nuser: alice\r\n";
  const auto answer
    = https(server.port(), "GET /v1.0/profile/ HTTP/1.1\r\n" + head + "\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"username":"alice"})");
}

TEST_CASE("a TLS port ends what is no TLS, or too old, and serves on") {
  const scratch_folder files;
  server_process server(with_tls(files));
  CHECK(raw_http(server.port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status
        == 0);
  CHECK_THROWS(tls_client(server.port(), TLS1_VERSION));
  CHECK_THROWS(tls_client(server.port(), TLS1_1_VERSION));
  CHECK_NOTHROW(tls_client(server.port(), TLS1_2_VERSION));
  {
    tcp_stream cut(server.port());
    cut.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  }
  {
    tcp_stream noise(server.port());
    noise.send(std::string(100'000, '\x16'));
    std::string ignored;
    CHECK(comes_true(
      [&] { return noise.receive(ignored) == tcp_stream::got::end; }));
  }
  secure_peer alice(server.port(), "alice");
  alice.say("ping");
  CHECK(alice.hear() == "pong");
}

TEST_CASE("a handshake that does not end is ended") {
  const scratch_folder files;
  auto settings = with_tls(files);
  settings["limits.handshake_timeout"] = "\"200ms\"";
  server_process server(settings);
  tcp_stream silent(server.port());
  silent.send(std::string("\x16\x03\x01", 3));
  std::string ignored;
  CHECK(silent.receive(ignored) == tcp_stream::got::end);
}

TEST_CASE("at SIGHUP new connections get the new certificate, old ones go on") {
  const scratch_folder files;
  server_process server(with_tls(files));
  secure_peer alice(server.port(), "alice");
  REQUIRE(alice.server_name() == "chat.example");
  const auto name = [&] { return tls_client(server.port()).server_name(); };
  write_certificate(files, "new.example", "chat");
  server.signal(SIGHUP);
  CHECK(comes_true([&] { return name() == "new.example"; }));
  alice.say("ping");
  CHECK(alice.hear() == "pong");
  // A pair that does not match changes nothing.
  write_certificate(files, "other.example", "other");
  std::filesystem::copy_file(files.path("other.pem"), files.path("chat.pem"),
                             std::filesystem::copy_options::overwrite_existing);
  server.signal(SIGHUP);
  CHECK(comes_true([&] {
    return server.log().find("the certificates of node.tls stay as they were")
           != std::string::npos;
  }));
  CHECK(name() == "new.example");
  alice.say("ping");
  CHECK(alice.hear() == "pong");
  CHECK(server.is_running());
}

TEST_CASE("the admin address speaks TLS where it is told, and commands know") {
  const scratch_folder files;
  write_certificate(files, "chat.example", "chat");
  const auto client = free_port();
  const auto admin_port = free_port();
  files.write("cluster.toml",
              "[[node]]\nname = \"n1\"\ndata = \"data\"\nclient = \"127.0.0.1:"
                + std::to_string(client)
                + "\"\nadmin = \"127.0.0.1:" + std::to_string(admin_port)
                + "\"\n[node.tls]\ncertificate = \"chat.pem\"\n"
                  "key = \"chat.key\"\nadmin = true\n");
  const auto config = files.path("cluster.toml");
  CHECK(run_command({"check", "--config", config}).status == 0);
  command_process node({"serve", "--config", config});
  node.lines_until("ready");
  CHECK(https(admin_port, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").status
        == 200);
  CHECK(raw_http(admin_port, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").status
        == 0);
  CHECK(run_command({"drain", "--config", config}).status == 0);
  CHECK(node.ended_within(patience));
}

TEST_CASE("vartalap check looks at the certificate and its key") {
  const scratch_folder files;
  write_certificate(files, "a.example", "a");
  write_certificate(files, "b.example", "b");
  const auto check
    = [&](const std::string& certificate, const std::string& key) {
        files.write("cluster.toml",
                    "[[node]]\nname = \"n1\"\ndata = \"data\"\n[node.tls]\n"
                    "certificate = \""
                      + certificate + "\"\nkey = \"" + key + "\"\n");
        return run_command({"check", "--config", files.path("cluster.toml")})
          .status;
      };
  CHECK(check("a.pem", "a.key") == 0);
  CHECK(check("a.pem", "b.key") == 2);
  CHECK(check("a.key", "a.key") == 2);
  CHECK(check("none.pem", "a.key") == 2);
}

} // namespace vartalap::integration
