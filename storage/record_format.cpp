#include "storage/record_format.hpp"

#include "core/crc32c.hpp"
#include "storage/push_format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>

#include <msgpack.hpp>

namespace vartalap::storage {

namespace {

// Offsets of the fixed header; the checksum covers the key and everything
// after itself.
constexpr std::size_t at_version = 4;
constexpr std::size_t at_flags = 5;
constexpr std::size_t at_type = 6;
constexpr std::size_t at_acked = 7;
constexpr std::size_t at_serverid = 8;
constexpr std::size_t at_dedupe = 24;
constexpr std::size_t at_content_hash = 40;
constexpr std::size_t at_timestamp = 48;
constexpr std::size_t at_sender = 56;
constexpr std::size_t at_weight = 64;
constexpr std::size_t at_user = 68;
constexpr std::size_t header_bytes = 69;

constexpr std::uint8_t flag_apart = 1;

// What a tombstone is of.
constexpr std::string_view message_mark_byte = "m";
constexpr std::string_view device_mark_byte = "d";

static_assert(std::endian::native == std::endian::little,
              "numbers of the header are stored as they lie in memory");

template <class Number>
Number load(std::string_view bytes, std::size_t at) noexcept {
  Number x;
  std::memcpy(&x, bytes.data() + at, sizeof x);
  return x;
}

template <class Number>
void put_number(std::string& bytes, std::size_t at, Number x) noexcept {
  std::memcpy(bytes.data() + at, &x, sizeof x);
}

std::uint8_t byte_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint32_t checksum(std::string_view key, std::string_view value) noexcept {
  return core::crc32c(value.substr(4), core::crc32c(key));
}

// What msgpack::packer writes to.
struct string_sink {
  std::string& out;
  void write(const char* bytes, std::size_t size) {
    out.append(bytes, size);
  }
};

void pack_text(msgpack::packer<string_sink>& to, std::string_view text) {
  to.pack_str(static_cast<std::uint32_t>(text.size()));
  to.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void pack_bytes(msgpack::packer<string_sink>& to, std::string_view bytes) {
  to.pack_bin(static_cast<std::uint32_t>(bytes.size()));
  to.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

void pack_body(std::string& out, const core::envelope& message, bool apart) {
  string_sink sink{out};
  msgpack::packer<string_sink> to{sink};
  to.pack_array(message.group.empty() ? 7 : 8);
  pack_text(to, message.id);
  pack_text(to, message.from);
  to.pack(message.timestamp);
  to.pack(static_cast<std::uint8_t>(message.channel));
  to.pack(static_cast<std::uint8_t>(message.kind));
  to.pack_array(static_cast<std::uint32_t>(message.meta.size() * 3));
  for (const auto& entry : message.meta) {
    pack_text(to, entry.key);
    pack_text(to, entry.value);
    to.pack(entry.is_json);
  }
  if (apart)
    to.pack_nil();
  else
    pack_bytes(to, message.content);
  if (!message.group.empty())
    pack_text(to, message.group);
}

// Takes `count` length-prefixed names off `bytes`.
// @returns The bytes they occupy, nothing where they do not fit.
std::optional<std::size_t> names_size(std::string_view bytes,
                                      std::size_t count) noexcept {
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (at >= bytes.size())
      return std::nullopt;
    at += 1U + byte_at(bytes, at);
  }
  if (at > bytes.size())
    return std::nullopt;
  return at;
}

void append_name(std::string& out, std::string_view name) {
  out.push_back(static_cast<char>(name.size()));
  out.append(name);
}

bool has_name(std::string_view names, std::string_view name) noexcept {
  for (std::size_t at = 0; at < names.size();) {
    const std::size_t size = byte_at(names, at);
    if (names.substr(at + 1, size) == name)
      return true;
    at += 1 + size;
  }
  return false;
}

} // namespace

void key_bytes::add(std::string_view part) noexcept {
  const auto size = std::min(part.size(), bytes_.size() - size_);
  std::memcpy(bytes_.data() + size_, part.data(), size);
  size_ += size;
}

void key_bytes::add_byte(std::size_t byte) noexcept {
  const auto c = static_cast<char>(byte);
  add({&c, 1});
}

key_bytes journal_key(std::uint64_t sequence) noexcept {
  key_bytes key;
  for (unsigned shift = 64; shift > 0; shift -= 8)
    key.add_byte(sequence >> (shift - 8) & 0xff);
  return key;
}

std::uint64_t sequence_of(std::string_view key) noexcept {
  std::uint64_t sequence = 0;
  for (std::size_t i = 0; i < 8; ++i)
    sequence = sequence << 8 | byte_at(key, i);
  return sequence;
}

key_bytes user_key(std::string_view user) noexcept {
  const auto bucket = core::bucket_of(user);
  key_bytes key;
  key.add_byte(bucket >> 8U);
  key.add_byte(bucket & 0xffU);
  key.add_byte(user.size());
  key.add(user);
  return key;
}

key_bytes mailbox_key(std::string_view user, core::server_id id) noexcept {
  auto key = user_key(user);
  const auto bytes = id.to_bytes();
  for (auto byte : bytes)
    key.add_byte(byte);
  return key;
}

key_bytes device_key(std::string_view user, std::string_view device) noexcept {
  auto key = user_key(user);
  key.add(device);
  return key;
}

key_bytes removal_key(std::string_view user, core::server_id id) noexcept {
  auto key = user_key(user);
  const auto bytes = id.to_bytes();
  key.add(message_mark_byte);
  key.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return key;
}

key_bytes removal_key(std::string_view user, std::string_view device) noexcept {
  auto key = user_key(user);
  key.add(device_mark_byte);
  key.add(device);
  return key;
}

std::optional<removal> read_removal(std::string_view key,
                                    std::string_view value) {
  const auto parts = split_user_key(key);
  const auto at = read_checked(key, value);
  if (!parts || !at || parts->rest.size() < 2)
    return std::nullopt;
  removal out;
  out.user = parts->user;
  out.at = read_number(*at);
  const auto name = parts->rest.substr(1);
  if (parts->rest.substr(0, 1) == device_mark_byte)
    out.device = name;
  else if (name.size() == 16)
    out.serverid = core::server_id::from_bytes(
      reinterpret_cast<const std::uint8_t*>(name.data()));
  else
    return std::nullopt;
  return out;
}

key_bytes bucket_key(std::uint16_t bucket) noexcept {
  key_bytes key;
  key.add_byte(bucket >> 8U);
  key.add_byte(bucket & 0xffU);
  return key;
}

std::uint16_t bucket_of_key(std::string_view key) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(key[0]) << 8
                                    | static_cast<unsigned char>(key[1]));
}

