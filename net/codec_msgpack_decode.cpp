#include "net/codec.hpp"
#include "net/codec_content.hpp"
#include "net/codec_decode.hpp"
#include "net/codec_msgpack_reader.hpp"
#include "net/codec_words.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vartalap::net {

namespace {

using core::refusal;
using msgpack_view::kind;
using msgpack_view::token;

constexpr const char* malformed
  = "the frame is not one MessagePack value, cut off, or nested too deep";

/// Decodes one frame, element by element; a step that finds a fault notes it
/// in `bad_` and returns false, which ends decoding.
class msgpack_decoder {
public:
  msgpack_decoder(std::string_view bytes, const codec_limits& limits,
                  std::uint64_t now)
    : limits_(limits), bytes_(bytes), reader_(bytes), now_(now) {
  }

  client_frame decode() {
    token root;
    if (!reader_.next(root) || root.what != kind::array || root.number == 0) {
      fail("a frame is one MessagePack array that begins with its type");
      return std::move(bad_);
    }
    left_ = root.number;
    token type;
    if (!element(type))
      return std::move(bad_);
    if (type.what == kind::uint && type.number == 2)
      return decode_message();
    if (type.what == kind::uint && type.number == 1)
      return decode_ack();
    fail("the first element must be 2 (a message) or 1 (an acknowledgement)");
    return std::move(bad_);
  }

private:
  bool fail(std::string why, refusal code = refusal::bad_frame) {
    bad_.code = code;
    bad_.why = std::move(why);
    return false;
  }

  /// The next element's header; nil where the frame has no more elements.
  bool element(token& out) {
    if (left_ == 0)
      return true;
    --left_;
    return reader_.next(out) || fail(malformed);
  }

  client_frame decode_message() {
    message_ = std::make_shared<core::envelope>();
    frame::message result;
    if (!read_id() || !read_to() || !read_channel() || !read_flags()
        || !read_content() || !read_timestamp() || !read_meta() || !finish())
      return std::move(bad_);
    if (is_state_message(*message_)) {
      std::string body;
      append_content_json(*message_, body);
      result.state_ids = read_state_ids(body);
    }
    result.what = std::move(message_);
    return result;
  }

  client_frame decode_ack();
  bool read_id();
  bool read_to();
  bool read_channel();
  bool read_flags();
  bool read_content();
  bool read_timestamp();
  bool read_meta();
  bool read_meta_entry(meta_collector& collector);
  bool finish();

