#include "core/cluster_answer.hpp"

#include <catch2/catch.hpp>

using namespace vartalap;
using core::push_platform;

namespace {

core::device_record device(core::wall_ms seen, core::wall_ms since,
                           const std::string& token) {
  return {
    "phone", seen, {}, 0, core::push_target{push_platform::fcm, token, since}};
}

/// Whether the listing's receiver, who holds `ours`, takes `theirs`.
bool takes(const core::device_record& theirs, const core::device_record& ours) {
  core::say::listing there;
  there.devices.push_back({"bob", theirs});
  core::say::listing here;
  here.devices.push_back({"bob", ours});
  return !core::answer_to(there, here).devices.empty();
}

} // namespace

TEST_CASE("of two records of a device the later seen is taken", "[cluster]") {
  CHECK(takes(device(2, 1, "a"), device(1, 9, "b")));
  CHECK_FALSE(takes(device(1, 9, "b"), device(2, 1, "a")));
}

TEST_CASE("of two records seen at once the later push target is taken",
          "[cluster]") {
  CHECK(takes(device(1, 6, "a"), device(1, 5, "b")));
  CHECK_FALSE(takes(device(1, 5, "b"), device(1, 6, "a")));
  // Every node takes the same of two of one moment.
  CHECK(takes(device(1, 5, "b"), device(1, 5, "a"))
        != takes(device(1, 5, "a"), device(1, 5, "b")));
  CHECK_FALSE(takes(device(1, 5, "a"), device(1, 5, "a")));
}
