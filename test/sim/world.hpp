#pragma once

#include "core/ids.hpp"
#include "core/placement.hpp"
#include "core/units.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::sim {

using core::bucket_id;
using core::node_index;
using core::server_id;
using user_index = std::uint32_t;
using message_number = std::uint32_t;

/// Virtual time in microseconds.
using sim_time = std::int64_t;

inline constexpr sim_time ms = 1000;
inline constexpr sim_time s = 1000 * ms;

/// Something that must never happen has happened.
struct violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Kinds of faults; a seed enables a random half of them.
enum class fault : std::uint8_t {
  crash,     ///< a node loses what is not committed, comes back later
  wipe,      ///< … and its disk
  partition, ///< some nodes reach none of the others
  one_way,   ///< between two nodes one direction is cut
  partial,   ///< two nodes do not reach each other, others reach both
  flap,      ///< a link breaks again and again
  slow_disk,
  slow_link,
  full,  ///< a node takes no copies
  drain, ///< a node is drained, ends, and comes back
  moves, ///< clients change their nodes (no fault, but it disturbs)
};
inline constexpr std::size_t fault_kinds = 11;

std::string_view name_of(fault kind) noexcept;

/// Defects of the shell that some seed must find.
struct planted {
  bool early_confirm = false; ///< before min_copies nodes have committed
  bool no_tombstones = false;
  bool hints_lost = false;   ///< dropped when a node starts
  bool forgets_copy = false; ///< a pass says it copied, and did not
};

/// What a seed decides beforehand.
struct setup {
  std::uint64_t seed = 0;
  std::size_t nodes = 3;
  std::size_t users = 10;
  unsigned replicas = 1;
  unsigned min_copies = 2;
  std::set<fault> faults;
  planted defects;
  bool trace = false;

  bool has(fault kind) const {
    return faults.contains(kind);
  }
};

/// Draws a setup: sizes and a random half of the faults.
setup draw_setup(std::uint64_t seed);
std::string describe(const setup& of);

inline constexpr std::size_t sim_buckets = 48;

inline bucket_id bucket_of(user_index user) noexcept {
  return static_cast<bucket_id>(user * 5 % sim_buckets);
}

std::string user_name(user_index user);
user_index user_number(std::string_view name);

/// The clock, the dice, and what is to happen when.
class world {
public:
  explicit world(const setup& how);

  /// Runs `what` after `delay`.
  void after(sim_time delay, std::function<void()> what);

  /// @returns False: nothing is left to happen.
  bool step();

  sim_time now() const noexcept {
    return now_;
  }

  std::uint64_t steps() const noexcept {
    return steps_;
  }

  /// Uniform in [low, high].
  std::int64_t random(std::int64_t low, std::int64_t high);
  bool chance(double probability);

  /// A line of the log, where the run is traced.
  template <class... Parts>
  void log(const Parts&... parts) const {
    if (how_.trace)
      write_line({text(parts)...});
  }

private:
  struct event {
    sim_time at;
    std::uint64_t order;
    std::shared_ptr<std::function<void()>> what;

    bool operator<(const event& other) const noexcept {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  static std::string text(std::string_view x) {
    return std::string(x);
  }
  template <class Number>
  static std::string
  text(const Number& x) requires std::is_arithmetic_v<Number> {
    return std::to_string(x);
  }
  static std::string text(server_id x) {
    return x.to_hex();
  }
  void write_line(std::initializer_list<std::string> parts) const;

  setup how_;
  std::mt19937_64 dice_;
  std::priority_queue<event> events_;
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  sim_time now_ = 0;
};

} // namespace vartalap::sim
