#include "storage/push_format.hpp"

#include "storage/record_format.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::storage {

namespace {

constexpr std::size_t targets_max = 64;

void put(std::string& out, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    out.push_back(static_cast<char>(number >> (8 * i) & 0xFFU));
}

/// Takes numbers and texts off the front; what is missing is zero, and `ok`
/// false.
struct taker {
  std::string_view left;
  bool ok = true;

  std::uint64_t number(std::size_t bytes) {
    if (left.size() < bytes) {
      ok = false;
      return 0;
    }
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      out |= std::uint64_t{static_cast<unsigned char>(left[i])} << (8 * i);
    left.remove_prefix(bytes);
    return out;
  }

  std::string text(std::size_t bytes) {
    ok = ok && left.size() >= bytes;
    if (!ok)
      return {};
    std::string out(left.substr(0, bytes));
    left.remove_prefix(bytes);
    return out;
  }
};

} // namespace

void encode_push(std::string& out, std::string_view key,
                 const core::push_record& record) {
  std::string bytes;
  put(bytes, record_version, 1);
  put(bytes, record.episode, 8);
  put(bytes, record.raised, 8);
  put(bytes, record.done ? 1 : 0, 1);
  const auto count = std::min(record.targets.size(), targets_max);
  put(bytes, count, 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& each = record.targets[i];
    put(bytes, each.due, 8);
    put(bytes, each.attempts, 2);
    put(bytes, each.done ? 1 : 0, 1);
    put(bytes, each.name.size(), 1); // a device's name, or the webhook's
    bytes.append(each.name);
  }
  encode_checked(out, key, bytes);
}

std::optional<core::push_record> read_push(std::string_view key,
                                           std::string_view value) {
  core::push_record out;
  if (value.empty())
    return out;
  const auto bytes = read_checked(key, value);
  if (!bytes)
    return std::nullopt;
  taker from{*bytes};
  if (from.number(1) != record_version)
    return std::nullopt;
  out.episode = from.number(8);
  out.raised = from.number(8);
  out.done = from.number(1) != 0;
  const auto count = from.number(1);
  for (std::uint64_t i = 0; i < count && from.ok; ++i) {
    core::push_record::target each;
    each.due = from.number(8);
    each.attempts = static_cast<std::uint16_t>(from.number(2));
    each.done = from.number(1) != 0;
    each.name = from.text(static_cast<std::size_t>(from.number(1)));
    out.targets.push_back(std::move(each));
  }
  if (!from.ok)
    return std::nullopt;
  return out;
}

void append_target(std::string& out, const core::push_target& target) {
  if (target == core::push_target{})
    return;
  put(out, static_cast<std::uint64_t>(target.platform), 1);
  put(out, target.since, 8);
  put(out, target.token.size(), 2); // at most push_token_bytes_max
  out.append(target.token);
}

core::push_target read_target(std::string_view bytes) {
  core::push_target out;
  if (bytes.empty())
    return out;
  taker from{bytes};
  const auto platform = from.number(1);
  out.since = from.number(8);
  out.token = from.text(static_cast<std::size_t>(from.number(2)));
  if (!from.ok || platform >= core::push_platforms)
    return {};
  out.platform = static_cast<core::push_platform>(platform);
  return out;
}

} // namespace vartalap::storage
