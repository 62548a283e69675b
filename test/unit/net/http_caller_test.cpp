#include "net/http_caller.hpp"
#include "net/public_address.hpp"
#include "net/push_sender.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <string>

using namespace vartalap;
using namespace vartalap::net;

namespace {

bool is_public_text(const std::string& text) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    return is_public(reinterpret_cast<const sockaddr&>(four));
  }
  REQUIRE(::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1);
  six.sin6_family = AF_INET6;
  return is_public(reinterpret_cast<const sockaddr&>(six));
}

/// Listens on loopback and says whether anybody has come.
class lonely_port {
public:
  lonely_port() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
  }
  ~lonely_port() {
    ::close(socket_);
  }
  lonely_port(const lonely_port&) = delete;
  lonely_port& operator=(const lonely_port&) = delete;

  std::string url(const std::string& scheme, const std::string& host) const {
    return scheme + "://" + host + ":" + std::to_string(port_) + "/";
  }
  bool has_guest() const {
    pollfd one{socket_, POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
  }

private:
  int socket_;
  unsigned port_ = 0;
};

push_answer ask(http_caller& caller, push_request request) {
  std::promise<push_answer> told;
  caller.post([&] {
    caller.call(request,
                [&](const push_answer& answer) { told.set_value(answer); });
  });
  return told.get_future().get();
}

} // namespace

TEST_CASE("addresses of the internet are told from all others", "[push]") {
  for (const auto* text :
       {"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1",
        "172.32.0.1", "223.255.255.255", "2a00:1450:4001::1",
        "64:ff9b::808:808", "::ffff:8.8.8.8"})
    CHECK(is_public_text(text));
  for (const auto* text : {"0.0.0.0",
                           "10.1.2.3",
                           "100.64.0.1",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "198.18.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fd00::1",
                           "ff02::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::a00:1",
                           "2002:7f00:1::",
                           "2001:db8::1",
                           "2001::1"})
    CHECK_FALSE(is_public_text(text));
}

TEST_CASE("an untrusted request does not reach loopback", "[push]") {
  lonely_port port;
  http_caller caller({core::milliseconds{5000}, 4, {}, false});
  for (const auto* host : {"127.0.0.1", "localhost", "0x7f000001"})
    for (const auto* scheme : {"https", "http"}) {
      push_request request;
      request.url = port.url(scheme, host);
      request.untrusted = true;
      const auto answer = ask(caller, request);
      CHECK(answer.status == 0);
      CHECK_FALSE(answer.problem.empty());
    }
  CHECK_FALSE(port.has_guest());
}

TEST_CASE("a server that does not answer costs the timeout", "[push]") {
  lonely_port port;
  http_caller caller({core::milliseconds{50}, 1, {}, false});
  push_request request;
  request.url = port.url("http", "127.0.0.1");
  const auto answer = ask(caller, request);
  CHECK(answer.status == 0);
  CHECK(answer.problem == "Timeout was reached");
  CHECK(port.has_guest());
}

TEST_CASE("a caller that ends drops what is under way", "[push]") {
  lonely_port port;
  bool told = false;
  {
    http_caller caller({core::milliseconds{60'000}, 1, {}, false});
    std::promise<void> asked;
    caller.post([&] {
      push_request request;
      request.url = port.url("http", "127.0.0.1");
      for (int i = 0; i < 3; ++i)
        caller.call(request, [&](const push_answer&) { told = true; });
      asked.set_value();
    });
    asked.get_future().wait();
  }
  CHECK_FALSE(told);
}

TEST_CASE("a provider without a key is an operator's matter", "[push]") {
  const core::push_options options;
  push_sender sender(options);
  for (const auto each :
       {core::push_platform::fcm, core::push_platform::apns,
        core::push_platform::webpush, core::push_platform::webhook}) {
    CHECK_FALSE(sender.serves(each));
    std::promise<core::push_outcome> told;
    core::push_target target;
    target.platform = each;
    sender.send(target, {},
                [&](const core::push_outcome& how) { told.set_value(how); });
    CHECK(told.get_future().get().what == core::push_outcome::misconfigured);
  }
}

TEST_CASE("a key that cannot be used is told with its mend", "[push]") {
  core::push_options options;
  options.webhook_url = "https://hooks.example.org";
  options.webhook_secret_file = "/nonexistent/secret";
  CHECK_THROWS_WITH(load_push_keys(options),
                    Catch::Contains("push.webhook.secret_file")
                      && Catch::Contains("cannot be read"));
  options = {};
  options.webpush_key_file = "/etc/hostname";
  CHECK_THROWS_WITH(load_push_keys(options),
                    Catch::Contains("openssl ecparam"));
}
