#include "net/codec.hpp"
#include "net/codec_decode.hpp"
#include "net/codec_json_scan.hpp"
#include "net/codec_words.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace vartalap::net {

namespace {

using core::refusal;

/// The members of a frame that mean something, of all versions.
struct top_level {
  json::value version;
  json::value id;
  json::value head;
  json::value meta;
  json::value body;
  json::value msg_id;
  json::value to;
  json::value type;
  json::value chat_type;
  json::value module;
  json::value text;
  json::value chat_id;
  json::value chatid;
  json::value action;
  json::value state;
};

struct top_level_name {
  std::string_view key;
  json::value top_level::*member;
};

constexpr std::array<top_level_name, 15> top_level_names{{
  {"_v", &top_level::version},
  {"id", &top_level::id},
  {"head", &top_level::head},
  {"meta", &top_level::meta},
  {"body", &top_level::body},
  {"msgId", &top_level::msg_id},
  {"to", &top_level::to},
  {"type", &top_level::type},
  {"chatType", &top_level::chat_type},
  {"module", &top_level::module},
  {"text", &top_level::text},
  {"chatId", &top_level::chat_id},
  {"chatid", &top_level::chatid},
  {"action", &top_level::action},
  {"state", &top_level::state},
}};

/// What a frame's head said beside its opaque entries.
struct head_words {
  std::string to;
  std::string channel;
  std::string content_type; ///< trimmed; empty: none
};

/// Decodes one frame, step by step; a step that finds a fault notes it in
/// `bad_` and returns false, which ends decoding.
class json_decoder {
public:
  json_decoder(const codec_limits& limits, std::uint64_t now)
    : limits_(limits), now_(now), message_(std::make_shared<core::envelope>()),
      collector_(message_->meta, limits_) {
  }

  client_frame decode(std::string_view text) {
    if (!read_top_level(text) || !read_version() || !read_id()
        || !(is_v1_ ? read_flat_head() : read_head()))
      return std::move(bad_);
    const bool names_ack
      = is_same_word(words_.content_type, "CLIENT_ACK")
        || (words_.content_type.empty() && words_.to == core::server_user);
    if (names_ack) {
      frame::ack ack;
      if (!read_ack(ack))
        return std::move(bad_);
      return ack;
    }
    frame::message result;
    if (!read_message() || !read_meta() || !read_content())
      return std::move(bad_);
    if (is_state_message(*message_))
      result.state_ids = read_state_ids(message_->content);
    result.what = std::move(message_);
    return result;
  }

private:
  bool fail(std::string why, refusal code = refusal::bad_frame) {
    bad_.code = code;
    bad_.why = std::move(why);
    return false;
  }

  bool fail(json::fault why) {
    if (why == json::fault::too_deep)
      return fail("arrays and objects are nested deeper than "
                  + std::to_string(limits_.depth) + " levels");
    return fail("the frame is not JSON (RFC 8259)");
  }

  bool read_top_level(std::string_view text);
  bool read_version();
  bool read_id();
  bool read_head();
  bool read_head_entry(const json::walker& at);
  bool read_flat_head();
  bool read_word(std::string_view name, const json::value& from,
                 std::string& to);
  bool add_meta(std::string key, const json::value& from);
  bool read_ack(frame::ack& ack);
  bool read_serverid(const json::value& from, frame::ack& ack);
  bool read_message();
  bool read_meta();
  void read_created_at(const json::value& from);
  bool read_content();

