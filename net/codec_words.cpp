#include "net/codec_words.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace vartalap::net {

namespace {

using core::message_type;

constexpr std::array<std::pair<std::string_view, message_type>, 6> type_names{{
  {"SERVER_ACK", message_type::server_ack},
  {"CLIENT_ACK", message_type::client_ack},
  {"MESSAGE", message_type::message},
  {"NOTIFICATION", message_type::notification},
  {"ERROR", message_type::error},
  {"CUSTOM", message_type::custom},
}};

constexpr char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

} // namespace

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

bool is_same_word(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return upper(x) == upper(y); });
}

message_type type_of(std::string_view content_type) noexcept {
  for (const auto& [name, type] : type_names) {
    if (is_same_word(name, content_type))
      return type;
  }
  return message_type::message;
}

std::string_view name_of(message_type type) noexcept {
  for (const auto& [name, known] : type_names) {
    if (known == type)
      return name;
  }
  return "MESSAGE";
}

std::string_view name_of(core::channel channel) noexcept {
  switch (channel) {
    case core::channel::group:
      return "GROUP";
    case core::channel::other:
      return "OTHER";
    default:
      return "INDIVIDUAL";
  }
}

core::channel channel_of(std::string_view word,
                         core::channel otherwise) noexcept {
  if (word.empty() || is_same_word(word, "individual")
      || is_same_word(word, "chat") || is_same_word(word, "unknown"))
    return core::channel::individual;
  if (is_same_word(word, "group"))
    return core::channel::group;
  return is_same_word(word, "other") ? core::channel::other : otherwise;
}

std::string_view name_of(core::ack_status status) noexcept {
  switch (status) {
    case core::ack_status::delivered:
      return "delivered";
    case core::ack_status::relayed:
      return "relayed";
    default:
      return "stored";
  }
}

std::string name_of(core::durability durability) {
  switch (durability) {
    case core::durability::memory:
      return "memory";
    case core::durability::disk:
      return "disk";
    case core::durability::written:
      return "written";
    default:
      return "disk+" + std::to_string(static_cast<unsigned>(durability) - 1);
  }
}

const core::meta_entry* find_meta(const core::envelope& message,
                                  std::string_view key) noexcept {
  for (const auto& entry : message.meta) {
    if (entry.key == key)
      return &entry;
  }
  return nullptr;
}

} // namespace vartalap::net
