// Rows of users: access keys, blocks.

#include "storage/verify.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

namespace vartalap::test {

using storage::row_kind;
namespace op = storage::op;

namespace {

/// "name=value …"
std::string rows_of(store_fixture& from, const std::string& user,
                    row_kind kind) {
  std::string out;
  for (const auto& one : from.store->rows(user, kind))
    out += (out.empty() ? "" : " ") + one.name + "=" + one.value;
  return out;
}

} // namespace

TEST_CASE_METHOD(store_fixture, "store keeps rows by user, kind and name") {
  open();
  run({op::put_row{"bob", row_kind::access_key, "k2", "b"},
       op::put_row{"bob", row_kind::access_key, "k1", "a"},
       op::put_row{"bob", row_kind::block, "k1", ""},
       op::put_row{"bobby", row_kind::access_key, "k3", "c"},
       op::put_row{"bob", row_kind::access_key, "k1", "changed"}});
  for (const bool again : {false, true}) {
    if (again)
      reopen();
    CHECK(rows_of(*this, "bob", row_kind::access_key) == "k1=changed k2=b");
    CHECK(rows_of(*this, "bob", row_kind::block) == "k1=");
    CHECK(rows_of(*this, "bobby", row_kind::access_key) == "k3=c");
    CHECK(rows_of(*this, "bo", row_kind::access_key).empty());
    CHECK(rows_of(*this, "", row_kind::access_key).empty());
  }
  run({op::erase_row{"bob", row_kind::access_key, "k1"},
       op::erase_row{"bob", row_kind::access_key, "none"}});
  CHECK(rows_of(*this, "bob", row_kind::access_key) == "k2=b");
  CHECK(rows_of(*this, "bob", row_kind::block) == "k1=");
}

TEST_CASE_METHOD(store_fixture, "store opens a mailbox with its blocks") {
  open();
  run({op::put_row{"bob", row_kind::block, "mallory", ""}});
  CHECK(store->snapshot("bob").blocked == std::vector<std::string>{"mallory"});
  CHECK(store->snapshot("alice").blocked.empty());
}

TEST_CASE_METHOD(store_fixture, "store writes no row that no key can hold") {
  open();
  const std::string too_long(129, 'x');
  run({op::put_row{"", row_kind::block, "a", ""},
       op::put_row{too_long, row_kind::block, "a", ""},
       op::put_row{"bob", row_kind::block, too_long, ""},
       op::put_row{"bob", row_kind::block, too_long.substr(1), ""}});
  CHECK(store->rows("bob", row_kind::block).size() == 1);
  CHECK(sink.failures == 0);
}

TEST_CASE_METHOD(store_fixture, "store's backup and verify know of rows") {
  open();
  run({op::put_row{"bob", row_kind::access_key, "k", "v"}});
  storage::backup(directory.data(), directory.path() + "/copy");
  store.reset();
  CHECK(storage::verify(directory.path() + "/copy").problems.empty());
}

} // namespace vartalap::test
