#include "runtime/cluster_origins.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace vartalap;
using runtime::cluster_origins;

namespace {

core::cluster_options nodes_at(const std::vector<std::string>& clients) {
  core::cluster_options out;
  for (const auto& client : clients) {
    out.nodes.emplace_back();
    out.nodes.back().client = client;
  }
  return out;
}

} // namespace

TEST_CASE("cluster_origins of one node are those that the file allows") {
  auto options = nodes_at({"127.0.0.1:8080"});
  CHECK(cluster_origins(options).empty());
  options.auth.allowed_origins = {"https://chat.example"};
  CHECK(cluster_origins(options) == options.auth.allowed_origins);
}

TEST_CASE("cluster_origins of several nodes are the pages of all of them too") {
  auto options = nodes_at({"10.0.0.1:8080", "[fd00::1]:443", "10.0.0.3:80"});
  options.auth.allowed_origins = {"https://chat.example"};
  CHECK(cluster_origins(options)
        == std::vector<std::string>{
          "https://chat.example", "http://10.0.0.1:8080",
          "https://10.0.0.1:8080", "http://[fd00::1]:443", "https://[fd00::1]",
          "http://10.0.0.3", "https://10.0.0.3:80"});
}

TEST_CASE("cluster_origins know a node on this machine by both its names") {
  const std::vector<std::string> expected{
    "http://127.0.0.1:8081", "https://127.0.0.1:8081",
    "http://localhost:8081", "https://localhost:8081",
    "http://localhost:8082", "https://localhost:8082",
    "http://127.0.0.1:8082", "https://127.0.0.1:8082"};
  CHECK(cluster_origins(nodes_at({"127.0.0.1:8081", "localhost:8082"}))
        == expected);
}
