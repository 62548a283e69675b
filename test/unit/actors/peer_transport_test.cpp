#include "actors/peer_transport.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/scheduler.hpp"

#include <caf/all.hpp>
#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace vartalap;
using namespace std::chrono_literals;

namespace {

using blob = std::vector<char>;
using talk_to = caf::atom_constant<caf::atom("talk_to")>;

constexpr auto soon = 10s;

struct silent_log final : core::log_port {
  bool enabled(core::log_level) const noexcept override {
    return false;
  }
  void write(core::log_level, std::string_view, std::string_view) override {
  }
};

/// What comes from other threads, in order.
template <class T>
class inbox {
public:
  void put(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }

  T take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, soon, [&] { return !values_.empty(); }))
      throw std::runtime_error("nothing came");
    auto value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
};

/// A node's gate: sends every blob back with one byte more, except that it
/// notes those that end with '!'.
class gate_actor final : public actors::pinned_actor {
public:
  gate_actor(caf::actor_config& config, net::shard& home, inbox<blob>& got,
             std::atomic<int>& strays)
    : pinned_actor(config, home), got_(got), strays_(strays) {
  }

  caf::behavior make_behavior() override {
    return {
      [this](talk_to, const caf::actor& other, const blob& bytes) {
        send(other, bytes);
      },
      [this](const blob& bytes) {
        if (net::shard::current() != &home())
          ++strays_;
        if (!bytes.empty() && bytes.back() == '!') {
          got_.put(bytes);
          return;
        }
        auto answer = bytes;
        answer.push_back('!');
        send(caf::actor_cast<caf::actor>(current_sender()), answer);
      },
    };
  }

private:
  inbox<blob>& got_;
  std::atomic<int>& strays_;
};

net::tunnel_settings settings_of(const std::string& name) {
  net::tunnel_settings settings;
  settings.me = name;
  settings.address = "127.0.0.1:0";
  settings.secret = "0123456789abcdef0123456789abcdef";
  settings.members = {"n1", "n2"};
  return settings;
}

/// One node: an actor system on two shards, its gate and its transport.
class node {
public:
  explicit node(const std::string& name)
    : name_(name),
      // Longer than what a socket's address may have.
      folder_(std::filesystem::temp_directory_path()
              / ("vartalap_transport_" + std::to_string(::getpid()))
              / std::string(120, 'd') / name) {
    std::filesystem::create_directories(folder_);
    actors::use_shards(config_, {&first_, &second_}, {});
    actors::peer_transport::prepare(config_);
    system_ = std::make_unique<caf::actor_system>(config_);
    gate_ = system_->spawn<gate_actor>(second_, got, strays);
    transport = std::make_unique<actors::peer_transport>(
      *system_, settings_of(name), folder_.string(), log_);
    transport->start(gate_,
                     [this](const std::string& peer) { ended.put(peer); });
  }

  ~node() {
    transport->stop();
    caf::anon_send_exit(gate_, caf::exit_reason::kill);
    gate_ = nullptr;
    transport.reset();
    system_->await_actors_before_shutdown(false);
    system_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// The gate of another node, or a problem.
  caf::actor reach(const std::string& peer, const std::string& address) {
    auto found = std::make_shared<
      std::promise<std::pair<caf::strong_actor_ptr, std::string>>>();
    transport->connect(peer, address,
                       [found](caf::strong_actor_ptr gate, std::string why) {
                         found->set_value({std::move(gate), std::move(why)});
                       });
    auto coming = found->get_future();
    REQUIRE(coming.wait_for(soon) == std::future_status::ready);
    auto [gate, said] = coming.get();
    problem = said;
    return caf::actor_cast<caf::actor>(gate);
  }

  caf::actor reach(const node& other) {
    return reach(other.name_, other.transport->tunnel().address());
  }

  /// Lets this node's gate send a blob to another node's.
  void say(const caf::actor& other, const blob& bytes) {
    caf::anon_send(gate_, talk_to::value, other, bytes);
  }

  caf::actor_system& system() {
    return *system_;
  }
  const std::filesystem::path& folder() const {
    return folder_;
  }

  inbox<blob> got;
  inbox<std::string> ended;
  std::atomic<int> strays{0};
  std::string problem;
  std::unique_ptr<actors::peer_transport> transport;

private:
  std::string name_;
  std::filesystem::path folder_;
  silent_log log_;
  net::shard first_{0, core::microseconds{0}};
  net::shard second_{1, core::microseconds{0}};
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::actor gate_;
};

} // namespace