  const codec_limits& limits_;
  std::uint64_t now_;
  std::shared_ptr<core::envelope> message_;
  meta_collector collector_;
  top_level top_;
  head_words words_;
  frame::bad bad_;
  bool is_v1_ = false;
};

bool is_absent(const json::value& x) noexcept {
  return !x || x.what == json::kind::null;
}

bool json_decoder::read_top_level(std::string_view text) {
  if (!core::is_utf8(text))
    return fail("the frame is not UTF-8");
  json::value root;
  if (const auto why = json::parse(text, limits_.depth, root);
      why != json::fault::none)
    return fail(why);
  if (root.what != json::kind::object)
    return fail("a frame is one JSON object, or the text ping");
  for (json::walker at{root, limits_.depth}; at.next();) {
    for (const auto& name : top_level_names) {
      if (at.key() == name.key)
        top_.*name.member = at.item();
    }
  }
  return true;
}

bool json_decoder::read_version() {
  // A version says less than the shape: a frame with a head is never flat.
  if (!is_absent(top_.version) && top_.version.what != json::kind::number)
    return fail("_v must be a number, such as 2.1");
  if (top_.head.what == json::kind::object)
    return true;
  if (!is_absent(top_.head))
    return fail("head must be an object");
  double version = 1;
  if (top_.version.what == json::kind::number)
    std::from_chars(top_.version.raw.data(),
                    top_.version.raw.data() + top_.version.raw.size(), version);
  if (version >= 2)
    return fail("head is missing; a frame of version 2 has _v, id, head, body");
  is_v1_ = true;
  return true;
}

bool json_decoder::read_id() {
  const bool flat = is_v1_ && !is_absent(top_.msg_id);
  const json::value& from = flat ? top_.msg_id : top_.id;
  const char* const name = is_v1_ ? "msgId" : "id";
  if (is_absent(from))
    return true; // an acknowledgement may do without
  if (from.what != json::kind::string) {
    // Its text helps the sender to find the frame that was refused.
    if (from.what == json::kind::number
        && from.raw.size() <= core::message_id_bytes_max)
      bad_.id = from.raw;
    return fail(std::string{name} + " must be a string");
  }
  const bool exact = json::unescape(from.raw, message_->id);
  if (!exact || !core::is_valid_id(message_->id, core::message_id_bytes_max)) {
    message_->id.clear();
    return fail(std::string{name}
                + " must be 1 to 64 bytes without control characters");
  }
  bad_.id = message_->id;
  return true;
}

/// A string member, trimmed; nothing and null leave `to` empty.
bool json_decoder::read_word(std::string_view name, const json::value& from,
                             std::string& to) {
  to.clear();
  if (is_absent(from))
    return true;
  if (from.what != json::kind::string)
    return fail(std::string{name} + " must be a string");
  std::string text;
  if (!json::unescape(from.raw, text))
    return fail(std::string{name} + " holds half a surrogate pair");
  to = trim(text);
  return true;
}

bool json_decoder::add_meta(std::string key, const json::value& from) {
  std::string text;
  // A string with a lone surrogate has no UTF-8 form: it stays JSON text.
  const bool is_text = from.what == json::kind::string
                       && json::unescape(from.raw, text);
  if (!is_text)
    text = from.raw;
  if (!collector_.add(std::move(key), std::move(text), !is_text))
    return fail(describe_meta_limits(limits_), refusal::too_large);
  return true;
}

bool json_decoder::read_head() {
  json::walker at{top_.head, limits_.depth};
  while (at.next()) {
    if (!read_head_entry(at))
      return false;
  }
  return true;
}

bool json_decoder::read_head_entry(const json::walker& at) {
  const auto key = at.key();
  const auto& item = at.item();
  if (!at.is_key_exact())
    return fail("a key of head holds half a surrogate pair");
  if (key == "type")
    return read_word("head.type", item, words_.channel);
  if (key == "contentType")
    return read_word("head.contentType", item, words_.content_type);
  if (key == "to") {
    words_.to.clear();
    if (is_absent(item))
      return true;
    if (item.what != json::kind::string || !json::unescape(item.raw, words_.to))
      return fail("head.to must be a string");
    return true;
  }
  if (key == "ephemeral") {
    if (!is_absent(item) && item.what != json::kind::boolean)
      return fail("head.ephemeral must be true or false");
    message_->ephemeral = item.raw == "true";
    return true;
  }
  if (key == "from")
    return true; // the authenticated user is the sender, whoever is named
  if (is_absent(item) && (key == "action" || key == "category"))
    return true; // the receiver gets the default
  return add_meta(std::string{key}, item);
}

bool json_decoder::read_flat_head() {
  const json::value& channel = is_absent(top_.chat_type) ? top_.module
                                                         : top_.chat_type;
  if (!read_word("chatType", channel, words_.channel)
      || !read_word("type", top_.type, words_.content_type))
    return false;
  if (!is_absent(top_.to)
      && (top_.to.what != json::kind::string
          || !json::unescape(top_.to.raw, words_.to)))
    return fail("to must be a string");
  const std::array<std::pair<const char*, json::value>, 4> entries{{
    {"action", top_.action},
    {"state", top_.state},
    {"chatId", top_.chat_id},
    {"chatid", top_.chatid},
  }};
  for (const auto& [key, item] : entries) {
    if (!is_absent(item) && !add_meta(key, item))
      return false;
  }
  return true;
}

bool json_decoder::read_serverid(const json::value& from, frame::ack& ack) {
  if (from.what == json::kind::string && from.raw.size() == 34) {
    if (const auto id = core::server_id::from_hex(from.raw.substr(1, 32));
        id && *id) {
      ack.serverids.push_back(*id);
      return true;
    }
  }
  return fail("meta.serverId must be the 32 lower-case hex digits of a "
              "delivery's meta.serverId, meta.serverIds a list of such");
}

bool json_decoder::read_ack(frame::ack& ack) {
  if (!is_absent(top_.meta) && top_.meta.what != json::kind::object)
    return fail("meta must be an object");
  if (top_.meta.what == json::kind::object) {
    json::value one;
    json::value many;
    for (json::walker at{top_.meta, limits_.depth}; at.next();) {
      if (at.key() == "serverId")
        one = at.item();
      else if (at.key() == "serverIds")
        many = at.item();
    }
    if (!is_absent(one) && !read_serverid(one, ack))
      return false;
    if (!is_absent(many)) {
      if (many.what != json::kind::array)
        return fail("meta.serverIds must be a list");
      for (json::walker at{many, limits_.depth}; at.next();) {
        if (!read_serverid(at.item(), ack))
          return false;
      }
    }
  }
  if (ack.serverids.empty() && message_->id.empty())
    return fail("a CLIENT_ACK names meta.serverId, meta.serverIds or an id");
  ack.id = std::move(message_->id);
  return true;
}

bool json_decoder::read_message() {
  if (message_->id.empty())
    return fail("the id is missing; give each message a random id and keep it "
                "for resends");
  if (words_.to.empty())
    return fail("the recipient (head.to) is missing");
  if (!core::is_valid_user(words_.to))
    return fail(words_.to == core::server_user
                  ? "server takes only CLIENT_ACK frames"
                  : "head.to must be 1 to 128 bytes without control "
                    "characters");
  message_->to = std::move(words_.to);
  message_->channel = channel_of(
    words_.channel, is_v1_ ? core::channel::individual : core::channel::other);
  message_->type = type_of(words_.content_type);
  if (message_->type != core::message_type::notification
      && message_->type != core::message_type::custom)
    message_->type = core::message_type::message;
  if (words_.content_type.empty())
    return true;
  if (!collector_.add_content_type(std::move(words_.content_type)))
    return fail(describe_meta_limits(limits_), refusal::too_large);
  return true;
}

bool json_decoder::read_meta() {
  message_->timestamp = now_;
  if (is_absent(top_.meta))
    return true;
  if (top_.meta.what != json::kind::object)
    return fail("meta must be an object");
  for (json::walker at{top_.meta, limits_.depth}; at.next();) {
    if (!at.is_key_exact())
      return fail("a key of meta holds half a surrogate pair");
    if (at.key() == "serverId" || at.key() == "serverTimestamp")
      continue; // the server's own, set when it takes the message
    if (at.key() == "createdAt")
      read_created_at(at.item());
    if (!add_meta(std::string{meta_prefix}.append(at.key()), at.item()))
      return false;
  }
  return true;
}

void json_decoder::read_created_at(const json::value& from) {
  message_->timestamp = now_;
  std::uint64_t ms = 0;
  if (from.what == json::kind::number && json::to_uint(from.raw, ms))
    message_->timestamp = ms;
}

bool json_decoder::read_content() {
  auto& content = message_->content;
  message_->kind = core::content_kind::json;
  const bool flat = is_v1_ && !top_.body;
  const std::size_t bytes = flat ? top_.text.raw.size() + 9
                                 : top_.body.raw.size();
  if (limits_.content_bytes != 0 && bytes > limits_.content_bytes)
    return fail(describe_content_limit(bytes, limits_), refusal::too_large);
  if (flat && top_.text) {
    content.reserve(bytes);
    content.append("{\"text\":").append(top_.text.raw).append("}");
  } else {
    content = top_.body ? top_.body.raw : "{}";
  }
  return true;
}

} // namespace

client_frame decode_json(std::string_view text, const codec_limits& limits,
                         std::uint64_t now) {
  if (text == "ping")
    return frame::ping{};
  return json_decoder{limits, now}.decode(text);
}

} // namespace vartalap::net
