#include "runtime/chat_store.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace vartalap::runtime;

namespace {

struct temporary_directory {
  std::string path;
  temporary_directory() {
    std::string name
      = (std::filesystem::temp_directory_path() / "vartalap-chat-XXXXXX")
          .string();
    path = ::mkdtemp(name.data());
  }
  ~temporary_directory() {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
  }
};

chat_delivery incoming(const std::string& id, const std::string& text) {
  chat_delivery what;
  what.id = id;
  what.from = "bob";
  what.to = "alice";
  what.text = text;
  what.at_ms = 5;
  return what;
}

chat_outgoing outgoing(const std::string& id) {
  chat_outgoing what;
  what.id = id;
  what.to = "bob";
  what.text = "\"hi\"\n…";
  what.at_ms = 7;
  return what;
}

} // namespace

TEST_CASE("chat_store remembers everything when it is opened again") {
  const temporary_directory dir;
  {
    chat_store store;
    REQUIRE(store.open(dir.path + "/deeper").empty());
    store.queue(outgoing("m1"), "alice");
    store.queue(outgoing("m2"), "alice");
    CHECK(store.see(incoming("x", "hello")));
    store.keep(incoming("x", "hello"));
    store.settle("m1");
    CHECK(store.raise("m1", "bob", chat_state::stored));
    REQUIRE(store.sync());
  }
  chat_store store;
  REQUIRE(store.open(dir.path + "/deeper").empty());
  const auto& memory = store.memory();
  REQUIRE(memory.outbox.size() == 1);
  CHECK(memory.outbox[0].id == "m2");
  CHECK(memory.outbox[0].text == "\"hi\"\n…");
  REQUIRE(memory.history.size() == 3);
  CHECK(memory.history[0].state == chat_state::stored);
  CHECK(memory.history[1].state == chat_state::queued);
  CHECK(memory.history[2].text == "hello");
  CHECK_FALSE(store.see(incoming("x", "hello")));
}

TEST_CASE("chat_store keeps what was synced before a process died") {
  const temporary_directory dir;
  chat_store store;
  REQUIRE(store.open(dir.path).empty());
  store.queue(outgoing("m1"), "alice");
  REQUIRE(store.sync());
  std::ifstream in(dir.path + "/chat.log");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  CHECK(text.find("m1") != std::string::npos);
}

TEST_CASE("chat_store drops a line that was cut off, and goes on") {
  const temporary_directory dir;
  {
    chat_store store;
    REQUIRE(store.open(dir.path).empty());
    store.queue(outgoing("m1"), "alice");
  }
  std::ofstream(dir.path + "/chat.log", std::ios::app)
    << R"({"k":"out","id":"m2")";
  {
    chat_store store;
    REQUIRE(store.open(dir.path).empty());
    CHECK(store.memory().outbox.size() == 1);
    store.queue(outgoing("m3"), "alice");
  }
  chat_store store;
  REQUIRE(store.open(dir.path).empty());
  CHECK(store.memory().outbox.size() == 2);
}

TEST_CASE("chat_store serves one client at a time") {
  const temporary_directory dir;
  chat_store first;
  REQUIRE(first.open(dir.path).empty());
  chat_store second;
  CHECK(second.open(dir.path).find("another client") != std::string::npos);
}

TEST_CASE("chat_store raises states, only of messages to that partner") {
  const temporary_directory dir;
  chat_store store;
  REQUIRE(store.open(dir.path).empty());
  store.queue(outgoing("m1"), "alice");
  CHECK(store.raise("m1", "bob", chat_state::delivered));
  CHECK_FALSE(store.raise("m1", "bob", chat_state::stored));
  CHECK_FALSE(store.raise("m1", "carol", chat_state::read));
  CHECK_FALSE(store.raise("m9", "bob", chat_state::read));
}

TEST_CASE("chat_store grows no further than what it must keep") {
  const temporary_directory dir;
  {
    chat_store store;
    REQUIRE(store.open(dir.path).empty());
    store.queue(outgoing("stays"), "alice");
    for (int i = 0; i < 500; ++i) {
      const auto id = "m" + std::to_string(i);
      chat_outgoing receipt = outgoing(id);
      receipt.ids = {"x"};
      store.queue(receipt, "alice");
      store.settle(id);
    }
  }
  const auto before = std::filesystem::file_size(dir.path + "/chat.log");
  chat_store store;
  REQUIRE(store.open(dir.path).empty());
  CHECK(std::filesystem::file_size(dir.path + "/chat.log") < before / 100);
  CHECK(store.memory().outbox.size() == 1);
  // The compacted file is the one that goes on, and is locked.
  chat_store second;
  CHECK_FALSE(second.open(dir.path).empty());
}
