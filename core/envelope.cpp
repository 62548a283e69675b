#include "core/envelope.hpp"

#include "core/hash.hpp"

namespace vartalap::core {

std::size_t envelope::weight() const noexcept {
  auto bytes = sizeof(envelope) + id.size() + from.size() + to.size()
               + group.size() + content.size();
  for (const auto& entry : meta) {
    bytes += sizeof(meta_entry) + entry.key.size() + entry.value.size();
  }
  return bytes;
}

std::uint64_t envelope::content_hash() const noexcept {
  field_hasher hasher{0x636f6e74656e7431ULL};
  hasher.add(std::uint64_t{static_cast<std::uint8_t>(type)} << 16
             | std::uint64_t{static_cast<std::uint8_t>(channel)} << 8
             | static_cast<std::uint8_t>(kind));
  hasher.add(content);
  for (const auto& entry : meta) {
    hasher.add(entry.key);
    hasher.add(entry.value);
    hasher.add(std::uint64_t{entry.is_json});
  }
  return hasher.finish().a;
}

} // namespace vartalap::core
