// What nodes of a cluster need of storage: tombstones, listings, notes.

#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace vartalap;
using namespace vartalap::storage;
using test::make_message;
using test::store_fixture;

namespace {

op::remove removal_of(const core::envelope_ptr& message) {
  return {message->to, message->serverid, remembrance::always};
}

bucket_listing list(store_fixture& on, const std::string& user) {
  return on.store->list_bucket(core::bucket_of(user));
}

/// Digest of a user's bucket; all zero where it is empty.
bucket_digest digest(store_fixture& on, const std::string& user) {
  const auto found = on.store->digests(core::bucket_of(user), 1);
  return found.empty() ? bucket_digest{} : found.front();
}

} // namespace

TEST_CASE_METHOD(store_fixture,
                 "store remembers a removal until it may forget") {
  open();
  const auto message = make_message("bob", 1);
  put(message);
  run({removal_of(message)});
  CHECK(pending("bob").empty());
  CHECK(store->status().removals == 1);
  reopen();
  const auto listed = list(*this, "bob");
  REQUIRE(listed.removals.size() == 1);
  CHECK(listed.removals[0].user == "bob");
  CHECK(listed.removals[0].serverid == message->serverid);
  CHECK(listed.messages.empty());

  // It does not come back from the dead.
  put(message);
  CHECK(pending("bob").empty());
  run({op::forget{"bob", message->serverid, {}}});
  CHECK(store->status().removals == 0);
  put(message);
  CHECK(pending("bob").size() == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "store remembers a removal that met its put, or overtook it") {
  open();
  const auto met = make_message("bob", 1);
  const auto overtaken = make_message("bob", 2);
  run({op::put{met, {}, false}, removal_of(met), removal_of(overtaken)});
  CHECK(store->status().removals == 2);
  run({op::put{overtaken, {}, false}});
  CHECK(pending("bob").empty());
}

TEST_CASE_METHOD(store_fixture,
                 "store lets a device come back after it was erased") {
  open();
  run({op::put_device{"bob", {"phone", 1000, {}, 0}},
       op::erase_device{"bob", "phone", 2000}});
  CHECK(list(*this, "bob").removals.at(0).device == "phone");
  run({op::merge_device{"bob", {"phone", 1500, {}, 0}}});
  CHECK(list(*this, "bob").devices.empty());
  run({op::put_device{"bob", {"phone", 3000, {}, 0}}});
  CHECK(list(*this, "bob").devices.size() == 1);
  CHECK(list(*this, "bob").removals.empty());
}

TEST_CASE_METHOD(store_fixture, "store merges records of a device") {
  open();
  run({op::put_device{"bob", {"phone", 1000, {5, 0}, 7}},
       op::merge_device{"bob", {"phone", 2000, {3, 0}, 1}}});
  auto record = list(*this, "bob").devices.at(0).second;
  CHECK(record.last_seen == 2000);
  CHECK(record.cancelled_upto == core::server_id{5, 0});
  CHECK(record.gap_count == 7);
  run({op::merge_device{"bob", {"phone", 1, {9, 0}, 2}}});
  record = list(*this, "bob").devices.at(0).second;
  CHECK(record.last_seen == 2000);
  CHECK(record.gap_count == 2);
}

TEST_CASE_METHOD(store_fixture,
                 "store answers every operation once, in order") {
  open();
  const auto a = make_message("bob", 1);
  const auto b = make_message("bob", 2);
  auto nameless = std::make_shared<core::envelope>(*make_message("bob", 3));
  nameless->to.clear();
  const std::vector<operation> all{
    op::put{a, {}, false},
    op::barrier{},
    op::ack{"bob", a->serverid, "phone"},
    op::put{b, {}, false},
    removal_of(b),
    op::put{nameless, {}, false},
    op::remove{"bob", a->serverid},
    op::forget{"bob", b->serverid, {}},
    op::clear_offline{"bob"},
    op::note_peer{"n2", "d1", 5},
    op::barrier{},
  };
  std::vector<request> batch;
  for (std::size_t i = 0; i < all.size(); ++i)
    batch.push_back({0, i + 1, all[i]});
  store->submit(batch);
  sink.wait_for(all.size());
  REQUIRE(sink.all.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    CHECK(sink.all[i].owner == i + 1);
}

TEST_CASE_METHOD(store_fixture,
                 "store's barrier comes behind what it waits for") {
  open();
  const auto message = make_message("bob", 1);
  run({op::put{message, {}, false}, op::barrier{}});
  CHECK(sink.all.back().result == outcome::done);
  const auto commits = store->status().commits;
  run({op::barrier{}});
  CHECK(store->status().commits == commits);
}

TEST_CASE_METHOD(store_fixture, "store copies messages with who has them") {
  open();
  const auto message = make_message("bob", 1);
  put(message, {"phone"});
  const auto ids = std::vector{message->serverid};
  const auto found = store->fetch_stored("bob", ids);
  REQUIRE(found.size() == 1);
  CHECK(found[0].acked == std::vector<std::string>{"phone"});
  CHECK(found[0].message->content == message->content);
}

TEST_CASE_METHOD(store_fixture, "store's digests differ where contents do") {
  open();
  const auto message = make_message("bob", 1);
  CHECK(digest(*this, "bob").messages == 0);
  put(message);
  const auto plain = digest(*this, "bob");
  CHECK(plain.messages == 1);
  run({op::ack{"bob", message->serverid, "phone"}});
  const auto acked = digest(*this, "bob");
  CHECK(acked.sum != plain.sum);
  run({op::put_device{"bob", {"phone", 1000, {}, 0}}});
  const auto known = digest(*this, "bob");
  CHECK(known.sum != acked.sum);
  CHECK(known.devices == 1);
  // When it was last seen is no difference.
  run({op::put_device{"bob", {"phone", 2000, {}, 0}}});
  CHECK(digest(*this, "bob").sum == known.sum);
  // Nor is the order of acknowledgements.
  run({op::ack{"bob", message->serverid, "web"}});
  const auto both = digest(*this, "bob").sum;
  run({op::remove{"bob", message->serverid}});
  put(message, {"web", "phone"});
  CHECK(digest(*this, "bob").sum == both);
}

TEST_CASE_METHOD(store_fixture, "store remembers its peers at their furthest") {
  open();
  run({op::note_peer{"n2", "d1", 5}, op::note_peer{"n2", "d1", 3}});
  reopen();
  REQUIRE(store->peers().size() == 1);
  CHECK(store->peers()[0].commits == 5);
  run({op::note_peer{"n2", "d2", 1}});
  CHECK(store->peers()[0].disk_uuid == "d2");
  CHECK(store->peers()[0].commits == 1);
}

TEST_CASE_METHOD(
  store_fixture,
  "store lists the same whether settled or not, as a model does") {
  options.settle_after = core::milliseconds{0};
  open();
  std::mt19937 random{11};
  std::map<std::string, std::set<core::server_id>> model;
  std::vector<core::envelope_ptr> all;
  unsigned n = 0;
  for (int round = 0; round < 30; ++round) {
    std::vector<operation> some;
    for (int i = 0; i < 20; ++i) {
      if (all.empty() || random() % 3 != 0) {
        const auto user = "user" + std::to_string(random() % 8);
        all.push_back(make_message(user, ++n, random() % 2000));
        model[user].insert(all.back()->serverid);
        some.push_back(op::put{all.back(), {}, false});
      } else {
        const auto& gone = all[random() % all.size()];
        model[gone->to].erase(gone->serverid);
        some.push_back(op::remove{gone->to, gone->serverid});
      }
    }
    run(std::move(some));
    for (const auto& [user, ids] : model) {
      std::set<core::server_id> found;
      for (const auto& mark : list(*this, user).messages)
        if (mark.user == user)
          CHECK(found.insert(mark.serverid).second);
      CHECK(found == ids);
    }
  }
  std::size_t in_digests = 0;
  for (const auto& one : store->digests(0, 65'536))
    in_digests += one.messages;
  std::size_t in_model = 0;
  for (const auto& [user, ids] : model)
    in_model += ids.size();
  CHECK(in_digests == in_model);
}