void encode_peer_note(std::string& out, const peer_note& note) {
  encode_checked(out, note.node_uuid,
                 encode_number(note.commits) + note.disk_uuid);
}

std::optional<peer_note> read_peer(std::string_view node_uuid,
                                   std::string_view value) {
  const auto bytes = read_checked(node_uuid, value);
  if (!bytes || bytes->size() < 8)
    return std::nullopt;
  return peer_note{std::string{node_uuid}, std::string{bytes->substr(8)},
                   read_number(bytes->substr(0, 8))};
}

std::optional<split_key> split_user_key(std::string_view key) noexcept {
  if (key.size() < 4)
    return std::nullopt;
  const std::size_t size = byte_at(key, 2);
  if (size == 0 || size > core::user_id_bytes_max || key.size() < 3 + size)
    return std::nullopt;
  const auto user = key.substr(3, size);
  const auto bucket = byte_at(key, 0) << 8 | byte_at(key, 1);
  if (bucket != core::bucket_of(user))
    return std::nullopt;
  return split_key{user, key.substr(3 + size)};
}

content_key content_key_of(std::string_view content) noexcept {
  // Whoever stores compares the bytes: a collision costs room, nothing else.
  const std::array<std::uint64_t, 2> parts{
    core::stable_hash(content), std::uint64_t{core::crc32c(content)} << 32
                                  | (content.size() & 0xffffffffU)};
  return std::bit_cast<content_key>(parts);
}

std::uint64_t record_view::born() const noexcept {
  return std::max(server_timestamp, serverid.clock_ms());
}

