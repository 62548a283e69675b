#pragma once

#include "core/push.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::core {

/// A mailbox as /users/{id} shows it: connections, devices, pending, oldest.
struct mailbox_inspection {
  struct device {
    std::string name;
    bool connected = false;
    wall_ms last_seen = 0;
    std::uint64_t owes = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t stuck = 0;
    push_platform push = push_platform::none;
  };
  std::vector<device> devices;
  std::uint64_t pending = 0;
  std::uint64_t pending_bytes = 0;
  std::uint64_t in_memory = 0;
  wall_ms oldest = 0; ///< server_timestamp of the oldest; 0: none
  bool knows(std::string_view name) const noexcept;
};

} // namespace vartalap::core
