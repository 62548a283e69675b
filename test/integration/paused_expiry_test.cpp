#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

using namespace vartalap;
using namespace vartalap::integration;

namespace {

constexpr core::wall_ms day = 24ULL * 3'600'000;

/// Data of a node that took its last message, one to bob, at `at`.
void make_data(const std::string& directory, core::wall_ms at) {
  test::recorded_log log;
  test::recorded_sink sink;
  core::storage_options options;
  storage::store_hooks hooks;
  hooks.wall_clock = [at] { return at; };
  storage::lmdb_store store(directory, options, core::delivery_options{}.ttl, 1,
                            sink, log, hooks);
  store.submit(
    {{0, 0,
      storage::op::put{test::make_message("bob", 1, 100, at), {}, false}}});
  sink.wait_for(1);
}

http_answer resume_expiry(const server_process& server) {
  std::ifstream file(server.folder() + "/data/admin.token");
  std::string token;
  std::getline(file, token);
  return http(server.admin_port(),
              {.method = "POST",
               .path = "/expiry/resume",
               .headers = {"Authorization: Bearer " + token}});
}

} // namespace

TEST_CASE("a node that starts long after its last message deletes on request") {
  server_process server(
    server_settings{{"storage.sweep_interval", "\"20ms\""}});
  server.kill();
  const auto data = server.folder() + "/data";
  std::filesystem::remove_all(data);
  make_data(data, test::wall_now() - 40 * day); // ttl: 30 days
  server.start();
  REQUIRE(
    comes_true([&] { return metric(server, "storage_expiry_paused") == 1; }));
  // Messages of today come and go as ever.
  bystanders others(server.port());
  others.talk();
  CHECK(metric(server, "storage_expired_total") == 0);
  CHECK(pending_of(server, "bob") == "1");
  CHECK(comes_true([&] {
    return server.log().find("expiry is paused") != std::string::npos;
  }));
  REQUIRE(resume_expiry(server).status == 200);
  CHECK(
    comes_true([&] { return metric(server, "storage_expiry_paused") == 0; }));
  CHECK(comes_true([&] { return pending_of(server, "bob") == "0"; }));
  CHECK(metric(server, "storage_expired_total") == 1);
}
