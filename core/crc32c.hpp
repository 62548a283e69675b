#pragma once

#include <cstdint>
#include <string_view>

namespace vartalap::core {

/// CRC-32C (Castagnoli) of `bytes`, continuing from `seed` (the result for
/// what comes before, 0 at the start). Uses the CPU's instruction where it
/// has one.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0) noexcept;

/// The same in plain C++: for CPUs without the instruction, and for tests.
std::uint32_t crc32c_portable(std::string_view bytes,
                              std::uint32_t seed = 0) noexcept;

} // namespace vartalap::core
