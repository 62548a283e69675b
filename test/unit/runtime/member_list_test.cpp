#include "runtime/member_list.hpp"

#include <catch2/catch.hpp>

namespace vartalap::runtime {

TEST_CASE("member_list is sorted by name and survives its text") {
  core::cluster_options options;
  options.nodes.resize(2);
  options.nodes[0].name = "n2";
  options.nodes[0].peer = "10.0.0.2:7080";
  options.nodes[1].name = "n1";
  options.nodes[1].peer = "10.0.0.1:7080";
  const auto list = members_of(options);
  REQUIRE(list.size() == 2);
  CHECK(list[0] == member{"n1", "10.0.0.1:7080"});
  CHECK(parse_member_list(to_text(list)) == list);
  CHECK(names_of(list) == std::vector<std::string>{"n1", "n2"});
  CHECK(to_words(list) == "n1, n2");
}

TEST_CASE("member_list refuses text that is none") {
  for (const auto* text : {"", "n1", "n1\n", "\t10.0.0.1:7080\n",
                           "n1\t10.0.0.1:7080", "n1\t10.0.0.1:7080\nn2\n"})
    CHECK_FALSE(parse_member_list(text));
}

} // namespace vartalap::runtime
