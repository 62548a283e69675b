#include "storage/lmdb_store.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <string_view>

// Works a store and says with write(1), one line a message, what it was told:
//   powercut_workload DIRECTORY strict|relaxed honest|early SEED ROUNDS
// "p N": message N is confirmed. "r N": its removal begins. "d N": its removal
// is done. Every commit's lines come in one write.

using namespace vartalap;

namespace {

void say(const std::string& lines) {
  if (!lines.empty()
      && ::write(STDOUT_FILENO, lines.data(), lines.size())
           != static_cast<ssize_t>(lines.size()))
    std::abort();
}

class speaking_sink final : public storage::completion_sink {
public:
  void completed(unsigned, std::vector<storage::completion> batch) override {
    std::string lines;
    for (const auto& done : batch) {
      if (done.was_put && done.result == storage::outcome::committed)
        lines += "p " + std::to_string(done.owner) + "\n";
      else if (!done.was_put && done.serverid)
        lines += "d " + std::to_string(done.owner) + "\n";
    }
    say(lines);
    const std::lock_guard lock{mutex_};
    done_ += batch.size();
    changed_.notify_all();
  }
  void storage_failed(const std::string&) override {
    std::abort();
  }
  void expired(std::string, std::vector<core::server_id>) override {
  }
  void wait_for(std::size_t done) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return done_ >= done; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t done_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 6)
    return 2;
  core::storage_options options;
  options.max_bytes = 64 * core::MiB;
  options.settle_after = core::milliseconds{1};
  options.durability = std::string_view{argv[2]} == "relaxed"
                         ? core::durability_mode::relaxed
                         : core::durability_mode::strict;
  storage::store_hooks hooks;
  hooks.free_bytes_min = 0;
  hooks.faults.confirm_before_commit = std::string_view{argv[3]} == "early";
  std::mt19937 random{static_cast<unsigned>(std::atoi(argv[4]))};
  const auto rounds = std::atoi(argv[5]);
  test::recorded_log log;
  speaking_sink sink;
  storage::lmdb_store store{
    argv[1], options, core::milliseconds{1LL << 40}, 1, sink, log, hooks};
  std::deque<core::envelope_ptr> pending;
  std::deque<unsigned> numbers;
  std::size_t asked = 0;
  unsigned n = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<storage::request> batch;
    const auto puts = 1 + random() % 12;
    for (unsigned i = 0; i < puts; ++i) {
      ++n;
      const auto size = random() % 8 == 0 ? 1500 + random() % 4000 : 200;
      auto message
        = test::make_message("user" + std::to_string(n % 7), n, size);
      batch.push_back({0, n, storage::op::put{message, {}, i == 0}});
      pending.push_back(std::move(message));
      numbers.push_back(n);
    }
    // What was put in earlier rounds goes, in part.
    const auto earlier = pending.size() - puts;
    const auto removes = earlier == 0 ? 0 : random() % (earlier + 1) / 2;
    std::string lines;
    for (unsigned i = 0; i < removes; ++i) {
      lines += "r " + std::to_string(numbers.front()) + "\n";
      batch.push_back(
        {0, numbers.front(),
         storage::op::remove{pending.front()->to, pending.front()->serverid}});
      pending.pop_front();
      numbers.pop_front();
    }
    say(lines);
    asked += batch.size();
    store.submit(std::move(batch));
    sink.wait_for(asked);
  }
  store.close();
}
