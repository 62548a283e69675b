#include "test/unit/storage/store_fixture.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <thread>

// What the writer can do on this machine:
//   storage_bench [seconds per run, default 5] [users, default 20000]
// With 0 seconds only start-up, tombstones and listings are measured.
// Keeps 16,384 puts of 300-byte messages waiting, as a busy node does.

namespace vartalap {

namespace {

using std::chrono::duration;
using clock = std::chrono::steady_clock;

/// Counts, and lets the producer go on when room is there.
class counting_sink final : public storage::completion_sink {
public:
  void completed(unsigned, std::vector<storage::completion> batch) override {
    const std::lock_guard lock{mutex_};
    if (writer_cpu_start_ < 0)
      writer_cpu_start_ = thread_cpu();
    writer_cpu_ = thread_cpu() - writer_cpu_start_;
    for (const auto& done : batch)
      if (done.result == storage::outcome::committed
          || done.result == storage::outcome::done)
        ++done_;
      else
        std::abort();
    changed_.notify_all();
  }
  void storage_failed(const std::string& what) override {
    std::fprintf(stderr, "failed: %s\n", what.c_str());
    std::abort();
  }
  void expired(std::string, std::vector<core::server_id>) override {
  }

  void wait_for(std::uint64_t done) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return done_ >= done; });
  }
  std::uint64_t done() {
    const std::lock_guard lock{mutex_};
    return done_;
  }
  double writer_cpu() {
    const std::lock_guard lock{mutex_};
    return writer_cpu_;
  }

