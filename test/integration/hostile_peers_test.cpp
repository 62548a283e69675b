// Strangers on the port where a node of a cluster waits for the others.

#include "net/peer_messages.hpp"
#include "net/peer_tunnel_handshake.hpp"
#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/node_pair.hpp"
#include "test/integration/rig/tls_stranger.hpp"

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

using namespace vartalap;
using namespace vartalap::integration;

namespace {

constexpr std::size_t MiB = 1024 * 1024;
constexpr std::size_t crowd = 200;
constexpr milliseconds closed_within{10'000};

/// Ids are given in order: the gate has one of these.
constexpr std::uint8_t actors_max = 100;

void append_big_endian(std::string& to, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i)
    to += static_cast<char>((value >> (8 * i)) & 0xFF);
}

/// A frame of the middleman's protocol: a message to an actor, without the
/// greeting that comes first between middlemen.
std::string message_to(std::uint8_t actor, const std::string& payload) {
  constexpr char direct_message = 2;
  std::string out{direct_message, 0, 0, 0};
  append_big_endian(out, payload.size(), 4);
  append_big_endian(out, 2, 8); // number of the message
  append_big_endian(out, 0, 8); // from nobody
  append_big_endian(out, actor, 8);
  return out + payload;
}

/// No stages, then a message of one value.
std::string payload_of(const std::string& type, const std::string& value) {
  const auto name = "@<>+" + type;
  return std::string(3, '\0') + static_cast<char>(name.size()) + name + value;
}

/// A hello of a node that there is not, for every actor: the gate logs it.
std::string forged_hellos() {
  net::peer::hello hello;
  hello.version_min = 1;
  hello.version_max = 1;
  hello.session = 1;
  hello.name = "mallory";
  const auto blob = net::encode_hello(hello);
  std::string value;
  auto left = blob.size();
  for (; left > 0x7F; left >>= 7)
    value += static_cast<char>((left & 0x7F) | 0x80);
  value += static_cast<char>(left);
  value.append(blob.begin(), blob.end());
  std::string out;
  for (std::uint8_t actor = 1; actor <= actors_max; ++actor)
    out += message_to(actor, payload_of("@charbuf", value));
  return out;
}

/// An order to end, which no actor can refuse, for every actor.
std::string forged_exits() {
  // Nobody; then the error `kill` of the category exit, without a context.
  const auto value
    = std::string(13, '\0')
      + std::string("\x0f\x05\0\0\0\0\x0f\xab\xdb\xb9\0\0\x03@<>", 18);
  std::string out;
  for (std::uint8_t actor = 1; actor <= actors_max; ++actor)
    out += message_to(actor, payload_of("@exit", value));
  return out;
}

/// Only the head of a frame that announces 4 GiB.
std::string bomb() {
  auto out = message_to(1, {});
  std::fill_n(out.begin() + 4, 4, '\xFF');
  return out;
}

/// The first word of a node that is a member, without what proves it.
std::string first_word() {
  return std::string("VTL1\x01\0\0\x26\x02n1\x02n2", 14) + std::string(32, 'x');
}

/// What strangers say before they fall silent.
std::vector<std::string> speeches() {
  return {"",
          "GET / HTTP/1.1\r\nHost: n2\r\n\r\n",
          std::string(MiB, '\xA5'),
          forged_hellos(),
          forged_exits(),
          bomb(),
          "VTL1",
          first_word(),
          first_word() + forged_hellos(),
          first_word().substr(0, 20)};
}

/// Another process at the middleman's own endpoint.
/// @returns True if it is sent away.
bool sends_away_local_strangers(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::copy_n(path.begin(), std::min(path.size(), sizeof at.sun_path - 1),
              &at.sun_path[0]);
  const void* const generic = &at;
  REQUIRE(::connect(fd, static_cast<const ::sockaddr*>(generic), sizeof at)
          == 0);
  const auto forged = forged_hellos();
  ::send(fd, forged.data(), forged.size(), MSG_NOSIGNAL);
  // Closed, without a greeting: at the end, or reset with what was unread.
  char greeting = 0;
  const bool away = ::recv(fd, &greeting, 1, 0) <= 0;
  ::close(fd);
  return away;
}

/// True if the other side ends it in time.
bool is_closed(tcp_stream& stream, clock::time_point until) {
  std::string said;
  for (;;) {
    const auto left
      = std::chrono::duration_cast<milliseconds>(until - clock::now());
    const auto got = stream.receive(said, std::max(left, milliseconds{0}));
    if (got != tcp_stream::got::bytes)
      return got == tcp_stream::got::end;
  }
}

/// Proves to be n1, as one can who knows the secret, and says `speech`.
void speak_as_member(tcp_stream& stream, const std::string& speech) {
  using handshake = net::peer_handshake;
  handshake proof(handshake::role::dialer, "n1", "n2", shared_secret, {});
  REQUIRE(stream.send(proof.begin()));
  std::string said;
  for (bool done = false; !done;) {
    while (said.size() < handshake::header_bytes)
      REQUIRE(stream.receive(said) == tcp_stream::got::bytes);
    const auto size = proof.on_header(said.substr(0, handshake::header_bytes));
    REQUIRE(size);
    const auto whole = handshake::header_bytes + *size;
    while (said.size() < whole)
      REQUIRE(stream.receive(said) == tcp_stream::got::bytes);
    const auto next
      = proof.on_body(said.substr(handshake::header_bytes, *size));
    REQUIRE(next.problem.empty());
    REQUIRE(stream.send(next.send));
    said.erase(0, whole);
    done = next.done;
  }
  REQUIRE(stream.send(speech));
}

double refused(const server_process& node, const std::string& reason) {
  return metric(node, "peer_tunnels_refused_total{reason=\"" + reason + "\"}");
}

/// What must stay as it is while strangers come.
struct quiet_state {
  double sessions = 0;
  double tunnels = 0;
  double taken = 0;

