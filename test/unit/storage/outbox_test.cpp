// Which groups have messages on the way, and what of a group never expires.

#include "core/group.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

namespace vartalap::test {

namespace op = storage::op;

namespace {

const std::string one = core::group_mailbox("one");
const std::string two = core::group_mailbox("two");
const std::string list = core::groups_of_user("bob");

core::envelope_ptr of_type(const std::string& to, unsigned n,
                           core::message_type type, core::wall_ms at = 0) {
  auto made = std::make_shared<core::envelope>(*make_message(to, n, 100, at));
  made->type = type;
  return made;
}

core::envelope_ptr outgoing(const std::string& to, unsigned n,
                            core::wall_ms at = 0) {
  return of_type(to, n, core::message_type::outgoing_message, at);
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(store_fixture, "store knows groups with messages on the way") {
  open();
  const auto a = outgoing(one, 1);
  const auto b = outgoing(one, 2);
  const auto c = of_type(two, 3, core::message_type::group_record);
  put(a);
  put(b);
  put(c);
  put(make_message("bob", 4));
  put(of_type(list, 5, core::message_type::group_record));
  sink.wait_for(asked);
  for (const bool again : {false, true}) {
    if (again)
      reopen();
    CHECK(store->outgoing({}, 10).size() == 2);
    CHECK(store->outgoing({}, 1).size() == 1);
    const auto first = store->outgoing({}, 1).front();
    CHECK(store->outgoing(first, 10).size() == 1);
    CHECK(store->outgoing(first, 10).front() != first);
  }
  run({op::remove{one, a->serverid}});
  CHECK(store->outgoing({}, 10).size() == 2);
  run({op::ack{two, c->serverid, "7"}});
  CHECK(store->outgoing({}, 10).size() == 2);
  run({op::ack{two, c->serverid, std::string(core::sent_to_all)}});
  CHECK(store->outgoing({}, 10) == names{one});
  CHECK(pending(two).size() == 1);
  run({op::remove{one, b->serverid}});
  CHECK(store->outgoing({}, 10).empty());
}

TEST_CASE_METHOD(store_fixture, "store takes a copy that is with all members") {
  open();
  const auto a = of_type(one, 1, core::message_type::group_record);
  put(a, {"3", std::string(core::sent_to_all)});
  sink.wait_for(asked);
  CHECK(store->outgoing({}, 10).empty());
  CHECK(core::slices_of(store->fetch_stored(one, {{a->serverid}})[0].acked)
        == 1U << 3U);
}

TEST_CASE_METHOD(store_fixture, "store never lets a group's records expire") {
  options.settle_after = core::milliseconds{0};
  options.sweep_interval = core::milliseconds{1};
  const auto old = wall_now() - 40ULL * 24 * 3600 * 1000;
  open();
  const auto message = outgoing(one, 1, old);
  const auto record
    = of_type(one, 2, core::message_type::group_record, old + 1);
  const auto entry = of_type(list, 3, core::message_type::group_record, old);
  put(message);
  put(record);
  put(entry);
  put(make_message("bob", 4));
  sink.wait_until([&] { return sink.expirations.contains(one); });
  wait_for_journal(0);
  CHECK(sink.expirations.at(one)
        == std::vector<core::server_id>{message->serverid});
  // Once around the mailboxes: what expires later was found by another step.
  put(make_message("carl", 5, 100, old));
  sink.wait_until([&] { return sink.expirations.contains("carl"); });
  CHECK(pending(one) == std::vector<core::server_id>{record->serverid});
  CHECK(pending(list).size() == 1);
  // The record itself is still on its way.
  CHECK(store->outgoing({}, 10) == names{one});
}

TEST_CASE_METHOD(store_fixture, "store gives back whose copy it is") {
  open();
  auto copy = std::make_shared<core::envelope>(*make_message("bob", 1));
  copy->group = std::string{"g"};
  put(copy);
  sink.wait_for(asked);
  const auto found = store->fetch("bob", {{copy->serverid}});
  REQUIRE(found.size() == 1);
  CHECK(found[0]->to == "bob");
  CHECK(found[0]->addressee() == "g");
  CHECK(store->snapshot("bob").pending[0].key
        == core::make_dedupe_key(copy->from, "g", copy->id));
}

} // namespace vartalap::test
