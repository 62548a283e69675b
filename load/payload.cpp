#include "load/payload.hpp"

#include "core/hash.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace vartalap::load {

namespace {

/// sender, seq, scheduled_us, checksum, then the filler.
constexpr std::size_t scheduled_at = 8;
constexpr std::size_t checksum_at = 16;
constexpr std::size_t filler_at = 24;

template <class T>
T get(std::string_view from, std::size_t at) noexcept {
  T result{};
  std::memcpy(&result, from.data() + at, sizeof result);
  return result;
}

template <class T>
void set(std::string& to, std::size_t at, T value) noexcept {
  std::memcpy(to.data() + at, &value, sizeof value);
}

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end
    = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
  const auto size = static_cast<std::size_t>(end.ptr - digits.data());
  return std::string(16 - size, '0') + std::string(digits.data(), size);
}

template <class T>
void append_number(std::string& out, T value, int base) {
  std::array<char, 24> digits{};
  const auto end
    = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end.ptr);
}

} // namespace

payload_maker::payload_maker(std::uint64_t run, std::size_t size)
  : run_(run), size_(std::max(size, payload_bytes_min)),
    prefix_(hex(run) + "-") {
}

std::uint64_t payload_maker::checksum(std::string_view bytes) const noexcept {
  // Everything but the checksum itself, eight bytes a step.
  auto sum = run_ ^ bytes.size();
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8)
    if (at != checksum_at)
      sum = core::mix64(sum ^ get<std::uint64_t>(bytes, at)) + at;
  for (; at < bytes.size(); ++at)
    sum = core::mix64(sum ^ static_cast<unsigned char>(bytes[at]));
  return sum;
}

void payload_maker::make(const payload_facts& facts, std::string& out) const {
  out.resize(size_);
  set(out, 0, facts.key.sender);
  set(out, 4, facts.key.seq);
  set(out, scheduled_at, facts.scheduled_us);
  // A filler of its own for each message: contents that were mixed up differ.
  auto filler = core::mix64(run_ ^ facts.key.sender) + facts.key.seq;
  for (std::size_t at = filler_at; at < size_; at += 8) {
    filler = filler * 6364136223846793005ULL + 1442695040888963407ULL;
    std::memcpy(out.data() + at, &filler, std::min<std::size_t>(8, size_ - at));
  }
  set(out, checksum_at, checksum(out));
}

std::optional<payload_facts>
payload_maker::read(std::string_view content) const {
  if (content.size() != size_
      || get<std::uint64_t>(content, checksum_at) != checksum(content))
    return std::nullopt;
  payload_facts facts;
  facts.key.sender = get<std::uint32_t>(content, 0);
  facts.key.seq = get<std::uint32_t>(content, 4);
  facts.scheduled_us = get<std::uint64_t>(content, scheduled_at);
  return facts;
}

void payload_maker::append_id(message_key key, std::string& out) const {
  out.append(prefix_);
  append_number(out, key.sender, 36);
  out.push_back('-');
  append_number(out, key.seq, 36);
}

bool payload_maker::is_ours(std::string_view id) const noexcept {
  return id.starts_with(prefix_);
}

std::optional<message_key> payload_maker::read_id(std::string_view id) const {
  if (!is_ours(id))
    return std::nullopt;
  message_key key;
  const auto* end = id.data() + id.size();
  const auto sender
    = std::from_chars(id.data() + prefix_.size(), end, key.sender, 36);
  if (sender.ec != std::errc{} || sender.ptr == end || *sender.ptr != '-')
    return std::nullopt;
  const auto seq = std::from_chars(sender.ptr + 1, end, key.seq, 36);
  if (seq.ec != std::errc{} || seq.ptr != end)
    return std::nullopt;
  return key;
}

std::string payload_maker::user_name(std::uint32_t user) {
  return "u" + std::to_string(user);
}

std::optional<std::uint32_t>
payload_maker::read_user_name(std::string_view name) {
  if (name.size() < 2 || name.front() != 'u')
    return std::nullopt;
  std::uint32_t user = 0;
  const auto* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + 1, end, user);
  if (parsed.ec != std::errc{} || parsed.ptr != end)
    return std::nullopt;
  return user;
}

} // namespace vartalap::load
