// Senders that a user has blocked.

#include "test/unit/core/mailbox_fixture.hpp"

#include <catch2/catch.hpp>

namespace vartalap::test {

using core::refusal;
namespace effect = core::effect;

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox refuses what a blocked sender sends") {
  box->block("mallory", true);
  receive(message("m1", "mallory"));
  REQUIRE(count<effect::refuse>() == 1);
  CHECK(all<effect::refuse>()[0].code == refusal::forbidden);
  CHECK(count<effect::store>() == 0);
  auto typing = message("m2", "mallory");
  typing->ephemeral = true;
  receive(typing);
  REQUIRE(count<effect::refuse>() == 1);
  receive(message("m1", "alice"));
  CHECK(count<effect::refuse>() == 0);
  CHECK(counters.rejected == 2);
  CHECK(box->inspect().pending == 1);
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox takes it again after the block") {
  box->block("mallory", true);
  box->block("eve", true);
  box->block("mallory", false);
  box->block("nobody", false);
  receive(message("m1", "mallory"));
  CHECK(count<effect::refuse>() == 0);
  receive(message("m1", "eve"));
  CHECK(count<effect::refuse>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox answers a resend as the first, whatever came since") {
  const auto id = receive(message("m1", "mallory"));
  committed(id);
  box->block("mallory", true);
  receive(message("m1", "mallory"));
  CHECK(count<effect::refuse>() == 0);
  CHECK(count<effect::confirm>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox opens with the blocks of the disk") {
  core::mailbox_snapshot found;
  found.blocked = {"mallory"};
  open(std::move(found));
  receive(message("m1", "mallory"));
  CHECK(count<effect::refuse>() == 1);
}

} // namespace vartalap::test
