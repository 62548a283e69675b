#pragma once

#include "net/codec.hpp"

#include <catch2/catch.hpp>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the codec's tests share.
namespace vartalap::net::testing {

inline constexpr std::uint64_t now = 1'700'000'000'123;

inline constexpr std::string_view serverid_text
  = "018c0de1f2a30001000000070000000b";

inline core::server_id serverid() {
  return *core::server_id::from_hex(serverid_text);
}

inline frame::bad bad_of(const client_frame& decoded) {
  if (const auto* bad = std::get_if<frame::bad>(&decoded))
    return *bad;
  FAIL("the frame was taken");
  return {};
}

inline frame::message message_of(const client_frame& decoded) {
  if (const auto* bad = std::get_if<frame::bad>(&decoded))
    FAIL("refused: " << bad->why);
  REQUIRE(std::holds_alternative<frame::message>(decoded));
  return std::get<frame::message>(decoded);
}

inline frame::ack ack_of(const client_frame& decoded) {
  if (const auto* bad = std::get_if<frame::bad>(&decoded))
    FAIL("refused: " << bad->why);
  REQUIRE(std::holds_alternative<frame::ack>(decoded));
  return std::get<frame::ack>(decoded);
}

inline client_frame from_json(std::string_view text,
                              const codec_limits& limits = {}) {
  return decode_json(text, limits, now);
}

inline client_frame from_msgpack(std::string_view bytes,
                                 const codec_limits& limits = {}) {
  return decode_msgpack(bytes, limits, now);
}

inline client_frame from_protobuf(std::string_view bytes,
                                  const codec_limits& limits = {}) {
  return decode_protobuf(bytes, limits, now);
}

/// The frame as the server reads it from a connection of that encoding.
inline client_frame from(encoding how, std::string_view bytes) {
  return how == encoding::msgpack    ? from_msgpack(bytes)
         : how == encoding::protobuf ? from_protobuf(bytes)
                                     : from_json(bytes);
}

/// The envelope as a mailbox would hand it to a receiver.
inline core::envelope accepted(const client_frame& decoded,
                               std::string from = "alice") {
  core::envelope result = *message_of(decoded).what;
  result.from = std::move(from);
  result.serverid = serverid();
  result.server_timestamp = now + 5;
  return result;
}

inline std::string delivery(encoding how, const core::envelope& message) {
  std::string out;
  encode_delivery(how, message, out);
  return out;
}

/// Parsed JSON to look into. RapidJSON's own comparisons recurse for ever in
/// C++20, which turns their arguments around.
class json_node {
public:
  json_node(std::shared_ptr<rapidjson::Document> root,
            const rapidjson::Value& value)
    : root_(std::move(root)), value_(&value) {
  }

  json_node operator[](const std::string& key) const {
    CAPTURE(key, text());
    REQUIRE(value_->IsObject());
    const auto found = value_->FindMember(key.c_str());
    REQUIRE(found != value_->MemberEnd());
    return {root_, found->value};
  }

  bool has(const std::string& key) const {
    return value_->IsObject() && value_->HasMember(key.c_str());
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> result;
    for (const auto& member : value_->GetObject())
      result.emplace_back(member.name.GetString(),
                          member.name.GetStringLength());
    return result;
  }

  bool is_string() const {
    return value_->IsString();
  }

  /// A string's value; anything else as JSON text.
  std::string text() const {
    if (value_->IsString())
      return {value_->GetString(), value_->GetStringLength()};
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
    value_->Accept(writer);
    return buffer.GetString();
  }

  friend bool operator==(const json_node& a, std::string_view b) {
    return a.is_string() && a.text() == b;
  }

  friend bool operator==(const json_node& a, std::uint64_t b) {
    return a.value_->IsUint64() && a.value_->GetUint64() == b;
  }

  friend bool operator==(const json_node& a, const json_node& b) {
    return a.value_->operator==(*b.value_);
  }

  friend std::ostream& operator<<(std::ostream& out, const json_node& x) {
    return out << x.text();
  }

private:
  std::shared_ptr<rapidjson::Document> root_;
  const rapidjson::Value* value_;
};

inline json_node json_of(std::string_view text) {
  auto root = std::make_shared<rapidjson::Document>();
  root->Parse<rapidjson::kParseValidateEncodingFlag
              | rapidjson::kParseIterativeFlag>(text.data(), text.size());
  INFO(text);
  REQUIRE_FALSE(root->HasParseError());
  const rapidjson::Value& value = *root;
  return {root, value};
}

inline const core::meta_entry* meta_of(const core::envelope& message,
                                       std::string_view key) {
  for (const auto& entry : message.meta) {
    if (entry.key == key)
      return &entry;
  }
  return nullptr;
}

/// `text` without blanks and line ends: goldens may be broken into lines
/// where no string of theirs has blanks.
inline std::string compact(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != ' ' && c != '\n')
      result.push_back(c);
  }
  return result;
}

/// The bytes that a golden writes as hex digits and, between apostrophes, as
/// text; blanks and line ends between them mean nothing.
inline std::string bytes_of(std::string_view golden) {
  std::string result;
  std::string digits;
  bool in_text = false;
  for (const char c : golden) {
    if (c == '\'')
      in_text = !in_text;
    else if (in_text)
      result.push_back(c);
    else if (c != ' ' && c != '\n')
      digits.push_back(c);
    if (digits.size() == 2) {
      result.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  REQUIRE(digits.empty());
  return result;
}

/// Bytes as hex digits, for a failure's report.
inline std::string hex_of(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

/// A MessagePack message around the encoded elements from `to` on.
inline std::string msgpack_message(std::string_view content) {
  std::string result = "\x96\x02\xa2m1\xa3"
                       "bob\x01";
  result.push_back('\0');
  return result.append(content);
}

} // namespace vartalap::net::testing
