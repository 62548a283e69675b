#include "net/networks.hpp"

#include <catch2/catch.hpp>

namespace vartalap::net {

TEST_CASE("networks contain their addresses and no others") {
  const networks all({"10.0.0.5", "192.168.0.0/16", "172.16.0.0/12", "fd00::/8",
                      "::1", "198.51.100.7/31"});
  for (const auto* in :
       {"10.0.0.5", "::ffff:10.0.0.5", "192.168.0.0", "192.168.255.255",
        "172.31.255.255", "fd12:3::4", "::1", "198.51.100.6", "198.51.100.7"})
    CHECK(all.contain(in));
  for (const auto* out : {"10.0.0.4", "192.169.0.1", "172.32.0.0", "fe80::1",
                          "::2", "198.51.100.8", "", "proxy", "10.0.0.5:80"})
    CHECK_FALSE(all.contain(out));
  CHECK(networks({"0.0.0.0/0"}).contain("203.0.113.9"));
  CHECK_FALSE(networks({"0.0.0.0/0"}).contain("2001:db8::1"));
  CHECK(networks({"::/0"}).contain("203.0.113.9"));
  CHECK_FALSE(networks({}).contain("127.0.0.1"));
}

TEST_CASE("networks leave out what is none") {
  for (const auto* bad : {"x", "10.0.0.0/33", "::/129", "10.0.0.0/", "/8",
                          "10.0.0.0/-1", "10.0.0.0/8 "})
    CHECK_FALSE(networks({bad}).contain("10.0.0.0"));
}

TEST_CASE("networks find the client behind proxies, and believe nobody else") {
  const networks proxies({"127.0.0.1", "10.0.0.0/8"});
  CHECK(proxies.client_of("203.0.113.1", "198.51.100.1") == "203.0.113.1");
  CHECK(proxies.client_of("127.0.0.1", "") == "127.0.0.1");
  CHECK(proxies.client_of("127.0.0.1", "198.51.100.1") == "198.51.100.1");
  CHECK(proxies.client_of("127.0.0.1", "203.0.113.9 ,\t198.51.100.1 ")
        == "198.51.100.1");
  // Two proxies of ours in a row.
  CHECK(proxies.client_of("127.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.7")
        == "198.51.100.1");
  CHECK(proxies.client_of("127.0.0.1", "10.0.0.1,10.0.0.2") == "10.0.0.1");
  CHECK(proxies.client_of("127.0.0.1", "2001:db8::1") == "2001:db8::1");
  for (const auto* none : {"unknown", "198.51.100.1:80", "_x", ", ,"})
    CHECK(proxies.client_of("127.0.0.1", none) == "127.0.0.1");
}

} // namespace vartalap::net
