#include "runtime/config.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/node.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>

using namespace vartalap;

namespace {

struct taken_port {
  taken_port() : fd(::socket(AF_INET, SOCK_STREAM, 0)) {
    ::sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof at;
    auto* plain = static_cast<::sockaddr*>(static_cast<void*>(&at));
    REQUIRE(::bind(fd, plain, size) == 0);
    REQUIRE(::listen(fd, 1) == 0);
    REQUIRE(::getsockname(fd, plain, &size) == 0);
    number = ntohs(at.sin_port);
  }
  ~taken_port() {
    ::close(fd);
  }
  int fd;
  unsigned number = 0;
};

} // namespace

TEST_CASE("node says which port is taken and does not hang") {
  const taken_port taken;
  std::string folder
    = (std::filesystem::temp_directory_path() / "node_test_XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const auto address = "127.0.0.1:" + std::to_string(taken.number);
  auto parsed = runtime::parse_config(
    "[[node]]\nname = \"n1\"\nclient = \"" + address
      + "\"\nadmin = \"127.0.0.1:0\"\ndata = \"" + folder + "/data\"\n",
    folder + "/cluster.toml");
  for (const auto& problem : parsed.problems)
    INFO(runtime::to_text(problem));
  runtime::process_metrics metrics;
  runtime::process_log log(parsed.options.runtime, [](std::string_view) {});
  parsed.options.runtime.web = PROJECT_WEB_FOLDER;
  CHECK_THROWS_WITH(
    runtime::node(parsed.options, "n1", "cluster.toml", log, metrics),
    Catch::Contains(address) && Catch::Contains("another process"));
  std::filesystem::remove_all(folder);
}
