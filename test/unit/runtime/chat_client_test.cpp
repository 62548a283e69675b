#include "runtime/chat_client.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <memory>

using namespace vartalap::runtime;

namespace {

struct fixture {
  std::string directory;
  std::unique_ptr<chat_store> store = std::make_unique<chat_store>();
  std::vector<std::string> frames;
  std::vector<std::string> lines;
  std::unique_ptr<chat_client> client;

  fixture() {
    std::string name
      = (std::filesystem::temp_directory_path() / "vartalap-chat-XXXXXX")
          .string();
    directory = ::mkdtemp(name.data());
    start();
  }
  ~fixture() {
    std::error_code ec;
    std::filesystem::remove_all(directory, ec);
  }

  void start() {
    REQUIRE(store->open(directory).empty());
    client = std::make_unique<chat_client>(
      "alice", *store, [this](const std::string& f) { frames.push_back(f); },
      [this](const std::string& l) { lines.push_back(l); });
  }
  /// Another process with the same state.
  void restart() {
    client.reset();
    store = std::make_unique<chat_store>();
    start();
    frames.clear();
    lines.clear();
  }

  static std::string id_of(const std::string& frame) {
    const auto at = frame.find("\"id\":\"") + 6;
    return frame.substr(at, frame.find('"', at) - at);
  }
  static std::string answer(const std::string& id, const std::string& kind,
                            const std::string& body) {
    return R"({"_v":2.1,"id":")" + id
           + R"(","head":{"from":"server","to":"alice","contentType":")" + kind
           + R"("},"meta":{},"body":)" + body + "}";
  }
  static std::string delivery(const std::string& id, const std::string& text) {
    return R"({"_v":2.1,"id":")" + id
           + R"(","head":{"type":"INDIVIDUAL","from":"bob","to":"alice",)"
             R"("contentType":"text","action":"message"},"meta":{"serverId":")"
           + std::string(31, '0') + "1"
           + R"(","createdAt":1700000000000},"body":{"text":")" + text
           + R"("}})";
  }
  static std::string receipt(const std::string& id, const std::string& state) {
    return R"({"_v":2.1,"id":"r","head":{"type":"INDIVIDUAL","from":"bob",)"
           R"("to":"alice","contentType":"notification","action":"state"},)"
           R"("meta":{"serverId":")"
           + std::string(31, '0') + R"(2"},"body":{"ids":[")" + id
           + R"("],"state":")" + state + R"("}})";
  }
  bool shown(const std::string& part) const {
    for (const auto& line : lines)
      if (line.find(part) != std::string::npos)
        return true;
    return false;
  }
};

} // namespace

TEST_CASE("chat_client queues what is said offline and sends it in order") {
  fixture f;
  f.client->enter("nobody yet", 1);
  CHECK(f.shown("/to NAME"));
  f.client->enter("/to bob", 1);
  f.client->enter("one", 1);
  f.client->enter("two", 2);
  CHECK(f.frames.empty());
  CHECK(f.shown("…"));
  f.restart();
  f.client->on_open(3);
  REQUIRE(f.frames.size() == 2);
  CHECK(f.frames[0].find(R"("text":"one")") != std::string::npos);
  CHECK(f.frames[1].find(R"("text":"two")") != std::string::npos);
  CHECK(f.frames[1].find(R"("to":"bob")") != std::string::npos);
}

TEST_CASE("chat_client shows how far a message has come") {
  fixture f;
  f.client->on_open(1);
  f.client->enter("/to bob", 1);
  f.client->enter("hi", 1);
  const auto id = fixture::id_of(f.frames.at(0));
  CHECK(f.client->unconfirmed() == 1);
  f.client->on_frame(
    fixture::answer(id, "SERVER_ACK", R"({"status":"stored"})"), 2);
  CHECK(f.shown("hi  ✓"));
  CHECK_FALSE(f.shown("✓✓"));
  CHECK(f.client->unconfirmed() == 0);
  f.client->on_frame(fixture::receipt(id, "delivered"), 3);
  CHECK(f.lines.back().ends_with("✓✓"));
  f.client->on_frame(fixture::receipt(id, "read"), 4);
  // The same frame id: a repeat, dropped.
  CHECK(f.lines.back().ends_with("✓✓"));
}

