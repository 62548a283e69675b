// Listings and digests against a model, and of stores with different pasts.

#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

using namespace vartalap;
using namespace vartalap::storage;
using test::make_message;
using test::store_fixture;

namespace {

/// What the store ought to hold.
struct model {
  struct message {
    core::envelope_ptr what;
    std::set<std::string> acked;
  };
  std::map<std::pair<std::string, core::server_id>, message> messages;
  std::map<std::pair<std::string, std::string>, core::device_record> devices;
  std::set<std::pair<std::string, core::server_id>> removals;
  std::set<std::string> raised;
};

/// Makes operations at random and carries them out on the model as well.
class random_source {
public:
  explicit random_source(unsigned seed) : random_(seed) {
  }

  operation next() {
    const auto user = "user" + std::to_string(below(12));
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return put(make_message(user, ++n_, below(2000)));
      case 4:
        return put(some_message()); // again, perhaps after its removal
      case 5:
        return ack();
      case 6:
        return remove();
      case 7:
        return forget();
      case 8:
        return device(user);
      default:
        state.raised.erase(user);
        return op::clear_offline{user};
    }
  }

  model state;

private:
  unsigned below(unsigned end) {
    return std::uniform_int_distribution<unsigned>{0, end - 1}(random_);
  }
  core::envelope_ptr some_message() {
    if (all_.empty())
      all_.push_back(make_message("user0", ++n_));
    return all_[below(static_cast<unsigned>(all_.size()))];
  }
  std::string some_device() {
    return "device" + std::to_string(below(4));
  }

  operation put(const core::envelope_ptr& what) {
    all_.push_back(what);
    const std::pair key{what->to, what->serverid};
    const auto acked = some_device();
    const auto raise = below(4) == 0;
    if (!state.removals.contains(key)) {
      auto& known = state.messages[key];
      known.what = what;
      known.acked.insert(acked);
      if (raise)
        state.raised.insert(what->to);
    }
    return op::put{what, {acked}, raise};
  }
  operation ack() {
    const auto what = some_message();
    const auto name = some_device();
    const auto known = state.messages.find({what->to, what->serverid});
    if (known != state.messages.end())
      known->second.acked.insert(name);
    return op::ack{what->to, what->serverid, name};
  }
  operation remove() {
    const auto what = some_message();
    const auto remember = below(2) == 0 ? remembrance::always
                                        : remembrance::none;
    state.messages.erase({what->to, what->serverid});
    if (remember == remembrance::always)
      state.removals.insert({what->to, what->serverid});
    return op::remove{what->to, what->serverid, remember};
  }
  operation forget() {
    const auto what = some_message();
    state.removals.erase({what->to, what->serverid});
    return op::forget{what->to, what->serverid, {}};
  }
  operation device(const std::string& user) {
    const auto name = some_device();
    if (below(4) == 0) {
      state.devices.erase({user, name});
      return op::erase_device{user, name};
    }
    const core::device_record record{name, below(1000), {below(5), 0}, 1};
    state.devices[{user, name}] = record;
    return op::put_device{user, record};
  }

  std::mt19937 random_;
  unsigned n_ = 0;
  std::vector<core::envelope_ptr> all_;
};

std::set<std::uint16_t> buckets_of(const model& state) {
  std::set<std::uint16_t> out;
  for (unsigned n = 0; n < 12; ++n)
    out.insert(core::bucket_of("user" + std::to_string(n)));
  for (const auto& [key, known] : state.messages)
    out.insert(core::bucket_of(key.first));
  return out;
}

void compare_listing(store& one, const model& state) {
  model found;
  for (const auto bucket : buckets_of(state)) {
    const auto listed = one.list_bucket(bucket);
    CHECK(std::is_sorted(listed.messages.begin(), listed.messages.end(),
                         [](const auto& x, const auto& y) {
                           return std::tie(x.user, x.serverid)
                                  < std::tie(y.user, y.serverid);
                         }));
    for (const auto& mark : listed.messages) {
      const std::vector id{mark.serverid};
      const auto stored = one.fetch_stored(mark.user, id);
      REQUIRE(stored.size() == 1);
      CHECK(found.messages
              .try_emplace({mark.user, mark.serverid},
                           model::message{
                             stored[0].message,
                             {stored[0].acked.begin(), stored[0].acked.end()}})
              .second);
    }
    for (const auto& [user, record] : listed.devices)
      found.devices[{user, record.name}] = record;
    for (const auto& removal : listed.removals)
      found.removals.insert({removal.user, removal.serverid});
    found.raised.insert(listed.raised.begin(), listed.raised.end());
  }
  REQUIRE(found.messages.size() == state.messages.size());
  for (const auto& [key, known] : state.messages) {
    REQUIRE(found.messages.contains(key));
    CHECK(found.messages[key].acked == known.acked);
    CHECK(found.messages[key].what->content == known.what->content);
  }
  CHECK(found.devices == state.devices);
  CHECK(found.removals == state.removals);
  CHECK(found.raised == state.raised);
}

