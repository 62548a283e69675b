// What a message over a link costs: two processes, each with the real link
// actor, middleman and tunnel; see bench/README.md.

#include "test/unit/actors/link_rig.hpp"

#include <CLI/CLI.hpp>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <utility>

using namespace vartalap;
using test::link_node;

namespace {

using clock_type = std::chrono::steady_clock;

/// A run alternates so often between the link and without it.
constexpr int parts = 10;

struct options {
  double rate = 10'000;      ///< messages a second; 0: as fast as it goes
  std::uint64_t open = 1000; ///< closed loop: unconfirmed messages
  double seconds = 5;        ///< over the link; as long again without it
  std::size_t size = 200;
  unsigned runs = 3;
  std::string certs; ///< folder; empty: a secret
};

/// What a process says when its part is done.
struct result {
  double cpu_us = 0; ///< of the part that was measured
  double local_cpu_us_per_message = 0;
  double messages = 0;
  double seconds = 0;
  double confirm_p50_us = 0;
  double confirm_p99_us = 0;
  double blobs = 0;
};

double read_us(clockid_t which) {
  std::timespec t{};
  ::clock_gettime(which, &t);
  return static_cast<double>(t.tv_sec) * 1e6
         + static_cast<double>(t.tv_nsec) / 1e3;
}

/// User and system time of this process so far, without the calling thread:
/// that one only makes the load.
double cpu_us() {
  return read_us(CLOCK_PROCESS_CPUTIME_ID) - read_us(CLOCK_THREAD_CPUTIME_ID);
}

/// One way between two processes.
class channel {
public:
  channel() {
    if (::pipe(ends_.data()) != 0)
      throw std::runtime_error("no pipe");
  }
  template <class T>
  void put(const T& what) const {
    if (::write(ends_[1], &what, sizeof what) != sizeof what)
      throw std::runtime_error("the other process is gone");
  }
  template <class T>
  T take() const {
    T out{};
    if (::read(ends_[0], &out, sizeof out) != sizeof out)
      throw std::runtime_error("the other process is gone");
    return out;
  }

private:
  std::array<int, 2> ends_{};
};

using address_text = std::array<char, 64>;

/// From the driving process to the serving one, and back.
struct ways {
  channel orders; ///< one byte: b(egin), e(nd), l(eave)
  channel address;
  channel served;
  channel driven;
};

net::tunnel_settings settings_of(const std::string& me, const options& how) {
  auto out = test::secret_settings(me);
  if (!how.certs.empty()) {
    out.secret.clear();
    out.ca_file = how.certs + "/ca.pem";
    out.certificate_file = how.certs + "/" + me + ".pem";
    out.key_file = how.certs + "/" + me + ".key";
  }
  return out;
}

std::filesystem::path folder_of(int run) {
  return std::filesystem::temp_directory_path()
         / ("vartalap_link_bench_" + std::to_string(::getppid()) + "_"
            + std::to_string(run));
}

void serve(const ways& to, const options& how, int run) {
  link_node node(settings_of("n2", how), folder_of(run));
  node.start("n1", "127.0.0.1:0");
  address_text address{};
  node.address().copy(address.data(), address.size() - 1);
  to.address.put(address);
  result out;
  double before = 0;
  for (char order = 0; (order = to.orders.take<char>()) != 'l';)
    if (order == 'b')
      before = cpu_us();
    else
      out.cpu_us += cpu_us() - before;
  to.served.put(out);
}

/// One load: submits at a rate or in a closed loop until told to end, and
/// waits for what is open.
class driver {
public:
  driver(link_node& node, const options& how, bool over_link)
    : node_(node), how_(how), over_link_(over_link) {
    confirmed_us_.reserve(1'000'000);
  }

  void run(double seconds) {
    end_ = clock_type::now()
           + std::chrono::duration_cast<clock_type::duration>(
             std::chrono::duration<double>(seconds));
    if (how_.rate > 0)
      pace();
    else
      for (std::uint64_t i = 0; i < how_.open; ++i)
        one();
    main_done();
    if (!idle_.wait())
      throw std::runtime_error("messages are not confirmed");
  }

  std::uint64_t messages() const {
    return sent_.load();
  }
  /// After `run`.
  const std::vector<double>& confirmed_us() const {
    return confirmed_us_;
  }

private:
  void pace() {
    const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const auto apart = static_cast<long>(1e9 / how_.rate);
    ::itimerspec when{};
    when.it_interval = {apart / 1'000'000'000, apart % 1'000'000'000};
    when.it_value = when.it_interval;
    if (timer < 0 || ::timerfd_settime(timer, 0, &when, nullptr) != 0)
      throw std::runtime_error("no timer");
    while (clock_type::now() < end_) {
      std::uint64_t due = 0;
      if (::read(timer, &due, sizeof due) != sizeof due)
        throw std::runtime_error("no timer");
      for (; due > 0; --due)
        one();
    }
    ::close(timer);
  }

