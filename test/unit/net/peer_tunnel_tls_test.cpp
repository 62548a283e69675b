#include "runtime/certs.hpp"
#include "test/unit/net/peer_tunnel_rig.hpp"

#include <filesystem>

using namespace vartalap;
using namespace vartalap::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

/// A folder with a cluster's authority and the certificates of its nodes.
class authority {
public:
  explicit authority(const std::string& name)
    : folder_((std::filesystem::temp_directory_path()
               / ("vartalap_tls_" + std::to_string(::getpid()) + name))
                .string()) {
    REQUIRE(runtime::run_certs_init({folder_, {}, 1, false}) == 0);
  }
  ~authority() {
    std::filesystem::remove_all(folder_);
  }

  /// Settings of node `me` with a certificate made for `certified`.
  net::tunnel_settings settings(const std::string& me,
                                const std::string& certified) const {
    REQUIRE(runtime::run_certs_node({folder_, certified, 30, true}) == 0);
    auto out = secret_settings(me);
    out.secret.clear();
    out.ca_file = folder_ + "/ca.pem";
    out.certificate_file = folder_ + "/" + certified + ".pem";
    out.key_file = folder_ + "/" + certified + ".key";
    return out;
  }
  net::tunnel_settings settings(const std::string& me) const {
    return settings(me, me);
  }

private:
  std::string folder_;
};

} // namespace

TEST_CASE("peer_tunnel carries bytes between nodes of one authority") {
  const authority ca("a");
  tunnel_end one(ca.settings("n1"));
  tunnel_end two(ca.settings("n2"));
  const auto near = one.dial("n2", two.tunnel.address());
  CAPTURE(one.problem);
  REQUIRE(one.problem.empty());
  const auto [peer, far] = two.joined.take();
  CHECK(peer == "n1");
  const auto there = basp_header(500'000) + std::string(500'000, 'x');
  CHECK(near.send(there));
  CHECK(far.read(there.size()) == there);
  CHECK(far.send(there));
  CHECK(near.read(there.size()) == there);
  two.tunnel.reload_certificates();
  CHECK(one.reaches("n2", two));
}

TEST_CASE("peer_tunnel refuses certificates of another authority") {
  const authority ours("a");
  const authority theirs("b");
  tunnel_end two(ours.settings("n2"));
  SECTION("the dialer has one") {
    tunnel_end one(theirs.settings("n1"));
    CHECK_FALSE(one.reaches("n2", two));
    CHECK(contains(one.problem, "its certificate is not good"));
  }
  SECTION("the dialer has one and trusts both") {
    auto settings = theirs.settings("n1");
    settings.ca_file = ours.settings("n3").ca_file;
    tunnel_end one(settings);
    CHECK_FALSE(one.reaches("n2", two));
    CHECK(contains(one.problem, "alert"));
  }
  CHECK(two.joined.empty());
  CHECK(refused_one(two.tunnel, net::tunnel_fault::tls));
}

TEST_CASE("peer_tunnel refuses a certificate for another name") {
  const authority ca("a");
  SECTION("of the node that is dialed") {
    tunnel_end one(ca.settings("n1"));
    tunnel_end two(ca.settings("n2", "n3"));
    CHECK_FALSE(one.reaches("n2", two));
    CHECK(contains(one.problem, "is not for n2 but for n3"));
    CHECK(two.joined.empty());
  }
  SECTION("of the node that dials") {
    tunnel_end one(ca.settings("n1", "n3"));
    tunnel_end two(ca.settings("n2"));
    CHECK_FALSE(one.reaches("n2", two));
    CHECK(contains(one.problem, "vartalap certs node n1"));
    CHECK(two.joined.empty());
  }
  SECTION("that is no member") {
    tunnel_end one(ca.settings("n9"));
    tunnel_end two(ca.settings("n2"));
    CHECK_FALSE(one.reaches("n2", two));
    CHECK(two.joined.empty());
  }
}

TEST_CASE("peer_tunnel with certificates takes no secret, and none no TLS") {
  const authority ca("a");
  auto quick = ca.settings("n1");
  quick.handshake_timeout = core::milliseconds(300);
  tunnel_end with(quick);
  auto settings = secret_settings("n2");
  settings.handshake_timeout = core::milliseconds(300);
  tunnel_end without(settings);
  CHECK_FALSE(with.reaches("n2", without));
  CHECK_FALSE(without.reaches("n1", with));
  CHECK(with.joined.empty());
  CHECK(without.joined.empty());
}

TEST_CASE("peer_tunnel refuses a key that others may read") {
  const authority ca("a");
  const auto settings = ca.settings("n1");
  silent_log log;
  std::filesystem::permissions(settings.key_file,
                               std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  CHECK_THROWS_WITH(net::peer_tunnel(settings, log),
                    Catch::Contains("chmod 600"));
  auto mixed = ca.settings("n1");
  mixed.key_file = ca.settings("n2").key_file;
  CHECK_THROWS_WITH(net::peer_tunnel(mixed, log), Catch::Contains("key"));
}
