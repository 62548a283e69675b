#include "runtime/check.hpp"
#include "runtime/config.hpp"
#include "runtime/config_print.hpp"
#include "runtime/config_table.hpp"
#include "runtime/metrics_table.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace vartalap::runtime {

namespace {

const std::string root = VARTALAP_SOURCE_DIR;

/// A file of the tree; made anew first where VARTALAP_WRITE_DOCS is set.
std::string file_of_tree(const std::string& path, const std::string& made) {
  if (std::getenv("VARTALAP_WRITE_DOCS") != nullptr)
    std::ofstream(root + "/" + path) << made;
  std::ifstream in(root + "/" + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

} // namespace

// Where one of these fails, run this test with VARTALAP_WRITE_DOCS=1 and commit
// what it wrote.

TEST_CASE("config_print made the cluster.toml of the tree") {
  CHECK(file_of_tree("cluster.toml", default_config()) == default_config());
}

TEST_CASE("config_print made docs/configuration.md") {
  CHECK(file_of_tree("docs/configuration.md", configuration_page())
        == configuration_page());
}

TEST_CASE("metrics_table made docs/metrics.md") {
  CHECK(file_of_tree("docs/metrics.md", metrics_page()) == metrics_page());
}

TEST_CASE("config_print prints every key, and reads back as the defaults") {
  const auto text = default_config();
  const auto result = parse_config(text, "cluster.toml");
  REQUIRE(result.ok());
  const core::cluster_options defaults;
  for (const auto& setting : cluster_settings()) {
    CAPTURE(setting.section, setting.key);
    CHECK(text.find("\n" + setting.key + " = ") != std::string::npos);
    CHECK(setting.get(result.options) == setting.get(defaults));
  }
  REQUIRE(result.options.nodes.size() == 1);
  for (const auto& setting : node_settings()) {
    CAPTURE(setting.key);
    CHECK(setting.get(result.options.nodes[0]) == setting.get(example_node()));
  }
}

TEST_CASE("config_print breaks no line beyond 80 columns") {
  std::istringstream lines(default_config());
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK((line.size() <= 80 || line.starts_with("# Configuration of")));
  }
}

TEST_CASE("check says what is wrong with status 2") {
  const auto path = std::filesystem::temp_directory_path()
                    / ("vartalap_check_" + std::to_string(getpid()) + ".toml");
  std::ofstream(path) << "[delivery]\nwindw = 3\n";
  std::ostringstream out;
  std::ostringstream err;
  CHECK(run_check({path.string(), false}, out, err) == 2);
  std::filesystem::remove(path);
  CHECK(out.str().empty());
  CHECK(err.str().find("did you mean window?") != std::string::npos);
  CHECK(err.str().find("there is no [[node]]") != std::string::npos);
  CHECK(err.str().find(": 2 errors") != std::string::npos);
}

TEST_CASE("check calls the cluster.toml of the tree good with status 0") {
  std::ostringstream out;
  std::ostringstream err;
  CHECK(run_check({root + "/cluster.toml", false}, out, err) == 0);
  CHECK(out.str().find("cluster.toml: ok, 1 node (n1") != std::string::npos);
}

TEST_CASE("check prints the defaults") {
  std::ostringstream out;
  std::ostringstream err;
  CHECK(run_check({"/nonexistent", true}, out, err) == 0);
  CHECK(out.str() == default_config());
}

} // namespace vartalap::runtime