  void one() {
    const auto number = ++sent_;
    ++open_;
    const auto start = clock_type::now();
    auto done = [this, start](const core::effect::confirm&) {
      const std::chrono::duration<double, std::micro> took = clock_type::now()
                                                             - start;
      confirmed_us_.push_back(took.count());
      if (how_.rate <= 0 && clock_type::now() < end_)
        one();
      if (--open_ == 0)
        idle_.set();
    };
    std::vector<std::shared_ptr<core::envelope>> batch{
      test::message_of(how_.size, number)};
    if (over_link_)
      node_.submit(std::move(batch), std::move(done));
    else
      node_.submit_here(std::move(batch), std::move(done));
  }

  void main_done() {
    if (--open_ == 0)
      idle_.set();
  }

  link_node& node_;
  const options& how_;
  bool over_link_;
  clock_type::time_point end_;
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> open_{1}; ///< one for `run`
  std::vector<double> confirmed_us_;   ///< the shard's thread
  test::event idle_;
};

void drive(const ways& to, const options& how, int run) {
  link_node node(settings_of("n1", how), folder_of(run));
  node.start("n2", to.address.take<address_text>().data());
  if (!node.up.wait())
    throw std::runtime_error("the nodes do not link up: " + node.log.text());
  driver(node, how, true).run(1); // warm-up
  result out;
  std::vector<double> times;
  double local_cpu_us = 0;
  double local_messages = 0;
  // In turns, so that whatever else the machine does meets both alike.
  for (int part = 0; part < parts; ++part) {
    const auto blobs = node.figures().channel.blobs_out;
    to.orders.put('b');
    auto before = cpu_us();
    const auto start = clock_type::now();
    driver across(node, how, true);
    across.run(how.seconds / parts);
    out.cpu_us += cpu_us() - before;
    out.seconds
      += std::chrono::duration<double>(clock_type::now() - start).count();
    to.orders.put('e');
    out.messages += static_cast<double>(across.messages());
    out.blobs += static_cast<double>(node.figures().channel.blobs_out - blobs);
    times.insert(times.end(), across.confirmed_us().begin(),
                 across.confirmed_us().end());
    before = cpu_us();
    driver local(node, how, false);
    local.run(how.seconds / parts);
    local_cpu_us += cpu_us() - before;
    local_messages += static_cast<double>(local.messages());
  }
  out.local_cpu_us_per_message = local_cpu_us / local_messages;
  std::sort(times.begin(), times.end());
  out.confirm_p50_us = times[times.size() / 2];
  out.confirm_p99_us = times[times.size() * 99 / 100];
  to.orders.put('l');
  to.driven.put(out);
}

template <class What>
pid_t in_child(What what) {
  const auto pid = ::fork();
  if (pid != 0)
    return pid;
  int code = 0;
  try {
    what();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "link_bench: %s\n", error.what());
    code = 1;
  }
  std::fflush(nullptr);
  ::_exit(code);
}

/// @returns µs of CPU a message that the link costs both nodes.
double one_run(const options& how, int run) {
  const ways to;
  const std::array<pid_t, 2> children{in_child([&] { serve(to, how, run); }),
                                      in_child([&] { drive(to, how, run); })};
  bool well = true;
  int status = 0;
  for (pid_t ended = 0; (ended = ::wait(&status)) > 0;)
    if (status != 0 && std::exchange(well, false))
      ::kill(children[ended == children[0] ? 1 : 0], SIGKILL);
  if (!well)
    throw std::runtime_error("a process failed");
  std::filesystem::remove_all(std::filesystem::temp_directory_path()
                              / ("vartalap_link_bench_"
                                 + std::to_string(::getpid()) + "_"
                                 + std::to_string(run)));
  const auto driven = to.driven.take<result>();
  const auto served = to.served.take<result>();
  const auto all = (driven.cpu_us + served.cpu_us) / driven.messages;
  const auto link = all - driven.local_cpu_us_per_message;
  std::printf("%.0f messages, %.0f/s, %.1f a blob; CPU us a message: both "
              "nodes %.1f, without the link %.1f, the link %.1f; confirmed "
              "p50 %.0f us, p99 %.0f us\n",
              driven.messages, driven.messages / driven.seconds,
              driven.messages / driven.blobs, all,
              driven.local_cpu_us_per_message, link, driven.confirm_p50_us,
              driven.confirm_p99_us);
  std::fflush(stdout);
  return link;
}

} // namespace

int main(int argc, char** argv) {
  options how;
  CLI::App app{"What a message costs that crosses the link between two nodes "
               "on loopback, and its confirmation that comes back."};
  app.add_option("--rate", how.rate, "Messages a second; 0: closed loop");
  app.add_option("--inflight", how.open, "Closed loop: unconfirmed messages");
  app.add_option("--seconds", how.seconds, "Measured time");
  app.add_option("--size", how.size, "Content bytes of a message");
  app.add_option("--runs", how.runs, "Runs; the median is printed")
    ->check(CLI::Range(1, 100));
  app.add_option("--certs", how.certs,
                 "TLS with n1's and n2's certificates in this folder, as "
                 "`vartalap certs` makes them; left out: a secret");
  CLI11_PARSE(app, argc, argv);
  try {
    std::vector<double> all;
    for (unsigned run = 0; run < how.runs; ++run)
      all.push_back(one_run(how, static_cast<int>(run)));
    std::sort(all.begin(), all.end());
    std::printf("median of %zu: the link costs %.1f us a message\n", all.size(),
                all[all.size() / 2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "link_bench: %s\n", error.what());
    return 1;
  }
}