private:
  static double thread_cpu() {
    timespec at{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return static_cast<double>(at.tv_sec)
           + static_cast<double>(at.tv_nsec) / 1e9;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t done_ = 0;
  double writer_cpu_start_ = -1;
  double writer_cpu_ = 0;
};

struct run_options {
  const char* name;
  core::durability_mode mode;
  core::milliseconds settle_after;
  std::size_t journal_bytes;
};

constexpr std::size_t in_flight = 16384;
constexpr unsigned step = 512;

core::envelope_ptr bench_message(unsigned n, unsigned users) {
  auto out = std::make_shared<core::envelope>();
  const auto user = n * 2654435761U % users;
  out->id = "message-" + std::to_string(n);
  out->from = "user" + std::to_string(n % users);
  out->to = "user" + std::to_string(user);
  out->content.assign(300, 'x');
  out->server_timestamp = test::wall_now();
  out->serverid = {out->server_timestamp << 16, n};
  return out;
}

void report(const char* name, std::uint64_t operations, double seconds,
            double cpu, const storage::store_status& status) {
  std::printf("%-34s %8.0f/s  %5.2f us CPU each  commits %5lu  journal %4lu "
              "MiB %7lu records  settled %lu\n",
              name, static_cast<double>(operations) / seconds,
              cpu * 1e6 / static_cast<double>(operations), status.commits,
              status.journal_bytes >> 20, status.journal_records,
              status.settled);
  std::fflush(stdout);
}

void run(const run_options& what, double seconds, unsigned users) {
  test::temporary_directory directory;
  test::recorded_log log;
  core::storage_options options;
  options.durability = what.mode;
  options.settle_after = what.settle_after;
  options.journal_bytes = what.journal_bytes;
  options.max_bytes = 32 * core::GiB;
  std::deque<core::envelope_ptr> stored;
  {
    counting_sink sink;
    storage::lmdb_store store{directory.data(),
                              options,
                              core::milliseconds{1LL << 40},
                              1,
                              sink,
                              log,
                              {}};
    const auto start = clock::now();
    std::uint64_t sent = 0;
    unsigned n = 0;
    while (duration<double>{clock::now() - start}.count() < seconds) {
      std::vector<storage::request> batch;
      for (std::size_t i = 0; i < step; ++i) {
        stored.push_back(bench_message(n++, users));
        batch.push_back({0, n, storage::op::put{stored.back(), {}, false}});
      }
      store.submit(std::move(batch));
      sent += step;
      if (sent > in_flight)
        sink.wait_for(sent - in_flight);
    }
    sink.wait_for(sent);
    const auto took = duration<double>{clock::now() - start}.count();
    report(what.name, sent, took, sink.writer_cpu(), store.status());
    const auto cpu = sink.writer_cpu();
    const auto drain_start = clock::now();
    const auto total = stored.size();
    std::uint64_t removed = 0;
    while (!stored.empty()) {
      std::vector<storage::request> batch;
      for (std::size_t i = 0; i < step && !stored.empty(); ++i) {
        batch.push_back(
          {0, 0,
           storage::op::remove{stored.front()->to, stored.front()->serverid}});
        stored.pop_front();
      }
      removed += batch.size();
      store.submit(std::move(batch));
      if (removed > in_flight)
        sink.wait_for(sent + removed - in_flight);
    }
    sink.wait_for(sent + removed);
    report("  drain (removes)", total,
           duration<double>{clock::now() - drain_start}.count(),
           sink.writer_cpu() - cpu, store.status());
  }
}

/// A store that confirms as fast as it can, filled through `fill`.
struct bench_store {
  explicit bench_store(core::milliseconds settle_after) {
    options.settle_after = settle_after;
    options.durability = core::durability_mode::relaxed;
    options.max_bytes = 32 * core::GiB;
    open();
  }
  void open() {
    store.reset();
    store = std::make_unique<storage::lmdb_store>(
      directory.data(), options, core::milliseconds{1LL << 40}, 1, sink, log,
      storage::store_hooks{});
  }
  /// `make(n)` gives the operations of one step.
  template <class Make>
  void fill(unsigned count, const Make& make) {
    for (unsigned n = 0; n < count; ++n) {
      std::vector<storage::request> batch;
      for (auto& what : make(n))
        batch.push_back({0, 0, std::move(what)});
      sent += batch.size();
      store->submit(std::move(batch));
      if (sent > in_flight)
        sink.wait_for(sent - in_flight);
    }
    sink.wait_for(sent);
  }

  test::temporary_directory directory;
  test::recorded_log log;
  core::storage_options options;
  counting_sink sink;
  std::unique_ptr<storage::store> store;
  std::uint64_t sent = 0;
};

std::vector<storage::operation> puts(unsigned n) {
  std::vector<storage::operation> out;
  for (unsigned i = 0; i < step; ++i)
    out.emplace_back(
      storage::op::put{bench_message(n * step + i, 20'000), {}, false});
  return out;
}

/// Removes of messages that are not there, remembered; forgotten again once
/// `lag` more were removed, 0: never.
std::vector<storage::operation> removes(unsigned n, unsigned lag) {
  std::vector<storage::operation> out;
  for (unsigned i = 0; i < step; ++i) {
    const auto at = n * step + i;
    const auto user = [](unsigned x) {
      return "user" + std::to_string(x * 2654435761U % 20'000);
    };
    out.emplace_back(storage::op::remove{
      user(at), {1ULL << 56, at + 1}, storage::remembrance::always});
    if (lag != 0 && at >= lag)
      out.emplace_back(
        storage::op::forget{user(at - lag), {1ULL << 56, at - lag + 1}, {}});
  }
  return out;
}

void tombstones(unsigned standing) {
  bench_store on{core::milliseconds{3'600'000}};
  on.fill(standing / step, [](unsigned n) { return removes(n, 0); });
  const auto offset = standing / step;
  const auto measure = [&](const char* name, unsigned steps, const auto& make) {
    const auto start = clock::now();
    const auto cpu = on.sink.writer_cpu();
    on.fill(steps, make);
    std::printf("%8u tombstones stand: %-26s %8.0f/s  %5.2f us CPU each\n",
                standing, name,
                steps * step / duration<double>{clock::now() - start}.count(),
                (on.sink.writer_cpu() - cpu) * 1e6 / (steps * step));
    std::fflush(stdout);
  };
  measure("put", 400, puts);
  measure("remove and forget", 400,
          [&](unsigned n) { return removes(offset + n, 4096); });
  measure("remove", 400,
          [&](unsigned n) { return removes(offset + 400 + n, 0); });
}

void listings(unsigned messages, bool settled) {
  bench_store on{settled ? core::milliseconds{0}
                         : core::milliseconds{3'600'000}};
  on.fill(messages / step, puts);
  while (settled && on.store->status().journal_records > 0)
    std::this_thread::yield();
  double longest = 0;
  std::uint64_t found = 0;
  const auto start = clock::now();
  for (unsigned first = 0; first < 65'536; first += 1024) {
    const auto began = clock::now();
    for (const auto& one :
         on.store->digests(static_cast<std::uint16_t>(first), 1024))
      found += one.messages;
    longest = std::max(longest, duration<double>{clock::now() - began}.count());
  }
  std::printf("digests of %lu messages in %s: %.3f s, longest slice %.4f s\n",
              found, settled ? "mailboxes" : "the journal",
              duration<double>{clock::now() - start}.count(), longest);
}

void start_up(unsigned messages, bool settled) {
  test::temporary_directory directory;
  test::recorded_log log;
  core::storage_options options;
  options.settle_after = settled ? core::milliseconds{0}
                                 : core::milliseconds{3'600'000};
  options.durability = core::durability_mode::relaxed;
  counting_sink sink;
  {
    storage::lmdb_store store{directory.data(),
                              options,
                              core::milliseconds{1LL << 40},
                              1,
                              sink,
                              log,
                              {}};
    for (unsigned n = 0; n < messages; n += step) {
      std::vector<storage::request> batch;
      for (unsigned i = 0; i < step; ++i)
        batch.push_back(
          {0, 0, storage::op::put{bench_message(n + i, 20000), {}, false}});
      store.submit(std::move(batch));
      if (n > in_flight)
        sink.wait_for(n - in_flight);
    }
    sink.wait_for(messages);
    while (settled && store.status().journal_records > 0)
      std::this_thread::yield();
  }
  const auto start = clock::now();
  storage::lmdb_store store{
    directory.data(), options, core::milliseconds{1LL << 40}, 1, sink, log, {}};
  std::printf("start-up with %u messages in %s: %.3f s\n", messages,
              settled ? "mailboxes" : "the journal",
              duration<double>{clock::now() - start}.count());
}

} // namespace

} // namespace vartalap

int main(int argc, char** argv) {
  using vartalap::core::GiB;
  using vartalap::core::MiB;
  using mode = vartalap::core::durability_mode;
  using ms = vartalap::core::milliseconds;
  const auto seconds = argc > 1 ? std::atof(argv[1]) : 5.0;
  const auto users
    = static_cast<unsigned>(argc > 2 ? std::atoi(argv[2]) : 20'000);
  if (seconds > 0) {
    vartalap::run({"strict, nothing settles", mode::strict, ms{3'600'000}, GiB},
                  seconds, users);
    vartalap::run({"strict, settling after 1 s", mode::strict, ms{1000}, GiB},
                  seconds, users);
    vartalap::run(
      {"strict, journal at its bound", mode::strict, ms{1000}, 16 * MiB},
      seconds, users);
    vartalap::run({"relaxed, settling after 1 s", mode::relaxed, ms{1000}, GiB},
                  seconds, users);
  }
  for (unsigned standing : {0U, 100'000U, 1'000'000U})
    vartalap::tombstones(standing);
  vartalap::listings(400'000, false);
  vartalap::listings(1'000'000, true);
  vartalap::start_up(400'000 / 512 * 512, false);
  vartalap::start_up(1'000'000 / 512 * 512, true);
}