TEST_CASE("peer_transport carries blobs between pinned actors both ways") {
  node one("n1");
  node two("n2");
  const auto gate = one.reach(two);
  REQUIRE(gate);
  CHECK(gate->node() == two.system().node());
  one.say(gate, {'a', 'b'});
  CHECK(one.got.take() == blob{'a', 'b', '!'});
  const blob large(200 * 1024, 'x');
  for (int i = 0; i < 50; ++i)
    one.say(gate, large);
  for (int i = 0; i < 50; ++i)
    CHECK(one.got.take().size() == large.size() + 1);
  const auto back = two.reach(one);
  REQUIRE(back);
  two.say(back, {'c'});
  CHECK(two.got.take() == blob{'c', '!'});
  CHECK(one.strays == 0);
  CHECK(two.strays == 0);
}

TEST_CASE("peer_transport gives every node an id of its own") {
  node one("n1");
  node two("n2");
  // CAF's own would differ in the last byte of the host only.
  const auto host
    = [](node& of) { return to_string(of.system().node()).substr(0, 30); };
  CHECK(host(one) != host(two));
}

TEST_CASE("peer_transport's own endpoint is for this process only") {
  const node one("n1");
  const auto mode
    = std::filesystem::status(one.folder() / "basp.sock").permissions();
  CHECK((mode & std::filesystem::perms::mask)
        == (std::filesystem::perms::owner_read
            | std::filesystem::perms::owner_write));
}

TEST_CASE("peer_transport tells that a peer is gone, and reaches it again") {
  node one("n1");
  auto two = std::make_unique<node>("n2");
  REQUIRE(one.reach(*two));
  two.reset();
  CHECK(one.ended.take() == "n2");
  two = std::make_unique<node>("n2");
  const auto gate = one.reach(*two);
  CAPTURE(one.problem);
  REQUIRE(gate);
  one.say(gate, {'z'});
  CHECK(one.got.take() == blob{'z', '!'});
}

TEST_CASE("peer_transport drops a peer and reaches it again") {
  node one("n1");
  node two("n2");
  for (int i = 0; i < 20; ++i) {
    const auto gate = one.reach(two);
    CAPTURE(i, one.problem);
    REQUIRE(gate);
    one.say(gate, {'q'});
    CHECK(one.got.take() == blob{'q', '!'});
    one.transport->drop("n2");
    CHECK(one.ended.take() == "n2");
    CHECK(two.ended.take() == "n1");
  }
}

TEST_CASE("peer_transport says why a peer cannot be reached") {
  node one("n1");
  CHECK_FALSE(one.reach("n2", "127.0.0.1:1"));
  CHECK(one.problem.find("refused") != std::string::npos);
  CHECK_FALSE(one.reach("n2", "elsewhere:1"));
  CHECK(one.problem.find("numeric") != std::string::npos);
  one.transport->stop();
  CHECK_FALSE(one.reach("n2", "127.0.0.1:1"));
  CHECK(one.problem.find("ending") != std::string::npos);
}

TEST_CASE("peer_transport gives up a peer that authenticates and is silent") {
  node one("n1");
  silent_log log;
  net::peer_tunnel mute(settings_of("n2"), log);
  inbox<int> ends;
  mute.start();
  mute.listen([&](const std::string&) {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data())
            == 0);
    ends.put(pair[1]);
    return pair[0];
  });
  CHECK_FALSE(one.reach("n2", mute.address()));
  CHECK(one.problem.find("greet") != std::string::npos);
  CHECK(one.ended.take() == "n2");
  ::close(ends.take());
}

TEST_CASE("peer_transport stops while a peer takes nothing") {
  node one("n1");
  auto two = std::make_unique<node>("n2");
  const auto gate = two->reach(one);
  REQUIRE(gate);
  // A callback that does not return stands for a process that hangs.
  std::promise<void> hangs;
  std::promise<void> release;
  one.transport->tunnel().dial("n2", "127.0.0.1:1",
                               [&](int, const std::string&) {
                                 hangs.set_value();
                                 release.get_future().wait();
                               });
  hangs.get_future().wait();
  const blob large(200 * 1024, 'x');
  for (int i = 0; i < 200; ++i)
    two->say(gate, large);
  two.reset(); // on this thread: CAF waits for the one that made the system
  release.set_value();
}
