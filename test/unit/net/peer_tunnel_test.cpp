#include "net/peer_tunnel_frames.hpp"
#include "net/peer_tunnel_handshake.hpp"
#include "test/unit/net/peer_tunnel_rig.hpp"

#include <vector>

using namespace vartalap;
using namespace vartalap::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

net::tunnel_settings quick(const std::string& name) {
  auto settings = secret_settings(name);
  settings.handshake_timeout = 200ms;
  return settings;
}

} // namespace

TEST_CASE("peer_tunnel carries bytes both ways between those who know") {
  tunnel_end one(secret_settings("n1"));
  tunnel_end two(secret_settings("n2"));
  const auto near = one.dial("n2", two.tunnel.address());
  REQUIRE(one.problem.empty());
  const auto [peer, far] = two.joined.take();
  CHECK(peer == "n1");
  const auto there = basp_header(3) + "abc";
  CHECK(near.send(there));
  CHECK(far.read(there.size()) == there);
  const auto back = basp_header(0);
  CHECK(far.send(back));
  CHECK(near.read(back.size()) == back);
  CHECK(one.tunnel.counters().dialed == 1);
  CHECK(two.tunnel.counters().accepted == 1);
  CHECK(two.tunnel.counters().bytes_in == there.size());
}

TEST_CASE("peer_tunnel is refused with another secret") {
  auto settings = secret_settings("n1");
  settings.secret[5] = 'X';
  tunnel_end one(settings);
  tunnel_end two(secret_settings("n2"));
  CHECK_FALSE(one.reaches("n2", two));
  CHECK(contains(one.problem, "secrets of the two nodes differ"));
  CHECK(two.joined.empty());
  CHECK(refused_one(two.tunnel, net::tunnel_fault::secret));
  CHECK(one.tunnel.counters().failed.of(net::tunnel_fault::secret) == 1);
}

TEST_CASE("peer_tunnel is refused where names do not fit") {
  tunnel_end two(secret_settings("n2"));
  SECTION("the dialer looks for another node") {
    tunnel_end one(secret_settings("n1"));
    CHECK_FALSE(one.reaches("n3", two));
    CHECK(contains(one.problem, "is not called n3"));
  }
  SECTION("the dialer is no member") {
    tunnel_end stranger(secret_settings("n4"));
    CHECK_FALSE(stranger.reaches("n2", two));
    CHECK(contains(stranger.problem, "does not take this node for n4"));
    two.tunnel.set_members({"n2", "n4"});
    CHECK(stranger.reaches("n2", two));
  }
  SECTION("the dialer calls itself what the node is called") {
    tunnel_end twin(secret_settings("n2"));
    CHECK_FALSE(twin.reaches("n2", two));
  }
  CHECK(refused_one(two.tunnel, net::tunnel_fault::name));
}

TEST_CASE("peer_tunnel closes who says nothing, and tells a dialer") {
  auto settings = quick("n2");
  tunnel_end two(settings);
  const auto mute = connect_to(two.tunnel.address());
  CHECK(mute.read_all().empty());
  CHECK(refused_one(two.tunnel, net::tunnel_fault::timeout));
  CHECK(two.joined.empty());
  // The other way round: something accepts and says nothing.
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  auto any = net::parse_address("127.0.0.1:0");
  REQUIRE(::bind(listening, any->get(), any->size) == 0);
  REQUIRE(::listen(listening, 1) == 0);
  const end_of_pipe closed_later(listening);
  REQUIRE(::getsockname(listening, any->get(), &any->size) == 0);
  two.dial("n1", "127.0.0.1:" + std::to_string(any->port()));
  CHECK(contains(two.problem, "takes too long"));
  CHECK(two.tunnel.counters().failed.of(net::tunnel_fault::timeout) == 1);
}

TEST_CASE("peer_tunnel closes who talks nonsense") {
  tunnel_end two(secret_settings("n2"));
  const auto hello = [](std::uint16_t body) {
    return std::string("VTL1\x01", 5) + '\0' + static_cast<char>(body >> 8)
           + static_cast<char>(body & 0xFF);
  };
  const std::vector<std::string> nonsense{
    "GET / HTTP/1.1\r\nHost: n2\r\n\r\n",
    basp_header(0),
    basp_header(0xFFFFFFF0),
    hello(0xFFFF) + std::string(1000, 'x'),
    hello(257) + std::string(257, 'x'),
    hello(0),
    hello(40) + std::string(40, '\xFF'),
    hello(40) + std::string(40, '\0'),
    std::string("VTL1\x03\0\0\x20", 8) + std::string(32, 'x'),
    std::string("VTL1\x05\0\0\x01\x01", 9),
  };
  for (const auto& bytes : nonsense) {
    const auto stranger = connect_to(two.tunnel.address());
    stranger.send(bytes);
    CHECK(stranger.read_all().empty());
  }
  CHECK(two.joined.empty());
  CHECK(refused_some(two.tunnel, net::tunnel_fault::protocol, nonsense.size()));
  CHECK(two.tunnel.counters().bytes_in == 0);
}