/// The model's messages and devices in a store that has no past.
void fill_afresh(store_fixture& on, const model& state) {
  std::vector<operation> all;
  for (const auto& [key, known] : state.messages)
    all.emplace_back(
      op::put{known.what, {known.acked.rbegin(), known.acked.rend()}, false});
  for (const auto& [key, record] : state.devices)
    all.emplace_back(op::put_device{key.first, record});
  on.run(std::move(all));
}

void compare_digests(store& one, store& other) {
  const auto a = one.digests(0, 65'536);
  std::vector<bucket_digest> b;
  for (std::uint32_t first = 0; first < 65'536; first += 4096)
    for (const auto& digest :
         other.digests(static_cast<std::uint16_t>(first), 4096))
      b.push_back(digest);
  const auto holds
    = [](const auto& digest) { return digest.messages + digest.devices > 0; };
  std::vector<std::tuple<unsigned, unsigned, unsigned, std::uint64_t>> x;
  std::vector<std::tuple<unsigned, unsigned, unsigned, std::uint64_t>> y;
  for (const auto& digest : a)
    if (holds(digest))
      x.emplace_back(digest.bucket, digest.messages, digest.devices,
                     digest.sum);
  for (const auto& digest : b)
    if (holds(digest))
      y.emplace_back(digest.bucket, digest.messages, digest.devices,
                     digest.sum);
  CHECK(x == y);
}

} // namespace

TEST_CASE("listings and digests follow a model, whatever has settled") {
  const auto seed = GENERATE(1U, 2U, 3U);
  random_source source{seed};
  store_fixture on;
  on.options.settle_after = core::milliseconds{2};
  on.open();
  for (unsigned round = 0; round < 25; ++round) {
    std::vector<operation> some;
    for (unsigned i = 0; i < 40; ++i)
      some.push_back(source.next());
    on.run(std::move(some));
    compare_listing(*on.store, source.state);
    if (round % 10 == 9) {
      on.reopen();
      // A start raises the event of everybody who has a message.
      for (const auto& user : on.raised())
        source.state.raised.insert(user);
    }
    if (round % 7 == 6)
      on.wait_for_journal(0);
    store_fixture fresh;
    fresh.open();
    fill_afresh(fresh, source.state);
    fresh.run({op::put_device{"settle-probe", {"d", 0, {}, 0}}});
    on.run({op::put_device{"settle-probe", {"d", 0, {}, 0}}});
    compare_digests(*on.store, *fresh.store);
  }
  on.store.reset();
  CHECK(verify(on.directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture,
                 "listing counts a message of a fast clock once") {
  options.settle_after = core::milliseconds{0};
  open();
  const auto ahead = make_message("bob", 1, 100, test::wall_now() + 60'000);
  put(ahead, {"phone"});
  wait_for_journal(0);
  store.reset();
  options.settle_after = core::milliseconds{3'600'000};
  open();
  put(ahead, {"web"});
  CHECK(store->status().journal_records == 0);
  const auto bucket = core::bucket_of("bob");
  REQUIRE(store->list_bucket(bucket).messages.size() == 1);
  const std::vector id{ahead->serverid};
  REQUIRE(store->fetch_stored("bob", id).size() == 1);
  CHECK(store->fetch_stored("bob", id)[0].acked.size() == 2);
}

TEST_CASE_METHOD(store_fixture, "digests are of the range that was asked for") {
  open();
  const auto bucket = core::bucket_of("bob");
  put(make_message("bob", 1));
  run({op::remove{"bob", {5, 5}, remembrance::always}});
  CHECK(store->digests(0, bucket).empty());
  CHECK(store->digests(static_cast<std::uint16_t>(bucket + 1), 65'536).empty());
  const auto found = store->digests(bucket, 1);
  REQUIRE(found.size() == 1);
  CHECK(found[0].bucket == bucket);
  CHECK(found[0].messages == 1);
  CHECK(found[0].removals == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "listing counts a device's acknowledgement once") {
  open();
  put(make_message("bob", 1), {"phone", "phone"});
  const auto twice = store->list_bucket(core::bucket_of("bob")).messages;
  REQUIRE(twice.size() == 1);
  CHECK(twice[0].acks != 0);
}

TEST_CASE_METHOD(store_fixture,
                 "digests tell push targets apart until they are the same") {
  open();
  const auto target = [](const std::string& token) {
    return core::push_target{core::push_platform::fcm, token, 5};
  };
  const core::device_record one{"phone", 1, {}, 0, target("a")};
  const core::device_record other{"phone", 1, {}, 0, target("b")};
  const auto sum
    = [&] { return store->digests(core::bucket_of("bob"), 1).at(0).sum; };
  run({op::put_device{"bob", one}});
  const auto first = sum();
  run({op::put_device{"bob", other}});
  const auto second = sum();
  CHECK(first != second);
  // Of two of one moment every node keeps the same.
  run({op::merge_device{"bob", one}});
  const auto merged = sum();
  run({op::put_device{"bob", one}});
  run({op::merge_device{"bob", other}});
  CHECK(sum() == merged);
}
