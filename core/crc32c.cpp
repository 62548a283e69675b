#include "core/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace vartalap::core {

namespace {

constexpr std::uint32_t polynomial = 0x82f63b78U; // reflected

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    auto x = i;
    for (int bit = 0; bit < 8; ++bit)
      x = (x & 1) != 0 ? x >> 1 ^ polynomial : x >> 1;
    table[i] = x;
  }
  return table;
}

constexpr auto table = make_table();

#if defined(__x86_64__)

[[gnu::target("sse4.2")]] std::uint32_t
crc32c_sse42(std::string_view bytes, std::uint32_t seed) noexcept {
  std::uint64_t crc = static_cast<std::uint32_t>(~seed);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left)
    crc32 = _mm_crc32_u8(crc32, static_cast<unsigned char>(*at));
  return ~crc32;
}

#endif

} // namespace

std::uint32_t crc32c_portable(std::string_view bytes,
                              std::uint32_t seed) noexcept {
  auto crc = ~seed;
  for (auto byte : bytes)
    crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ crc >> 8;
  return ~crc;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) noexcept {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2") != 0;
  if (fast)
    return crc32c_sse42(bytes, seed);
#endif
  return crc32c_portable(bytes, seed);
}

} // namespace vartalap::core