TEST_CASE("peer_tunnel lets only so many strangers wait, the newest") {
  auto settings = secret_settings("n2");
  settings.unauthenticated_max = 3;
  tunnel_end two(settings);
  std::vector<end_of_pipe> waiting;
  for (int i = 0; i < 3; ++i)
    waiting.push_back(connect_to(two.tunnel.address()));
  waiting.push_back(connect_to(two.tunnel.address()));
  CHECK(waiting[0].read_all().empty());
  CHECK(refused_one(two.tunnel, net::tunnel_fault::crowded));
  // Whoever proves itself gets in, and then takes no stranger's place.
  tunnel_end one(secret_settings("n1"));
  CHECK(one.reaches("n2", two));
  CHECK(waiting[1].read_all().empty());
  waiting.push_back(connect_to(two.tunnel.address()));
  CHECK_FALSE(waiting[2].ready(POLLIN, 100ms));
  CHECK(refused_some(two.tunnel, net::tunnel_fault::crowded, 2));
}

TEST_CASE("peer_tunnel does not let strangers fill the log") {
  tunnel_end two(secret_settings("n2"));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    const auto stranger = connect_to(two.tunnel.address());
    stranger.send("12345678");
    CHECK(stranger.read_all().empty());
  }
  CHECK(refused_some(two.tunnel, net::tunnel_fault::protocol, 100));
  const auto seconds = (std::chrono::steady_clock::now() - begin) / 1s;
  CHECK(two.log.warnings >= 1);
  CHECK(two.log.warnings <= static_cast<std::size_t>(seconds) + 2);
}

TEST_CASE("peer_tunnel ends where a frame is too long, passing none of it") {
  tunnel_end one(secret_settings("n1"));
  tunnel_end two(secret_settings("n2"));
  const auto near = one.dial("n2", two.tunnel.address());
  const auto far = std::move(two.joined.take().second);
  const auto good = basp_header(1024 * 1024) + std::string(1024 * 1024, 'x');
  REQUIRE(near.send(good));
  CHECK(far.read(good.size()) == good);
  REQUIRE(near.send(basp_header(1024 * 1024 + 1)));
  CHECK(far.read_all().empty());
  CHECK(contains(two.ended.take(), "n1: it sends a frame of more than"));
  CHECK(contains(one.ended.take(), "n2: "));
  CHECK(two.tunnel.counters().oversize == 1);
}

TEST_CASE("peer_tunnel reads no more than it can pass on") {
  tunnel_end one(secret_settings("n1"));
  tunnel_end two(secret_settings("n2"));
  const auto near = one.dial("n2", two.tunnel.address());
  const auto far = std::move(two.joined.take().second);
  // Empty frames, which nobody reads: the kernel's buffers and two of the
  // tunnel's are all there is.
  const std::size_t most = 256 * core::MiB;
  const auto taken = near.send_all_it_takes(300ms, most);
  CHECK(taken > 256 * core::KiB);
  CHECK(taken < 32 * core::MiB);
  // And all of it arrives once somebody reads.
  std::size_t got = 0;
  while (got < taken)
    got += far.read(std::min<std::size_t>(taken - got, core::MiB)).size();
  CHECK(got == taken);
}

TEST_CASE("peer_tunnel drops a peer on both sides") {
  tunnel_end one(secret_settings("n1"));
  tunnel_end two(secret_settings("n2"));
  const auto near = one.dial("n2", two.tunnel.address());
  const auto far = std::move(two.joined.take().second);
  two.tunnel.drop("n1");
  CHECK(contains(two.ended.take(), "n1: this node dropped it"));
  CHECK(contains(one.ended.take(), "n2: "));
  CHECK(near.read_all().empty());
  CHECK(far.read_all().empty());
  CHECK(two.tunnel.counters().open == 0);
  CHECK(one.reaches("n2", two));
}

TEST_CASE("peer_tunnel ends when either local end is closed") {
  tunnel_end one(secret_settings("n1"));
  tunnel_end two(secret_settings("n2"));
  {
    const auto near = one.dial("n2", two.tunnel.address());
    two.joined.take();
  }
  CHECK(contains(one.ended.take(), "n2: "));
  CHECK(contains(two.ended.take(), "n1: "));
}

TEST_CASE("peer_tunnel puts a newer tunnel in the place of the older") {
  tunnel_end one(secret_settings("n1"));
  tunnel_end two(secret_settings("n2"));
  const auto older = one.dial("n2", two.tunnel.address());
  const auto newer = one.dial("n2", two.tunnel.address());
  CHECK(older.read_all().empty());
  two.joined.take();
  const auto far = std::move(two.joined.take().second);
  CHECK(newer.send(basp_header(0)));
  CHECK(far.read(32) == basp_header(0));
}