std::vector<std::string> record_view::acked_names() const {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < acked.size();) {
    const std::size_t size = byte_at(acked, at);
    names.emplace_back(acked.substr(at + 1, size));
    at += 1 + size;
  }
  return names;
}

core::pending_record record_view::to_pending() const {
  return {serverid,    dedupe, content_hash, server_timestamp,
          sender_hash, weight, type,         acked_names()};
}

std::optional<record_view> read_record(std::string_view key,
                                       std::string_view value) noexcept {
  if (value.size() < header_bytes
      || byte_at(value, at_version) != record_version
      || load<std::uint32_t>(value, 0) != checksum(key, value))
    return std::nullopt;
  record_view out;
  out.serverid = core::server_id::from_bytes(
    reinterpret_cast<const std::uint8_t*>(value.data() + at_serverid));
  out.dedupe = {load<std::uint64_t>(value, at_dedupe),
                load<std::uint64_t>(value, at_dedupe + 8)};
  out.content_hash = load<std::uint64_t>(value, at_content_hash);
  out.server_timestamp = load<std::uint64_t>(value, at_timestamp);
  out.sender_hash = load<std::uint64_t>(value, at_sender);
  out.weight = load<std::uint32_t>(value, at_weight);
  out.type = static_cast<core::message_type>(byte_at(value, at_type));
  auto rest = value.substr(header_bytes);
  const std::size_t user_size = byte_at(value, at_user);
  if (user_size == 0 || rest.size() < user_size)
    return std::nullopt;
  out.user = rest.substr(0, user_size);
  rest.remove_prefix(user_size);
  if ((byte_at(value, at_flags) & flag_apart) != 0) {
    if (rest.size() < sizeof(content_key))
      return std::nullopt;
    out.content = rest.substr(0, sizeof(content_key));
    rest.remove_prefix(sizeof(content_key));
  }
  const auto names = names_size(rest, byte_at(value, at_acked));
  if (!names)
    return std::nullopt;
  out.acked = rest.substr(0, *names);
  out.body = rest.substr(*names);
  return out;
}

void encode_record(std::string& out, std::string_view key,
                   const core::envelope& message,
                   std::span<const std::string> acked,
                   const content_key* apart) {
  out.assign(header_bytes, '\0');
  put_number(out, at_version, record_version);
  put_number(out, at_flags, apart != nullptr ? flag_apart : std::uint8_t{0});
  put_number(out, at_type, static_cast<std::uint8_t>(message.type));
  put_number(out, at_serverid, message.serverid.to_bytes());
  const auto dedupe
    = core::make_dedupe_key(message.from, message.addressee(), message.id);
  put_number(out, at_dedupe, dedupe.a);
  put_number(out, at_dedupe + 8, dedupe.b);
  put_number(out, at_content_hash, message.content_hash());
  put_number(out, at_timestamp, message.server_timestamp);
  put_number(out, at_sender, core::stable_hash(message.from));
  put_number(out, at_weight, static_cast<std::uint32_t>(message.weight()));
  put_number(out, at_user, static_cast<std::uint8_t>(message.to.size()));
  out.append(message.to);
  if (apart != nullptr)
    out.append(apart->data(), apart->size());
  const auto names_at = out.size();
  std::uint8_t count = 0;
  for (const auto& name : acked) {
    // Twice the same would cancel out in the hash that nodes compare.
    if (count == 255 || has_name(std::string_view{out}.substr(names_at), name))
      continue;
    append_name(out, name);
    ++count;
  }
  put_number(out, at_acked, count);
  pack_body(out, message, apart != nullptr);
  put_number(out, 0, checksum(key, out));
}

void append_moved(std::string& out, std::string_view new_key,
                  std::string_view value) {
  const auto start = out.size();
  out.append(value);
  put_number(out, start, checksum(new_key, value));
}

