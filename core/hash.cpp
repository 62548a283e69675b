#include "core/hash.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

namespace vartalap::core {

namespace {

// Little-endian whatever the machine: the result is kept on disk.
std::uint64_t load_word(const char* from, std::size_t size) noexcept {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, from, size);
    return word;
  }
  for (std::size_t i = 0; i < size; ++i) {
    word |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  return word;
}

} // namespace

field_hasher::field_hasher(std::uint64_t seed) noexcept
  : a_(seed ^ 0x9e3779b97f4a7c15ULL), b_(~seed ^ 0xc2b2ae3d27d4eb4fULL) {
}

void field_hasher::add(std::uint64_t number) noexcept {
  a_ ^= std::rotl(number * 0x87c37b91114253d5ULL, 31) * 0x4cf5ad432745937fULL;
  a_ = std::rotl(a_, 27) + b_;
  a_ = a_ * 5 + 0x52dce729ULL;
  b_ ^= std::rotl(number * 0x4cf5ad432745937fULL, 33) * 0x87c37b91114253d5ULL;
  b_ = std::rotl(b_, 31) + a_;
  b_ = b_ * 5 + 0x38495ab5ULL;
}

void field_hasher::add(std::string_view field) noexcept {
  add(std::uint64_t{field.size()});
  const char* at = field.data();
  std::size_t left = field.size();
  for (; left >= 8; at += 8, left -= 8) {
    add(load_word(at, 8));
  }
  if (left > 0) {
    add(load_word(at, left));
  }
}

field_hasher::digest field_hasher::finish() const noexcept {
  const auto a = mix64(a_ + b_);
  const auto b = mix64(b_ + std::rotl(a_, 17));
  return {a + b, b + std::rotl(a, 32)};
}

} // namespace vartalap::core