TEST_CASE("chat_client keeps a message before it acknowledges, then sends a "
          "receipt") {
  fixture f;
  f.client->on_open(1);
  f.client->on_frame(fixture::delivery("m1", "hello"), 2);
  CHECK(f.frames.empty());
  f.client->on_run_end(2);
  REQUIRE(f.frames.size() == 2);
  CHECK(f.frames[0].find(R"("action":"state")") != std::string::npos);
  CHECK(f.frames[0].find(R"("ids":["m1"],"state":"delivered")")
        != std::string::npos);
  CHECK(f.frames[1].find("CLIENT_ACK") != std::string::npos);
  CHECK(f.frames[1].find(std::string(31, '0') + "1") != std::string::npos);
  CHECK(f.shown("bob: hello"));
}

TEST_CASE("chat_client drops a repeat, even after a restart, and acknowledges "
          "it too") {
  fixture f;
  f.client->on_open(1);
  f.client->on_frame(fixture::delivery("m1", "hello"), 2);
  f.client->on_run_end(2);
  f.restart();
  f.client->on_frame(fixture::delivery("m1", "hello"), 3);
  CHECK_FALSE(f.shown("hello"));
  f.client->on_open(4);
  f.client->on_frame(fixture::delivery("m1", "hello"), 5);
  f.frames.clear();
  f.client->on_run_end(5);
  REQUIRE(f.frames.size() == 1);
  CHECK(f.frames[0].find("CLIENT_ACK") != std::string::npos);
}

TEST_CASE("chat_client resends after ten seconds, no sooner") {
  fixture f;
  f.client->on_open(1);
  f.client->enter("/to bob", 1);
  f.client->enter("hi", 1);
  f.client->on_tick(chat_client::resend_after_ms);
  CHECK(f.frames.size() == 1);
  f.client->on_tick(chat_client::resend_after_ms + 1);
  REQUIRE(f.frames.size() == 2);
  CHECK(f.frames[0] == f.frames[1]);
}

TEST_CASE("chat_client gives up what is refused for good and keeps what is "
          "refused for now") {
  fixture f;
  f.client->on_open(1);
  f.client->enter("/to bob", 1);
  f.client->enter("hi", 1);
  const auto id = fixture::id_of(f.frames.at(0));
  f.client->on_frame(
    fixture::answer(id, "ERROR", R"({"code":"unavailable","message":""})"), 2);
  CHECK(f.client->unconfirmed() == 1);
  f.client->on_tick(1002);
  CHECK(f.frames.size() == 2);
  f.client->on_frame(
    fixture::answer(id, "ERROR", R"({"code":"forbidden","message":"no"})"), 3);
  CHECK(f.client->unconfirmed() == 0);
  CHECK(f.shown("refused: forbidden no"));
  CHECK(f.lines.back().ends_with("✗"));
}

TEST_CASE("chat_client lets nobody play with the terminal") {
  fixture f;
  f.client->on_frame(fixture::delivery("m1", R"(a\u001b[2Jb\nc\u009bd)"), 2);
  CHECK(f.lines.back().find('\x1b') == std::string::npos);
  CHECK(f.lines.back().find('\n') == std::string::npos);
  CHECK(f.lines.back().find("\xc2\x9b") == std::string::npos);
  CHECK(f.lines.back().ends_with("a?[2Jb⏎c?d"));
}

TEST_CASE("chat_client survives frames that make no sense") {
  fixture f;
  f.client->on_open(1);
  const std::string text
    = GENERATE("", "nonsense", "[]", "{}", R"({"head":[]})",
               R"({"id":5,"head":{"from":"server","contentType":"ERROR"}})",
               R"({"head":{"from":"bob"},"meta":{"serverId":7}})");
  f.client->on_frame(text, 2);
  f.client->on_run_end(2);
  CHECK(f.frames.empty());
}

TEST_CASE("chat_client knows its commands") {
  fixture f;
  CHECK(f.client->enter("/nonsense", 1));
  CHECK(f.shown("/help"));
  CHECK(f.client->enter("/to server", 1));
  CHECK_FALSE(f.shown("you write to"));
  CHECK(f.client->enter("/to bob", 1));
  CHECK(f.client->enter("x", 1));
  CHECK(f.client->enter("/who", 1));
  CHECK(f.shown("1 not confirmed"));
  f.lines.clear();
  CHECK(f.client->enter("/history 1", 1));
  CHECK(f.lines.size() == 1);
  CHECK_FALSE(f.client->enter("/quit", 1));
}
