#include "core/envelope.hpp"
#include "core/error.hpp"

#include <catch2/catch.hpp>

namespace vartalap::core {

namespace {

envelope hello() {
  envelope made;
  made.id = "m1";
  made.from = "alice";
  made.to = "bob";
  made.content = "hello";
  made.meta = {{"k", "v", false}};
  return made;
}

} // namespace

TEST_CASE("envelope hashes what a resend must repeat") {
  const auto first = hello();
  auto other = hello();
  other.timestamp = 5;
  other.serverid = {1, 2};
  CHECK(other.content_hash() == first.content_hash());

  const auto differs = [&](auto change) {
    auto changed = hello();
    change(changed);
    return changed.content_hash() != first.content_hash();
  };
  CHECK(differs([](auto& x) { x.content = "hellO"; }));
  CHECK(differs([](auto& x) { x.kind = content_kind::json; }));
  CHECK(differs([](auto& x) { x.type = message_type::custom; }));
  CHECK(differs([](auto& x) { x.channel = channel::group; }));
  CHECK(differs([](auto& x) { x.meta[0].value = "w"; }));
  CHECK(differs([](auto& x) { x.meta[0].is_json = true; }));
  CHECK(differs([](auto& x) { x.meta.clear(); }));
}

TEST_CASE("envelope weighs its strings and a fixed part") {
  const auto empty = envelope{}.weight();
  CHECK(empty > 0);
  CHECK(hello().weight() >= empty + 2 + 5 + 3 + 5 + 2);
  auto longer = hello();
  longer.content += std::string(100, 'x');
  CHECK(longer.weight() == hello().weight() + 100);
}

TEST_CASE("refusals have the protocol's names") {
  CHECK(to_string(refusal::bad_frame) == "bad_frame");
  CHECK(to_string(refusal::mailbox_full) == "mailbox_full");
  CHECK(to_string(refusal::unavailable) == "unavailable");
}

} // namespace vartalap::core
