#include "net/codec_content.hpp"

#include "net/codec_json_scan.hpp"
#include "net/codec_json_text.hpp"
#include "net/codec_msgpack_reader.hpp"

namespace vartalap::net {

namespace {

using msgpack_view::kind;
using msgpack_view::reader;
using msgpack_view::token;

void append_base64_object(std::string_view bytes, std::string& out) {
  out += "{\"base64\":";
  json::append_base64(bytes, out);
  out += '}';
}

/// Writes one MessagePack value as JSON. Recurses at most
/// `content_depth_max` times: the bytes were checked before.
class json_mapper {
public:
  json_mapper(std::string_view bytes, std::string& out)
    : bytes_(bytes), reader_(bytes), out_(out) {
  }

  void value() {
    token what;
    if (!reader_.next(what))
      return;
    switch (what.what) {
      case kind::array:
        return array(what.number);
      case kind::map:
        return map(what.number);
      default:
        return scalar(what);
    }
  }

private:
  void scalar(const token& what) {
    switch (what.what) {
      case kind::boolean:
        out_ += what.number != 0 ? "true" : "false";
        break;
      case kind::uint:
        json::append_uint(what.number, out_);
        break;
      case kind::sint:
        json::append_int(static_cast<std::int64_t>(what.number), out_);
        break;
      case kind::real:
        json::append_double(what.real, out_);
        break;
      case kind::str:
        if (core::is_utf8(what.bytes))
          json::append_string(what.bytes, out_);
        else
          append_base64_object(what.bytes, out_);
        break;
      case kind::bin:
        append_base64_object(what.bytes, out_);
        break;
      case kind::ext:
        out_ += "{\"ext\":";
        json::append_int(what.ext_type, out_);
        out_ += ",\"base64\":";
        json::append_base64(what.bytes, out_);
        out_ += '}';
        break;
      default:
        out_ += "null";
    }
  }

  void array(std::uint64_t count) {
    out_ += '[';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0)
        out_ += ',';
      value();
    }
    out_ += ']';
  }

  void map(std::uint64_t count) {
    out_ += '{';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0)
        out_ += ',';
      key();
      out_ += ':';
      value();
    }
    out_ += '}';
  }

  /// A string as it is, anything else as the string of its JSON text. Each
  /// container that is a key doubles the escapes of the keys inside it, so a
  /// key inside such a key is not mapped but given as base64.
  void key() {
    const std::size_t begin = reader_.position();
    token what;
    reader probe{bytes_.substr(begin)};
    probe.next(what);
    if (what.what == kind::str && core::is_utf8(what.bytes))
      return value();
    probe = reader{bytes_.substr(begin)};
    probe.skip(msgpack_view::depth_max);
    const auto raw = bytes_.substr(begin, probe.position());
    std::string text;
    if (in_key_ && (what.what == kind::array || what.what == kind::map))
      append_base64_object(raw, text);
    else
      json_mapper{raw, text, true}.value();
    json::append_string(text, out_);
    reader_.skip(msgpack_view::depth_max);
  }

  json_mapper(std::string_view bytes, std::string& out, bool in_key)
    : bytes_(bytes), reader_(bytes), out_(out), in_key_(in_key) {
  }

  std::string_view bytes_;
  reader reader_;
  std::string& out_;
  bool in_key_ = false;
};

} // namespace

void append_msgpack_as_json(std::string_view bytes, std::string& out) {
  reader check{bytes};
  if (check.skip(content_depth_max) && check.at_end())
    json_mapper{bytes, out}.value();
  else
    append_base64_object(bytes, out);
}

void append_content_json(const core::envelope& message, std::string& out) {
  switch (message.kind) {
    case core::content_kind::json:
      out += message.content;
      break;
    case core::content_kind::msgpack:
      append_msgpack_as_json(message.content, out);
      break;
    case core::content_kind::bin: {
      json::value root;
      if (json::parse(message.content, content_depth_max, root)
            == json::fault::none
          && core::is_utf8(message.content))
        out += root.raw;
      else
        append_base64_object(message.content, out);
    }
  }
}

} // namespace vartalap::net
