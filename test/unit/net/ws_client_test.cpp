#include "core/options.hpp"
#include "core/ports.hpp"
#include "net/listener.hpp"
#include "net/session.hpp"
#include "net/ws_client.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace vartalap;

namespace {

struct silent_log final : core::log_port {
  bool enabled(core::log_level) const noexcept override {
    return false;
  }
  void write(core::log_level, std::string_view, std::string_view) override {
  }
};

/// Sends every frame back; keeps what it saw. Closes on "close", dies on
/// "drop", and sends in one turn "n" frames on "burst n".
struct echo final : net::gateway, net::session_events {
  std::shared_ptr<net::session> open;
  std::string user;
  std::vector<std::string> seen;
  unsigned closed_with = 9999;
  int pongs = 0;
  std::function<void()> on_end = [] {};

  void websocket_opened(const std::shared_ptr<net::session>& opened,
                        net::client_info client) override {
    open = opened;
    user = client.user;
    opened->set_events(this);
  }
  void http(std::shared_ptr<net::http_request>, net::shard&,
            net::http_reply) override {
  }
  void on_frame(std::string_view payload, bool text) override {
    seen.emplace_back(payload);
    if (payload == "close")
      open->close(4008, "enough", 250);
    else if (payload == "ping")
      open->ping("are you there");
    else if (payload.starts_with("burst "))
      for (int i = 0; i < std::stoi(std::string(payload.substr(6))); ++i)
        open->send(std::to_string(i), false);
    else
      open->send(payload, text);
  }
  void on_run_end() override {
  }
  void on_pong(std::string_view) override {
    ++pongs;
    open->send("pong came", true);
  }
  void on_output() override {
  }
  void on_closed(unsigned code) override {
    closed_with = code;
    open.reset();
    on_end();
  }
};

struct recorder final : net::ws_client_events {
  std::vector<std::string> frames;
  std::vector<bool> texts;
  int opened = 0;
  int runs = 0;
  int failed = 0;
  unsigned status = 0;
  unsigned code = 9999;
  std::string reason;
  std::function<void()> when_open = [] {};
  std::function<void()> when_frame = [] {};
  std::function<void()> when_over = [] {};

