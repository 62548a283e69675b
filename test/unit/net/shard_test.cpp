#include "net/cork_stream.hpp"
#include "net/shard.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace vartalap;

namespace {

/// A shard on a thread of its own; `on` runs something there and waits.
class running_shard {
public:
  running_shard() : thread_([this] { shard.run(); }) {
  }
  ~running_shard() {
    shard.stop();
    thread_.join();
  }
  void on(std::function<void()> what) {
    std::promise<void> done;
    shard.post([&] {
      what();
      done.set_value();
    });
    done.get_future().get();
  }

  net::shard shard{0, core::microseconds{0}};

private:
  std::thread thread_;
};

std::pair<int, int> socket_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data())
          == 0);
  return {ends[0], ends[1]};
}

std::string read_blocking(int fd, std::size_t n) {
  std::string out(n, '\0');
  ::fcntl(fd, F_SETFL, 0);
  std::size_t got = 0;
  while (got < n) {
    const auto r = ::read(fd, out.data() + got, n - got);
    if (r <= 0)
      break;
    got += static_cast<std::size_t>(r);
  }
  out.resize(got);
  return out;
}

} // namespace

TEST_CASE("shard runs what other threads post, in their order") {
  running_shard on;
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i)
    on.shard.post([&seen, i] { seen.push_back(i); });
  on.on([] {});
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("shard stops at once whether it sleeps, works or has not begun") {
  {
    net::shard never(0, core::microseconds{0});
    never.stop();
    never.run();
  }
  {
    running_shard sleeping;
    sleeping.on([] {});
  }
  running_shard busy;
  auto again = std::make_shared<std::function<void()>>();
  *again = [&busy, weak = std::weak_ptr(again)] {
    if (const auto next = weak.lock())
      busy.shard.post(*next);
  };
  busy.shard.post(*again);
  busy.on([] {});
}

TEST_CASE("shard wakes for output that is due later, at the time named last") {
  struct noted final : net::turn_output {
    void flush() override {
      flushed.set_value(net::shard::clock());
    }
    std::promise<core::mono_time> flushed;
  };
  noted output;
  noted forgotten;
  running_shard on;
  core::mono_time due;
  on.on([&] {
    const auto now = net::shard::clock();
    due = now + core::milliseconds{3};
    on.shard.flush_by(output, now + std::chrono::hours{1});
    on.shard.flush_by(output, due);
    on.shard.flush_by(forgotten, due);
    on.shard.forget_output(forgotten);
  });
  // A second call would throw: it comes once.
  CHECK(output.flushed.get_future().get() >= due);
  on.on([] {});
  auto never = forgotten.flushed.get_future();
  CHECK(never.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
}

TEST_CASE("cork_stream sends what a turn wrote in one piece at its end") {
  const auto [ours, theirs] = socket_pair();
  running_shard on;
  std::unique_ptr<net::cork_stream> stream;
  on.on([&, fd = ours] {
    stream = std::make_unique<net::cork_stream>(on.shard, fd);
    stream->append("one ");
    stream->append("two");
  });
  CHECK(read_blocking(theirs, 7) == "one two");
  on.on([&] { stream.reset(); });
  ::close(theirs);
}

TEST_CASE("cork_stream may be closed and destroyed while output is gathered") {
  const auto [ours, theirs] = socket_pair();
  running_shard on;
  on.on([&, fd = ours] {
    auto stream = std::make_unique<net::cork_stream>(on.shard, fd);
    stream->append("last words");
    stream->close();
    stream.reset(); // Still in the turn: its end must not touch the stream.
  });
  on.on([] {});
  CHECK(read_blocking(theirs, 10) == "last words");
  ::close(theirs);
}

TEST_CASE("cork_stream gives a reader all bytes and then the end") {
  const auto [ours, theirs] = socket_pair();
  running_shard on;
  std::unique_ptr<net::cork_stream> stream;
  std::string got;
  std::array<char, 3> part{};
  std::promise<boost::beast::error_code> ended;
  std::function<void()> read = [&] {
    stream->async_read_some(boost::asio::buffer(part),
                            [&](boost::beast::error_code ec, std::size_t n) {
                              got.append(part.data(), n);
                              if (ec)
                                ended.set_value(ec);
                              else
                                read();
                            });
  };
  on.on([&, fd = ours] {
    stream = std::make_unique<net::cork_stream>(on.shard, fd);
    read();
  });
  REQUIRE(::write(theirs, "hello world", 11) == 11);
  ::close(theirs);
  CHECK(ended.get_future().get() == boost::asio::error::eof);
  CHECK(got == "hello world");
  on.on([&] { stream.reset(); });
}

TEST_CASE("shard ends what owns itself through a pending read") {
  const auto [ours, theirs] = socket_pair();
  net::shard home(0, core::microseconds{0});
  struct owner {
    owner(net::shard& on, int fd) : stream(on, fd) {
    }
    net::cork_stream stream;
    std::array<char, 1> byte{};
  };
  auto held = std::make_shared<owner>(home, ours);
  const std::weak_ptr<owner> watched = held;
  boost::beast::error_code ended;
  auto& stream = held->stream;
  const auto into = boost::asio::buffer(held->byte);
  stream.async_read_some(
    into, [&ended, held = std::move(held)](boost::beast::error_code ec,
                                           std::size_t) { ended = ec; });
  home.end_watched();
  CHECK(ended == boost::asio::error::operation_aborted);
  CHECK(watched.expired());
  ::close(theirs);
}