  explicit quiet_state(node_pair& nodes)
    : sessions(nodes.link(0, "sessions_total")
               + nodes.link(1, "sessions_total")),
      tunnels(metric(nodes[1], "peer_tunnels")),
      taken(metric(nodes[1], "peer_tunnels_total{direction=\"in\"}")) {
  }

  bool operator==(const quiet_state&) const = default;
};

/// Attacks n2, which waits for n1.
class siege {
public:
  siege(node_pair& nodes, bool with_tls)
    : nodes_(nodes), others_(nodes[0].port(), nodes[1].port()),
      with_tls_(with_tls) {
    others_.talk();
  }

  void run() {
    const quiet_state before(nodes_);
    const auto memory = nodes_[1].memory();
    const auto cpu = nodes_[1].cpu_time();
    begin_ = clock::now();
    come_one_by_one();
    come_all_at_once();
    others_.talk();
    const auto until = clock::now() + closed_within;
    for (auto& each : strangers_)
      CHECK(is_closed(each, until));
    for (auto& each : secure_strangers_)
      CHECK(is_closed(each->stream(), until));
    const auto spent = nodes_[1].cpu_time() - cpu;
    const auto passed
      = std::chrono::duration_cast<milliseconds>(clock::now() - begin_);
    CAPTURE(spent.count(), passed.count());
    CHECK(spent < milliseconds{1000} + passed / 4);
    CHECK(nodes_[1].memory() < memory + 32 * MiB);
    CHECK(quiet_state(nodes_) == before);
    CHECK(nodes_[1].log().find("mallory") == std::string::npos);
    others_.talk();
  }

private:
  void come_one_by_one() {
    for (const auto& speech : speeches()) {
      strangers_.emplace_back(nodes_.peer_port(1));
      strangers_.back().send(speech, milliseconds{100});
    }
    if (!with_tls_)
      return;
    const auto come = [this]() -> tls_stranger& {
      return *secure_strangers_.emplace_back(
        std::make_unique<tls_stranger>(nodes_.peer_port(1)));
    };
    come().greet(true);
    come().greet();
    // Without a certificate of its own the other side ends it; what was said
    // under TLS before it has heard so is not heard.
    for (const auto& speech : {std::string(), first_word(), forged_hellos(),
                               forged_exits(), bomb()}) {
      auto& stranger = come();
      CHECK(stranger.finish_greeting());
      if (!speech.empty())
        stranger.send(speech);
    }
  }

  void come_all_at_once() {
    for (std::size_t i = 0; i < crowd; ++i) {
      strangers_.emplace_back(nodes_.peer_port(1));
      strangers_.back().send(i % 2 == 0 ? "" : forged_exits(), milliseconds{0});
    }
  }

  node_pair& nodes_;
  bystanders others_;
  bool with_tls_;
  clock::time_point begin_;
  std::vector<tcp_stream> strangers_;
  std::vector<std::unique_ptr<tls_stranger>> secure_strangers_;
};

} // namespace

TEST_CASE("strangers on the port for nodes get nothing done: a secret") {
  node_pair nodes(trust::secret);
  siege(nodes, false).run();
  CHECK(refused(nodes[1], "protocol") > 0);
  CHECK(refused(nodes[1], "timeout") > 0);
  CHECK(refused(nodes[1], "crowded") > 0);
  CHECK(sends_away_local_strangers(nodes.folder() + "/n2/basp.sock"));
  CHECK(nodes[1].log().find("mallory") == std::string::npos);
  // The same bytes, of one who knows the secret, are heard: what they do not
  // do above is because of what a stranger lacks.
  nodes[0].kill();
  REQUIRE(comes_true([&] { return nodes.link(1, "up") == 0; }));
  tcp_stream member(nodes.peer_port(1));
  speak_as_member(member, forged_hellos());
  CHECK(comes_true([&] {
    return nodes[1].log().find("\"mallory\" says hello") != std::string::npos;
  }));
}

TEST_CASE("strangers on the port for nodes get nothing done: certificates") {
  node_pair nodes(trust::certificates);
  siege(nodes, true).run();
  CHECK(refused(nodes[1], "tls") > 0);
  CHECK(refused(nodes[1], "timeout") > 0);
  CHECK(refused(nodes[1], "crowded") > 0);
  CHECK(refused(nodes[1], "secret") == 0);
}

TEST_CASE("a node of a cluster has no other ports than it is told to have") {
  node_pair nodes(trust::secret);
  for (std::size_t i = 0; i < 2; ++i) {
    std::vector<std::uint16_t> expected{nodes[i].port(), nodes[i].admin_port(),
                                        nodes.peer_port(i)};
    std::sort(expected.begin(), expected.end());
    CHECK(nodes[i].open_ports() == expected);
  }
}

TEST_CASE("a node that is alone has no port for others") {
  server_process server;
  std::vector<std::uint16_t> expected{server.port(), server.admin_port()};
  std::sort(expected.begin(), expected.end());
  CHECK(server.open_ports() == expected);
}
