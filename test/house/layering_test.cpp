#include "test/house/house_rules.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

namespace vartalap::house {

namespace {

/// The number of complaints about a file with one line.
std::size_t complaints(const std::string& path, const std::string& line) {
  return check_file(path, line + "\n").size();
}

bool allowed(const std::string& path, const std::string& what) {
  return complaints(path, "#include " + what) == 0;
}

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += "\n";
  return text;
}

/// A tree of files that goes when the test ends.
class planted_tree {
public:
  planted_tree() {
    auto name
      = (std::filesystem::temp_directory_path() / "vartalap_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~planted_tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  planted_tree(const planted_tree&) = delete;
  planted_tree& operator=(const planted_tree&) = delete;

  void plant(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::vector<std::string> check() const {
    return check_tree(root_);
  }

private:
  std::filesystem::path root_;
};

} // namespace

TEST_CASE("layering of the tree keeps the rules of the house") {
  for (const auto& problem : check_tree(VARTALAP_SOURCE_DIR))
    FAIL_CHECK(problem);
}

TEST_CASE("layering lets core include core and the standard library only") {
  CHECK(allowed("core/mailbox.cpp", "\"core/ids.hpp\""));
  CHECK(allowed("core/mailbox.cpp", "<vector>"));
  for (const auto* what :
       {"\"net/shard.hpp\"", "\"storage/store.hpp\"", "\"actors/x.hpp\"",
        "\"runtime/config.hpp\"", "\"load/x.hpp\"", "\"test/x.hpp\"",
        "<boost/asio.hpp>", "<caf/all.hpp>", "<lmdb.h>", "<msgpack.hpp>",
        "<toml++/toml.h>", "<spdlog/spdlog.h>", "<prometheus/counter.h>",
        "<openssl/evp.h>", "<rapidjson/writer.h>"}) {
    CAPTURE(what);
    CHECK_FALSE(allowed("core/mailbox.cpp", what));
  }
}

TEST_CASE("layering keeps net and storage apart") {
  CHECK(allowed("net/session.cpp", "\"core/ids.hpp\""));
  CHECK(allowed("net/session.cpp", "<boost/asio/post.hpp>"));
  CHECK_FALSE(allowed("net/session.cpp", "\"storage/store.hpp\""));
  CHECK_FALSE(allowed("net/session.cpp", "<caf/all.hpp>"));
  CHECK_FALSE(allowed("net/session.cpp", "<msgpack.hpp>"));
  CHECK(allowed("net/codec_msgpack.cpp", "<msgpack.hpp>"));
  CHECK_FALSE(allowed("storage/writer.cpp", "\"net/shard.hpp\""));
  CHECK_FALSE(allowed("storage/writer.cpp", "<boost/asio.hpp>"));
  CHECK(allowed("storage/writer.cpp", "<lmdb.h>"));
  CHECK_FALSE(allowed("net/session.cpp", "<lmdb.h>"));
}

TEST_CASE("layering lets actors and runtime include what is below them") {
  for (const auto* below :
       {"\"core/ids.hpp\"", "\"net/shard.hpp\"", "\"storage/store.hpp\"",
        "\"actors/messages.hpp\"", "<caf/all.hpp>"}) {
    CAPTURE(below);
    CHECK(allowed("actors/router_actor.cpp", below));
    CHECK(allowed("runtime/node.cpp", below));
  }
  CHECK_FALSE(allowed("actors/router_actor.cpp", "\"runtime/config.hpp\""));
  CHECK_FALSE(allowed("actors/router_actor.cpp", "<boost/asio.hpp>"));
  CHECK_FALSE(allowed("runtime/node.cpp", "<boost/asio.hpp>"));
}

TEST_CASE("layering lets main alone know both runtime and load") {
  CHECK(allowed("runtime/main.cpp", "\"load/run.hpp\""));
  CHECK_FALSE(allowed("runtime/node.cpp", "\"load/run.hpp\""));
  CHECK_FALSE(allowed("load/run.cpp", "\"runtime/config.hpp\""));
  CHECK_FALSE(allowed("load/run.cpp", "\"storage/store.hpp\""));
  CHECK(allowed("load/run.cpp", "\"actors/scheduler.hpp\""));
  CHECK(allowed("load/run.cpp", "\"actors/pinned_actor.hpp\""));
  CHECK_FALSE(allowed("load/run.cpp", "\"actors/messages.hpp\""));
}

TEST_CASE("layering gives toml++, spdlog and prometheus one owner each") {
  CHECK(allowed("runtime/config.cpp", "<toml++/toml.h>"));
  CHECK_FALSE(allowed("runtime/node.cpp", "<toml++/toml.h>"));
  CHECK(allowed("runtime/log.cpp", "<spdlog/spdlog.h>"));
  CHECK_FALSE(allowed("runtime/node.cpp", "<spdlog/spdlog.h>"));
  CHECK(allowed("runtime/metrics.cpp", "<prometheus/counter.h>"));
  CHECK_FALSE(allowed("actors/x.cpp", "<prometheus/counter.h>"));
}

TEST_CASE("layering sees an include however it is spelled") {
  CHECK(complaints("core/a.cpp", "  #  include  \"net/shard.hpp\"") == 1);
  CHECK(complaints("core/a.cpp", "#include<lmdb.h> // why not") == 1);
  CHECK(complaints("core/a.cpp", "// #include <lmdb.h>") == 0);
}

TEST_CASE("layering bounds the length of files") {
  CHECK(check_file("core/a.cpp", lines(500)).empty());
  CHECK(check_file("core/a.cpp", lines(501)).size() == 1);
  const std::string once = "#pragma once\n";
  CHECK(check_file("core/a.hpp", once + lines(299)).empty());
  CHECK(check_file("core/a.hpp", once + lines(300)).size() == 1);
  CHECK(check_file("core/a.hpp", "").size() == 1); // no #pragma once
}

TEST_CASE("layering finds tests that wait by the clock") {
  const std::string call = std::string("sleep") + "_for(1s);";
  CHECK(complaints("test/unit/core/a.cpp", call) == 1);
  CHECK(complaints("load/a.cpp", call) == 1);
  CHECK(complaints("net/a.cpp", call) == 0);
  CHECK(complaints("test/a.sh", "  sleep 1") == 1);
  CHECK(complaints("test/a.mjs", std::string("p.waitFor") + "Timeout(5)") == 1);
}

TEST_CASE("layering reports what is planted in a tree, and nothing else") {
  const planted_tree tree;
  tree.plant("core/README.md", "x");
  tree.plant("core/a.cpp", "#include <vector>\n");
  CHECK(tree.check().empty());
  tree.plant("build/release/x.cpp", "#include \"net/shard.hpp\"\n");
  tree.plant("test/browser/node_modules/x.mjs",
             std::string("waitFor") + "Timeout(1)\n");
  tree.plant("test/README.md", "x");
  CHECK(tree.check().empty());
  tree.plant("core/deep/b.cpp", "\n#include \"net/shard.hpp\"\n");
  tree.plant("net/a.cpp", "");
  CHECK(tree.check()
        == std::vector<std::string>{
          "core/deep/b.cpp:2: core may not include net/shard.hpp",
          "net: has no README.md"});
}

} // namespace vartalap::house