  const codec_limits& limits_;
  std::string_view bytes_;
  msgpack_view::reader reader_;
  std::uint64_t now_;
  std::uint64_t left_ = 0; ///< elements of the frame still to come
  std::shared_ptr<core::envelope> message_;
  frame::bad bad_;
};

client_frame msgpack_decoder::decode_ack() {
  frame::ack ack;
  token list;
  if (!element(list))
    return std::move(bad_);
  if (list.what != kind::array || list.number == 0) {
    fail("an acknowledgement is [1, [serverId, …]]");
    return std::move(bad_);
  }
  // Each serverId takes 34 bytes: a count that could not be true reserves
  // nothing.
  ack.serverids.reserve(
    std::min<std::size_t>(list.number, bytes_.size() / 34 + 1));
  for (std::uint64_t i = 0; i < list.number; ++i) {
    token item;
    if (!reader_.next(item)) {
      fail(malformed);
      return std::move(bad_);
    }
    const auto id = item.what == kind::str
                      ? core::server_id::from_hex(item.bytes)
                      : std::nullopt;
    if (!id || !*id) {
      fail("a serverId must be a str of 32 lower-case hex digits, as the "
           "delivery said it");
      return std::move(bad_);
    }
    ack.serverids.push_back(*id);
  }
  if (!finish())
    return std::move(bad_);
  return ack;
}

bool msgpack_decoder::read_id() {
  token x;
  if (!element(x))
    return false;
  if (x.what != kind::str
      || !core::is_valid_id(x.bytes, core::message_id_bytes_max))
    return fail("the id must be a str of 1 to 64 bytes of UTF-8 without "
                "control characters");
  message_->id = x.bytes;
  bad_.id = x.bytes;
  return true;
}

bool msgpack_decoder::read_to() {
  token x;
  if (!element(x))
    return false;
  if (x.what != kind::str || !core::is_valid_user(x.bytes))
    return fail("to must be a str of 1 to 128 bytes of UTF-8 without control "
                "characters, and not server");
  message_->to = x.bytes;
  return true;
}

bool msgpack_decoder::read_channel() {
  token x;
  if (!element(x))
    return false;
  message_->channel = core::channel::individual;
  if (x.what == kind::nil)
    return true;
  const bool known = x.what == kind::uint && (x.number <= 2 || x.number == 10);
  if (!known)
    return fail("channel must be 1 (individual), 2 (group) or 10 (other)");
  if (x.number != 0)
    message_->channel = static_cast<core::channel>(x.number);
  return true;
}

bool msgpack_decoder::read_flags() {
  token x;
  if (!element(x))
    return false;
  if (x.what == kind::nil)
    return true;
  const auto type = x.number >> 4;
  if (x.what != kind::uint || type > 2)
    return fail("flags must be a whole number: bit 0 ephemeral, bits 4 to 7 "
                "0 message, 1 notification, 2 custom");
  message_->ephemeral = (x.number & 1) != 0;
  if (type == 1)
    message_->type = core::message_type::notification;
  else if (type == 2)
    message_->type = core::message_type::custom;
  return true;
}

bool msgpack_decoder::read_content() {
  message_->kind = core::content_kind::msgpack;
  if (left_ == 0) {
    message_->content = '\xc0';
    return true;
  }
  --left_;
  const std::size_t begin = reader_.position();
  auto probe = reader_;
  token x;
  if (probe.next(x) && x.what == kind::bin) {
    message_->kind = core::content_kind::bin;
    reader_ = probe;
  } else if (limits_.depth == 0 || !reader_.skip(limits_.depth - 1)) {
    return fail(malformed);
  } else {
    x.bytes = bytes_.substr(begin, reader_.position() - begin);
  }
  if (limits_.content_bytes != 0 && x.bytes.size() > limits_.content_bytes)
    return fail(describe_content_limit(x.bytes.size(), limits_),
                refusal::too_large);
  message_->content = x.bytes;
  return true;
}

bool msgpack_decoder::read_timestamp() {
  token x;
  if (!element(x))
    return false;
  message_->timestamp = now_;
  if (x.what == kind::nil)
    return true;
  if (x.what == kind::uint) {
    message_->timestamp = x.number;
    return true;
  }
  // JavaScript encoders write whole numbers above 2^32 as floats.
  if (x.what == kind::real && x.real >= 0 && x.real < 0x1p64
      && std::floor(x.real) == x.real) {
    message_->timestamp = static_cast<std::uint64_t>(x.real);
    return true;
  }
  return fail("timestamp must be ms since the Unix epoch, a whole number");
}

bool msgpack_decoder::read_meta() {
  token x;
  if (!element(x))
    return false;
  if (x.what == kind::nil)
    return true;
  if (x.what != kind::map)
    return fail("meta must be a map of str to str");
  meta_collector collector{message_->meta, limits_};
  message_->meta.reserve(std::min<std::size_t>(x.number, limits_.meta_entries));
  for (std::uint64_t i = 0; i < x.number; ++i) {
    if (!read_meta_entry(collector))
      return false;
  }
  return true;
}

bool msgpack_decoder::read_meta_entry(meta_collector& collector) {
  token key;
  token value;
  if (!reader_.next(key))
    return fail(malformed);
  if (key.what != kind::str || !core::is_utf8(key.bytes))
    return fail("meta's keys must be str of UTF-8");
  if (!reader_.next(value))
    return fail(malformed);
  if (value.what != kind::str || !core::is_utf8(value.bytes))
    return fail("meta's values must be str of UTF-8; put anything else into "
                "the content");
  if (!collector.add(std::string{key.bytes}, std::string{value.bytes}, false))
    return fail(describe_meta_limits(limits_), refusal::too_large);
  return true;
}

/// Elements that a later version may add are skipped.
bool msgpack_decoder::finish() {
  for (; left_ > 0; --left_) {
    if (limits_.depth == 0 || !reader_.skip(limits_.depth - 1))
      return fail(malformed);
  }
  return reader_.at_end() || fail("there are bytes after the frame's array");
}

} // namespace

client_frame decode_msgpack(std::string_view bytes, const codec_limits& limits,
                            std::uint64_t now) {
  return msgpack_decoder{bytes, limits, now}.decode();
}

} // namespace vartalap::net