bool encode_with_acks(std::string& out, std::string_view key,
                      const record_view& record, std::string_view value,
                      std::span<const std::string> devices) {
  std::size_t count = byte_at(value, at_acked);
  const auto before = count;
  out.assign(value.data(), record.body.data());
  for (const auto& device : devices) {
    const auto old = std::string_view{out}.substr(
      static_cast<std::size_t>(record.acked.data() - value.data()));
    if (has_name(old, device) || count == 255 || device.size() > 255)
      continue;
    append_name(out, device);
    ++count;
  }
  if (count == before)
    return false;
  out.append(record.body);
  put_number(out, at_acked, static_cast<std::uint8_t>(count));
  put_number(out, 0, checksum(key, out));
  return true;
}

core::envelope_ptr decode_envelope(const record_view& record,
                                   std::string_view content) {
  try {
    const auto refer
      = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    // No part can be larger than the whole, whatever its header declares.
    const auto size = record.body.size();
    const msgpack::unpack_limit limit{size, 0, size, size, 0, 4};
    const auto handle
      = msgpack::unpack(record.body.data(), size, refer, nullptr, limit);
    const auto& body = handle.get();
    if (body.type != msgpack::type::ARRAY || body.via.array.size < 7)
      return nullptr;
    const auto* field = body.via.array.ptr;
    auto message = std::make_shared<core::envelope>();
    message->to = record.user;
    message->serverid = record.serverid;
    message->server_timestamp = record.server_timestamp;
    message->type = record.type;
    message->id = field[0].as<std::string>();
    message->from = field[1].as<std::string>();
    message->timestamp = field[2].as<std::uint64_t>();
    message->channel
      = static_cast<enum core::channel>(field[3].as<std::uint8_t>());
    message->kind
      = static_cast<core::content_kind>(field[4].as<std::uint8_t>());
    if (field[5].type != msgpack::type::ARRAY)
      return nullptr;
    const auto& meta = field[5].via.array;
    for (std::uint32_t i = 0; i + 2 < meta.size; i += 3)
      message->meta.push_back({meta.ptr[i].as<std::string>(),
                               meta.ptr[i + 1].as<std::string>(),
                               meta.ptr[i + 2].as<bool>()});
    if (record.content)
      message->content = content;
    else if (field[6].type == msgpack::type::BIN)
      message->content.assign(field[6].via.bin.ptr, field[6].via.bin.size);
    else
      return nullptr;
    if (body.via.array.size > 7)
      message->group = field[7].as<std::string>();
    return message;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void encode_checked(std::string& out, std::string_view key,
                    std::string_view bytes) {
  out.assign(4, '\0');
  out.append(bytes);
  put_number(out, 0, checksum(key, out));
}

std::optional<std::string_view> read_checked(std::string_view key,
                                             std::string_view value) noexcept {
  if (value.size() < 4 || load<std::uint32_t>(value, 0) != checksum(key, value))
    return std::nullopt;
  return value.substr(4);
}

void encode_device(std::string& out, std::string_view key,
                   const core::device_record& record) {
  std::string bytes(33, '\0');
  put_number(bytes, 0, record_version);
  put_number(bytes, 1, record.last_seen);
  put_number(bytes, 9, record.cancelled_upto.to_bytes());
  put_number(bytes, 25, record.gap_count);
  append_target(bytes, record.push.get());
  encode_checked(out, key, bytes);
}

std::optional<core::device_record> read_device(std::string_view key,
                                               std::string_view name,
                                               std::string_view value) {
  const auto bytes = read_checked(key, value);
  if (!bytes || bytes->size() < 33 || byte_at(*bytes, 0) != record_version)
    return std::nullopt;
  core::device_record out;
  out.name = name;
  out.last_seen = load<std::uint64_t>(*bytes, 1);
  out.cancelled_upto = core::server_id::from_bytes(
    reinterpret_cast<const std::uint8_t*>(bytes->data() + 9));
  out.gap_count = load<std::uint64_t>(*bytes, 25);
  out.push = read_target(bytes->substr(33));
  return out;
}

std::string encode_number(std::uint64_t number) {
  std::string out(8, '\0');
  put_number(out, 0, number);
  return out;
}

std::uint64_t read_number(std::string_view bytes) noexcept {
  return bytes.size() < 8 ? 0 : load<std::uint64_t>(bytes, 0);
}

} // namespace vartalap::storage
