#include "net/api_identity_json.hpp"
#include "net/client_info.hpp"

#include <catch2/catch.hpp>

namespace vartalap::net {

namespace {

using core::auth_mode;

http_request request_with(std::map<std::string, std::string> headers,
                          std::map<std::string, std::string> query = {},
                          std::map<std::string, std::string> cookies = {}) {
  http_request out;
  out.headers = std::move(headers);
  out.query = std::move(query);
  out.cookies = std::move(cookies);
  return out;
}

const std::map<std::string, std::string> cookies{{"user", "cu"},
                                                 {"accesskey", "ck"}};

} // namespace

TEST_CASE("credentials: the first that is found counts") {
  auto found = find_credentials(
    request_with(
      {{"authorization", "Bearer T"}, {"user", "hu"}, {"accesskey", "hk"}},
      {{"access_token", "Q"}}, cookies),
    auth_mode::jwt);
  CHECK(found.secret() == "T");
  CHECK(found.user == "hu"); // to be compared with whom T names
  found = find_credentials(request_with({{"user", "hu"}, {"accesskey", "hk"}},
                                        {{"access_token", "Q"}}, cookies),
                           auth_mode::accesskey);
  CHECK(found.secret() == "hk");
  CHECK(found.user == "hu");
  // Half of a pair is one that was found: nothing is put together.
  found = find_credentials(request_with({{"user", "hu"}}, {}, cookies),
                           auth_mode::accesskey);
  CHECK(found.secret().empty());
  found = find_credentials(request_with({}, {{"access_token", "Q"}}, cookies),
                           auth_mode::accesskey);
  CHECK(found.secret() == "Q");
  CHECK(found.user.empty());
  found = find_credentials(request_with({}, {{"user", "qu"}}, cookies),
                           auth_mode::accesskey);
  CHECK(found.secret() == "ck");
  CHECK(found.user == "cu");
}

TEST_CASE("parse_upgrade takes the encoding from subprotocol and format") {
  struct expectation {
    const char* subprotocol;
    std::map<std::string, std::string> query;
    encoding how;
    bool wants_ack;
    client_ack_mode client_ack;
  };
  using mode = client_ack_mode;
  const std::vector<expectation> cases{
    {"", {}, encoding::json_v2, false, mode::state},
    {"", {{"format", "text"}}, encoding::json_v2, false, mode::state},
    {"", {{"ack", "true"}}, encoding::json_v2, true, mode::explicit_only},
    {"",
     {{"format", "binary"}},
     encoding::protobuf,
     false,
     mode::explicit_only},
    {"",
     {{"format", "binary"}, {"ack", "true"}},
     encoding::protobuf,
     true,
     mode::explicit_only},
    {"",
     {{"format", "binary"}, {"client_ack", "state"}},
     encoding::protobuf,
     false,
     mode::state},
    {"other",
     {{"format", "binary"}},
     encoding::protobuf,
     false,
     mode::explicit_only},
    {"vartalap.json",
     {{"format", "binary"}},
     encoding::json,
     false,
     mode::explicit_only},
    {"vartalap.msgpack",
     {{"format", "binary"}},
     encoding::msgpack,
     true,
     mode::explicit_only},
  };
  for (const auto& one : cases) {
    CAPTURE(one.subprotocol, one.query);
    std::string subprotocol;
    std::string problem;
    const auto info = parse_upgrade(
      request_with({{"sec-websocket-protocol", one.subprotocol}}, one.query),
      subprotocol, problem);
    REQUIRE(info);
    CHECK(info->encoding == one.how);
    CHECK(info->wants_ack == one.wants_ack);
    CHECK(info->client_ack == one.client_ack);
  }
  std::string subprotocol;
  std::string problem;
  for (const auto* format : {"xml", "Binary", "protobuf"}) {
    CHECK_FALSE(parse_upgrade(request_with({}, {{"format", format}}),
                              subprotocol, problem));
    CHECK(problem.find("format") != std::string::npos);
  }
}

TEST_CASE("credentials: names are believed in mode none alone") {
  CHECK(find_credentials(request_with({}, {{"user", "qu"}}, cookies),
                         auth_mode::none)
          .user
        == "qu");
  CHECK(find_credentials(request_with({{"accesskey", "hk"}}, {}, cookies),
                         auth_mode::none)
          .user
        == "cu");
  CHECK(find_credentials(request_with({}, {{"user", "qu"}}), auth_mode::jwt)
          .user.empty());
}

TEST_CASE("parse_contacts takes names once and refuses what is no list") {
  const auto names = [](std::string_view body) {
    auto found = api::parse_contacts(body);
    auto* list = std::get_if<std::vector<std::string>>(&found);
    return list == nullptr ? std::vector<std::string>{"refused"}
                           : std::move(*list);
  };
  using list = std::vector<std::string>;
  CHECK(names(R"({"users":["b","a","b","server","","\u0000"],"x":1})")
        == list{"b", "a"});
  CHECK(names(R"({"users":[]})").empty());
  for (const auto* bad :
       {"", "{", "[]", "{}", R"({"users":null})", R"({"users":{"a":true}})",
        R"({"users":["a",1]})", "{\"users\":[\"\xff\"]}"})
    CHECK(names(bad) == list{"refused"});
  CHECK(api::contacts_body(list{"a\"b", "c"}) == R"({"a\"b":true,"c":true})");
  CHECK(api::contacts_body({}) == "{}");
  CHECK(api::names_body(list{"a", "b"}) == R"(["a","b"])");
  const std::vector<api::key_line> keys{{"1", "d", 5, 0, true},
                                        {"2", "e", 6, 7, false}};
  CHECK(api::keys_body(keys)
        == R"([{"id":"1","device":"d","issuedAt":5,"expiresAt":null,)"
           R"("current":true},{"id":"2","device":"e","issuedAt":6,)"
           R"("expiresAt":7,"current":false}])");
}

} // namespace vartalap::net
