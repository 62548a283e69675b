#pragma once

#include <cstdint>
#include <string_view>

namespace vartalap::core {

/// Streaming 128-bit hash over a sequence of fields: two lanes of multiply
/// and rotate steps, eight bytes at a time. The same on every node and in
/// every release, because its results are kept on disk. Not a cryptographic
/// hash: good against chance, not against an attacker who may choose all
/// inputs.
class field_hasher {
public:
  explicit field_hasher(std::uint64_t seed) noexcept;

  /// Mixes in one field. Its length takes part, so that ("ab", "c") and
  /// ("a", "bc") differ.
  void add(std::string_view field) noexcept;

  /// Mixes in a number.
  void add(std::uint64_t number) noexcept;

  /// Both halves, finished; the hasher may go on afterwards.
  struct digest {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };
  digest finish() const noexcept;

private:
  std::uint64_t a_;
  std::uint64_t b_;
};

/// Spreads every input bit over all output bits (splitmix64's finisher).
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

} // namespace vartalap::core