TEST_CASE("peer_tunnel counts dials to where nobody listens") {
  tunnel_end one(secret_settings("n1"));
  std::string nobody;
  {
    const tunnel_end two(secret_settings("n2"));
    nobody = two.tunnel.address();
  }
  one.dial("n2", nobody);
  CHECK(contains(one.problem, "cannot connect"));
  CHECK(one.tunnel.counters().failed.of(net::tunnel_fault::unreachable) == 1);
  CHECK(one.tunnel.counters().failed.sum() == 1);
}

TEST_CASE("peer_tunnel answers dials in progress when it stops") {
  tunnel_end one(secret_settings("n1"));
  inbox<std::string> answers;
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  auto any = net::parse_address("127.0.0.1:0");
  REQUIRE(::bind(listening, any->get(), any->size) == 0);
  REQUIRE(::listen(listening, 1) == 0);
  const end_of_pipe closed_later(listening);
  REQUIRE(::getsockname(listening, any->get(), &any->size) == 0);
  const auto where = "127.0.0.1:" + std::to_string(any->port());
  one.tunnel.dial("n2", where, [&](int fd, std::string why) {
    CHECK(fd == -1);
    answers.put(std::move(why));
  });
  one.tunnel.stop();
  CHECK(contains(answers.take(), "ending"));
  one.tunnel.dial("n2", where,
                  [&](int, std::string why) { answers.put(std::move(why)); });
  CHECK(contains(answers.take(), "ending"));
}

TEST_CASE("peer_tunnel says what is wrong with its settings") {
  silent_log log;
  auto settings = secret_settings("n1");
  settings.secret = "short";
  CHECK_THROWS_WITH(net::peer_tunnel(settings, log),
                    Catch::Contains("shorter than 32 bytes"));
  const tunnel_end one(secret_settings("n1"));
  settings = secret_settings("n2");
  settings.address = one.tunnel.address();
  net::peer_tunnel taken(settings, log);
  CHECK_THROWS_WITH(taken.listen([](const std::string&) { return -1; }),
                    Catch::Contains("choose another `peer`"));
  settings.secret.clear();
  settings.ca_file = "/nonexistent/ca.pem";
  CHECK_THROWS_WITH(net::peer_tunnel(settings, log),
                    Catch::Contains("vartalap certs init"));
}

TEST_CASE("peer_handshake takes no proof of another role, name or nonce") {
  using hs = net::peer_handshake;
  const std::string key(32, 'k');
  const auto anybody = [](const std::string&) { return std::string(); };
  const auto pass = [](hs& to, const std::string& frame) {
    const auto size = to.on_header(frame.substr(0, hs::header_bytes));
    REQUIRE(size);
    return to.on_body(frame.substr(hs::header_bytes));
  };
  hs dialer(hs::role::dialer, "n1", "n2", key, anybody);
  hs acceptor(hs::role::acceptor, "n2", "", key, anybody);
  const auto challenge = pass(acceptor, dialer.begin());
  const auto proof = pass(dialer, challenge.send);
  SECTION("the right one passes") {
    const auto welcome = pass(acceptor, proof.send);
    CHECK(welcome.done);
    CHECK(acceptor.peer() == "n1");
    CHECK(pass(dialer, welcome.send).done);
  }
  SECTION("one of another conversation does not") {
    hs again(hs::role::acceptor, "n2", "", key, anybody);
    pass(again, dialer.begin());
    CHECK_FALSE(pass(again, proof.send).problem.empty());
  }
  SECTION("one for another name does not") {
    hs other(hs::role::dialer, "n3", "n2", key, anybody);
    hs again(hs::role::acceptor, "n2", "", key, anybody);
    auto begun = pass(again, other.begin());
    CHECK_FALSE(pass(again, proof.send).problem.empty());
  }
  SECTION("the dialer's own, sent back as a welcome, does not") {
    auto reflected = proof.send;
    reflected[4] = 4; // welcome
    const auto step = pass(dialer, reflected);
    CHECK_FALSE(step.done);
    CHECK_FALSE(step.problem.empty());
  }
}

TEST_CASE("basp_frame_guard finds lengths however the bytes are cut") {
  const auto stream = basp_header(5) + "hello" + basp_header(0)
                      + basp_header(100) + std::string(100, '\xFF')
                      + basp_header(101);
  for (std::size_t step = 1; step < stream.size(); ++step) {
    net::basp_frame_guard guard(100);
    std::size_t passed = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      if (!guard.feed(std::string_view(stream).substr(at, step)))
        break;
      passed = std::min(at + step, stream.size());
    }
    CAPTURE(step);
    // Never as far as the end of the length that is too great.
    CHECK(passed < stream.size() - 32 + 8);
    CHECK(passed + step >= stream.size() - 32 + 8);
  }
}
