#include "actors/pinned_actor.hpp"
#include "actors/scheduler.hpp"

#include <caf/all.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace vartalap;

namespace {

using ball = caf::atom_constant<caf::atom("ball")>;

/// Passes a number to its partner until it is used up; notes whether it ever
/// ran elsewhere than on its shard.
class player final : public actors::pinned_actor {
public:
  player(caf::actor_config& config, net::shard& home, std::atomic<int>& strays,
         std::promise<void>* finished)
    : pinned_actor(config, home), strays_(strays), done_(finished) {
  }

  caf::behavior make_behavior() override {
    return {
      [this](caf::actor partner) { partner_ = std::move(partner); },
      [this](ball, int left) {
        if (net::shard::current() != &home())
          ++strays_;
        if (left == 0) {
          if (done_ != nullptr)
            done_->set_value();
          return;
        }
        if (partner_)
          send(partner_, ball::value, left - 1);
      },
    };
  }

  /// Two that know each other would keep each other alive.
  void on_cleanup(const caf::error&) override {
    partner_ = nullptr;
  }

private:
  std::atomic<int>& strays_;
  std::promise<void>* done_;
  caf::actor partner_;
};

struct fixture {
  fixture() {
    actors::use_shards(config, {&first, &second}, {});
    system = std::make_unique<caf::actor_system>(config);
  }

  net::shard first{0, core::microseconds{0}};
  net::shard second{1, core::microseconds{0}};
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::atomic<int> strays{0};
};

} // namespace

TEST_CASE_METHOD(fixture, "scheduler runs pinned actors on their shard only") {
  std::promise<void> done;
  auto a = system->spawn<player>(first, strays, &done);
  auto b = system->spawn<player>(second, strays, nullptr);
  caf::anon_send(a, b);
  caf::anon_send(b, a);
  caf::anon_send(a, ball::value, 10'000);
  done.get_future().get();
  CHECK(strays == 0);
  caf::anon_send_exit(a, caf::exit_reason::kill);
  caf::anon_send_exit(b, caf::exit_reason::kill);
}

TEST_CASE_METHOD(fixture, "scheduler runs actors of CAF's own kind too") {
  caf::scoped_actor self(*system);
  // With an argument: without one CAF dereferences a null pointer, which
  // libstdc++'s assertions (rightly) do not let pass.
  auto echo = system->spawn(
    [](caf::event_based_actor*, int step) -> caf::behavior {
      return {[step](int x) { return x + step; }};
    },
    1);
  int got = 0;
  self->request(echo, std::chrono::seconds{10}, 41)
    .receive([&got](int x) { got = x; }, [](caf::error&) {});
  CHECK(got == 42);
  caf::anon_send_exit(echo, caf::exit_reason::kill);
}

TEST_CASE_METHOD(fixture, "a message nobody understands kills nobody") {
  std::promise<void> done;
  auto a = system->spawn<player>(first, strays, &done);
  caf::anon_send(a, std::string("what?"));
  caf::anon_send(a, ball::value, 0);
  done.get_future().get();
  caf::anon_send_exit(a, caf::exit_reason::kill);
}

TEST_CASE_METHOD(fixture, "scheduler stops while actors are busy") {
  // Two that never stop passing: the system has to end all the same.
  auto a = system->spawn<player>(first, strays, nullptr);
  auto b = system->spawn<player>(second, strays, nullptr);
  caf::anon_send(a, b);
  caf::anon_send(b, a);
  for (int i = 0; i < 100; ++i)
    caf::anon_send(i % 2 == 0 ? a : b, ball::value, 1'000'000'000);
  a = b = nullptr;
  system->await_actors_before_shutdown(false);
  system.reset();
  CHECK(strays == 0);
}