  void on_open() override {
    ++opened;
    when_open();
  }
  void on_frame(std::string_view payload, bool text) override {
    frames.emplace_back(payload);
    texts.push_back(text);
    when_frame();
  }
  void on_run_end() override {
    ++runs;
  }
  void on_closed(unsigned with, std::string_view why) override {
    code = with;
    reason = why;
    when_over();
  }
  void on_failed(unsigned http_status, std::string_view why) override {
    ++failed;
    status = http_status;
    reason = why;
    when_over();
  }
};

/// Stops a loop that waits for what never comes.
struct deadline final : net::timer_node {
  net::shard& home;
  bool fired = false;
  explicit deadline(net::shard& h) : home(h) {
    home.timers().arm(*this, home.now() + core::milliseconds{10'000});
  }
  void on_timer(core::mono_time) override {
    fired = true;
    home.stop();
  }
};

/// Server and client on one shard, run by the test's own thread.
struct fixture {
  net::shard home{0, core::microseconds{0}};
  core::limit_options limits;
  core::auth_options auth;
  net::trusting_authenticator who;
  silent_log log;
  echo server;
  net::listener listener{{&home}, "127.0.0.1:0", limits, auth,
                         who,     server,        log};
  recorder events;
  net::ws_client_options options;
  std::shared_ptr<net::ws_client> client;

  fixture() {
    auth.mode = core::auth_mode::none;
    listener.start();
    options.port = listener.port();
    options.target = "/v1.0/wss/?user=alice";
    options.subprotocol = "vartalap.msgpack";
    events.when_over = [this] { home.stop(); };
  }
  ~fixture() {
    if (client)
      client->abort(false);
    if (server.open)
      server.open->set_events(nullptr);
    home.end_watched();
    // A session tells its listener that it is gone: it may not outlive it.
    server.open.reset();
  }

  /// Connects and runs the loop until something stops it.
  void run() {
    const deadline limit(home);
    std::string problem;
    home.post([&] {
      client = net::ws_client::connect(home, options, events, problem);
      if (!client)
        home.stop();
    });
    home.run();
    REQUIRE(problem.empty());
    REQUIRE_FALSE(limit.fired);
  }
};

} // namespace

TEST_CASE("ws_client sends masked frames of every length and gets them back") {
  fixture f;
  const std::size_t size
    = GENERATE(0U, 1U, 7U, 8U, 125U, 126U, 1000U, 65'535U, 65'536U, 70'001U);
  std::string payload(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    payload[i] = static_cast<char>(i * 131 + 7);
  f.events.when_open = [&] { f.client->send(payload, false); };
  f.events.when_frame = [&] { f.home.stop(); };
  f.run();
  CHECK(f.server.user == "alice");
  REQUIRE(f.server.seen.size() == 1);
  CHECK(f.server.seen[0] == payload);
  REQUIRE(f.events.frames.size() == 1);
  CHECK(f.events.frames[0] == payload);
  CHECK_FALSE(f.events.texts[0]);
}

TEST_CASE("ws_client connects from the address that it is told to") {
  fixture f;
  f.options.source = "127.0.0.77";
  f.events.when_open = [&] { f.home.stop(); };
  f.run();
  REQUIRE(f.server.open);
  CHECK(f.server.open->remote() == "127.0.0.77");
}

TEST_CASE("ws_client handles all frames of one read before the run ends") {
  fixture f;
  f.events.when_open = [&] { f.client->send("burst 500", true); };
  f.events.when_frame = [&] {
    if (f.events.frames.size() == 500)
      f.home.stop();
  };
  f.run();
  CHECK(f.events.frames[499] == "499");
  CHECK(f.events.runs <= 5);
}

TEST_CASE("ws_client tells the close code and the reason of the server") {
  fixture f;
  f.events.when_open = [&] { f.client->send("close", true); };
  f.run();
  CHECK(f.events.code == 4008);
  CHECK(f.events.reason == "enough retry_after_ms=250");
  CHECK_FALSE(f.client->is_open());
}

TEST_CASE("ws_client closes politely") {
  fixture f;
  f.events.when_open = [&] { f.client->close(1000, "bye"); };
  f.run();
  CHECK(f.events.code == 1000);
  CHECK(f.server.closed_with == 1000);
}

TEST_CASE("ws_client that aborts is simply gone") {
  fixture f;
  const bool reset = GENERATE(true, false);
  f.events.when_open = [&] {
    f.client->abort(reset);
    f.client->send("too late", true);
  };
  f.server.on_end = [&] { f.home.stop(); };
  f.run();
  CHECK(f.server.closed_with == 0);
  CHECK(f.server.seen.empty());
  CHECK(f.events.code == 9999);
}

TEST_CASE("ws_client answers pings") {
  fixture f;
  f.events.when_open = [&] { f.client->send("ping", true); };
  f.events.when_frame = [&] { f.home.stop(); };
  f.run();
  CHECK(f.server.pongs == 1);
  CHECK(f.events.texts.at(0));
}

TEST_CASE("ws_client that has paused gets one more frame at most") {
  fixture f;
  struct resume final : net::timer_node {
    std::function<void()> action;
    void on_timer(core::mono_time) override {
      action();
    }
  } later;
  std::size_t while_paused = 0;
  f.events.when_open = [&] {
    f.client->send("burst 100", true);
    f.client->pause_reading();
    f.home.timers().arm(later, f.home.now() + core::milliseconds{100});
  };
  later.action = [&] {
    while_paused = f.events.frames.size();
    f.client->resume_reading();
  };
  f.events.when_frame = [&] {
    if (f.events.frames.size() == 100)
      f.home.stop();
  };
  f.run();
  CHECK(while_paused <= 1);
  CHECK(f.events.frames.size() == 100);
}

TEST_CASE("ws_clients that go on reading together do not mix their frames") {
  fixture f;
  struct fan final : net::gateway {
    // Sends a hundred frames of its user's letter to whoever connects.
    std::vector<std::shared_ptr<net::session>> open;
    void websocket_opened(const std::shared_ptr<net::session>& opened,
                          net::client_info client) override {
      open.push_back(opened);
      for (int i = 0; i < 100; ++i)
        opened->send(std::string(300, client.user.front()), false);
    }
    void http(std::shared_ptr<net::http_request>, net::shard&,
              net::http_reply) override {
    }
  } fan;
  net::listener listener({&f.home}, "127.0.0.1:0", f.limits, f.auth, f.who, fan,
                         f.log);
  listener.start();
  struct reader {
    recorder events;
    std::shared_ptr<net::ws_client> client;
  };
  std::vector<reader> readers(8);
  struct pacemaker final : net::timer_node {
    std::function<void()> action;
    void on_timer(core::mono_time) override {
      action();
    }
  } pace;
  const auto again
    = [&] { f.home.timers().arm(pace, f.home.now() + core::milliseconds{5}); };
  pace.action = [&] {
    std::size_t complete = 0;
    for (auto& one : readers) {
      complete += one.events.frames.size() == 100 ? 1 : 0;
      one.client->resume_reading();
    }
    if (complete == readers.size())
      f.home.stop();
    again();
  };
  const deadline limit(f.home);
  f.home.post([&] {
    f.options.port = listener.port();
    for (std::size_t i = 0; i < readers.size(); ++i) {
      auto& one = readers[i];
      f.options.target = std::string("/v1.0/wss/?user=")
                         + static_cast<char>('a' + i);
      std::string problem;
      one.client
        = net::ws_client::connect(f.home, f.options, one.events, problem);
      one.events.when_frame = [&one] { one.client->pause_reading(); };
    }
    again();
  });
  f.home.run();
  REQUIRE_FALSE(limit.fired);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    const std::string mine(300, static_cast<char>('a' + i));
    for (const auto& frame : readers[i].events.frames)
      CHECK(frame == mine);
    readers[i].client->abort(false);
  }
  // A session tells its listener that it is gone: it may not outlive it.
  f.home.end_watched();
  fan.open.clear();
}

TEST_CASE("a WebSocket moves to the shard that its gateway names") {
  fixture f;
  net::shard second{1, core::microseconds{0}};
  struct mover final : net::gateway, net::session_events {
    net::shard* to = nullptr;
    std::shared_ptr<net::session> open;
    std::atomic<unsigned> opened_on{99};
    net::shard& home_of(const net::client_info&, net::shard&) override {
      return *to;
    }
    void websocket_opened(const std::shared_ptr<net::session>& opened,
                          net::client_info) override {
      opened_on = net::shard::current()->index();
      open = opened;
      opened->set_events(this);
    }
    void http(std::shared_ptr<net::http_request>, net::shard&,
              net::http_reply) override {
    }
    void on_frame(std::string_view payload, bool text) override {
      open->send(payload, text);
    }
    void on_run_end() override {
    }
    void on_pong(std::string_view) override {
    }
    void on_output() override {
    }
    void on_closed(unsigned) override {
      open.reset();
    }
  } mover;
  mover.to = &second;
  net::listener listener({&f.home}, "127.0.0.1:0", f.limits, f.auth, f.who,
                         mover, f.log);
  listener.start();
  std::thread runner([&second] {
    second.run();
    second.end_watched();
  });
  f.options.port = listener.port();
  f.events.when_open = [&] { f.client->send("over here", true); };
  f.events.when_frame = [&] { f.home.stop(); };
  f.run();
  CHECK(f.events.frames == std::vector<std::string>{"over here"});
  CHECK(mover.opened_on == 1);
  CHECK(listener.counters().connections == 1);
  second.stop();
  runner.join();
  CHECK_FALSE(mover.open);
  CHECK(listener.counters().connections == 0);
}

TEST_CASE("ws_client says why it was refused") {
  fixture f;
  SECTION("by the server") {
    f.options.target = "/v1.0/wss/";
    f.run();
    CHECK(f.events.status == 401);
  }
  SECTION("by nobody listening") {
    f.options.port = 1;
    f.run();
    CHECK(f.events.status == 0);
    CHECK_FALSE(f.events.reason.empty());
  }
  CHECK(f.events.failed == 1);
  CHECK(f.events.opened == 0);
}

TEST_CASE("ws_client refuses addresses that are not numeric") {
  net::shard home(0, core::microseconds{0});
  recorder events;
  net::ws_client_options options;
  std::string problem;
  SECTION("the target") {
    options.address = "chat.example";
  }
  SECTION("the source") {
    options.source = "somewhere";
  }
  CHECK_FALSE(net::ws_client::connect(home, options, events, problem));
  CHECK_FALSE(problem.empty());
}
