#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vartalap::core {

/// The newest time (`server_id::high`) that was delivered of each sender. Exact
/// for the latest few senders; of the others it knows a time that is no
/// earlier.
class newest_by_sender {
public:
  static constexpr std::size_t kept_max = 8;

  void note(std::uint64_t sender_hash, std::uint64_t time);

  /// 0: nothing was delivered yet.
  std::uint64_t of(std::uint64_t sender_hash) const noexcept;

private:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> kept_; ///< latest last
  std::uint64_t floor_ = 0; ///< the greatest that was given up
};

} // namespace vartalap::core
