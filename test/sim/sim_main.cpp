#include "test/sim/simulation.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace vartalap::sim;

constexpr auto usage
  = "usage: sim [--seeds N] [--first N] [--seed N [--trace]] [--threads N]\n"
    "           [--plant early-confirm|no-tombstones|hints-lost|forgets-copy]\n"
    "Simulates the cluster's protocol, one run for each seed. With --plant a\n"
    "run that finds the planted defect is what is wanted.\n";

struct arguments {
  std::uint64_t first = 1;
  std::uint64_t seeds = 2000;
  unsigned threads = 2;
  bool trace = false;
  bool plant = false;
  planted defects;
};

bool plant(std::string_view name, planted& out) {
  if (name == "early-confirm")
    out.early_confirm = true;
  else if (name == "no-tombstones")
    out.no_tombstones = true;
  else if (name == "hints-lost")
    out.hints_lost = true;
  else if (name == "forgets-copy")
    out.forgets_copy = true;
  else
    return false;
  return true;
}

std::optional<arguments> parse(const std::vector<std::string_view>& words) {
  arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--trace") {
      out.trace = true;
      continue;
    }
    if (i + 1 == words.size())
      return {};
    const auto name = words[i];
    const auto value = words[++i];
    std::uint64_t number = 0;
    const bool is_number
      = std::from_chars(value.data(), value.data() + value.size(), number).ec
        == std::errc{};
    if (name == "--plant" && plant(value, out.defects)) {
      out.plant = true;
    } else if (!is_number) {
      return {};
    } else if (name == "--seeds") {
      out.seeds = number;
    } else if (name == "--first") {
      out.first = number;
    } else if (name == "--seed") {
      out.first = number;
      out.seeds = 1;
    } else if (name == "--threads") {
      out.threads = static_cast<unsigned>(number);
    } else {
      return {};
    }
  }
  return out;
}

/// All seeds' sums.
struct totals {
  std::mutex guard;
  result all;
  sim_time slowest = 0;
  std::size_t failures = 0;
};

void run_seed(std::uint64_t seed, const arguments& how, totals& into) {
  auto drawn = draw_setup(seed);
  drawn.trace = how.trace;
  drawn.defects = how.defects;
  result came;
  std::string wrong;
  try {
    came = simulation{drawn}.run();
  } catch (const violation& found) {
    wrong = found.what();
  }
  const std::lock_guard lock{into.guard};
  if (!wrong.empty()) {
    if (++into.failures <= 10)
      std::printf("%s\n  %s\n", describe(drawn).c_str(), wrong.c_str());
    return;
  }
  into.all.steps += came.steps;
  into.all.messages += came.messages;
  into.all.confirmations += came.confirmations;
  into.all.repeats += came.repeats;
  into.slowest = std::max(into.slowest, came.healed);
}

} // namespace

int main(int argc, char** argv) {
  const auto how = parse({argv + 1, argv + argc});
  if (!how) {
    std::fputs(usage, stderr);
    return 2;
  }
  const auto began = std::chrono::steady_clock::now();
  totals sum;
  std::atomic<std::uint64_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < (how->trace ? 1 : how->threads); ++i)
    threads.emplace_back([&] {
      for (auto at = next++; at < how->seeds; at = next++)
        run_seed(how->first + at, *how, sum);
    });
  for (auto& each : threads)
    each.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now()
                                             - began;
  std::printf(
    "%llu seeds, %zu failed, %llu steps, %zu messages, %zu "
    "confirmations, %zu repeats, slowest healing %.1f s, took %.1f s\n",
    static_cast<unsigned long long>(how->seeds), sum.failures,
    static_cast<unsigned long long>(sum.all.steps), sum.all.messages,
    sum.all.confirmations, sum.all.repeats,
    static_cast<double>(sum.slowest) / 1e6, took.count());
  if (how->plant)
    return sum.failures != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  return sum.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
