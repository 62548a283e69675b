#include "runtime/dump.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace vartalap;
using test::make_message;
using test::store_fixture;
namespace op = vartalap::storage::op;

namespace {

std::string line(const std::string& kind, const std::string& user,
                 const std::string& what) {
  return kind + '\t' + std::to_string(core::bucket_of(user)) + '\t' + user
         + '\t' + what + '\n';
}

} // namespace

TEST_CASE_METHOD(store_fixture, "dump lists messages, devices and removals") {
  open();
  const auto kept = make_message("bob", 1);
  const auto acked = make_message("bob", 2);
  const auto removed = make_message("bob", 3);
  run({op::put{kept, {}, false}, op::put{acked, {"web", "phone"}, false},
       op::put{removed, {}, false}});
  run({op::put_device{"ann", {"tablet", 1, {}, 0}},
       op::put_device{"bob", {"phone", 1, {}, 0}}});
  run({op::remove{"bob", removed->serverid, storage::remembrance::always},
       op::erase_device{"ann", "tablet", 2}});
  store.reset();
  std::ostringstream out;
  std::ostringstream problems;
  CHECK(runtime::run_dump(directory.data(), out, problems) == 0);
  CHECK(problems.str().empty());
  const auto id
    = [](const auto& message) { return message->serverid.to_hex(); };
  CHECK(out.str()
        == line("device", "bob", "phone")
             + line("message", "bob", id(kept) + "\t-")
             + line("message", "bob", id(acked) + "\tphone,web")
             + line("removal", "bob", "message\t" + id(removed))
             + line("removal", "ann", "device\ttablet"));
}

TEST_CASE("dump says where there is nothing to read") {
  const test::temporary_directory empty;
  std::ostringstream out;
  std::ostringstream problems;
  CHECK(runtime::run_dump(empty.data(), out, problems) == 2);
  CHECK(out.str().empty());
  CHECK_FALSE(problems.str().empty());
}
