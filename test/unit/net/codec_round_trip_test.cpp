#include "net/codec_json_text.hpp"
#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

/// Makes random JSON and frames; the same seed makes the same.
class generator {
public:
  explicit generator(unsigned seed) : random_(seed) {
  }

  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random_);
  }

  std::string word() {
    static const std::vector<std::string> pieces{
      "a", "Z", "é", "😀", "\"", "\\", "/", "\n", "\t", " ", "\x7f", "ключ"};
    std::string result = "w";
    for (std::size_t i = below(6); i > 0; --i)
      result += pieces[below(pieces.size())];
    return result;
  }

  std::string json(unsigned depth = 4) {
    std::string out;
    switch (below(depth == 0 ? 5 : 7)) {
      case 0:
        return "null";
      case 1:
        return below(2) == 0 ? "true" : "false";
      case 2:
        return std::to_string(below(100000));
      case 3:
        return "-1.25e-3";
      case 4:
        json::append_string(word(), out);
        return out;
      case 5:
        return array(depth);
      default:
        return object(depth);
    }
  }

  std::string frame() {
    std::string out = R"({"_v":2.1,"id":"m1","head":{"type":"group","to":"g")";
    for (std::size_t i = below(5); i > 0; --i)
      member("h" + std::to_string(i), out);
    out += R"(},"meta":{"createdAt":1700000000000)";
    for (std::size_t i = below(5); i > 0; --i)
      member("k" + std::to_string(i), out);
    return out + R"(},"body":)" + json() + "}";
  }

private:
  void member(const std::string& key, std::string& out) {
    out += ",\"" + key + "\":" + json(2);
  }

  std::string array(unsigned depth) {
    std::string out = "[";
    for (std::size_t i = below(4); i > 0; --i)
      out += json(depth - 1) + (i > 1 ? "," : "");
    return out + "]";
  }

  std::string object(unsigned depth) {
    std::string out = "{";
    for (std::size_t i = below(4); i > 0; --i) {
      json::append_string(word() + std::to_string(i), out);
      out += ":" + json(depth - 1) + (i > 1 ? "," : "");
    }
    return out + "}";
  }

  std::mt19937 random_;
};

/// The envelope that a client gets by sending back what it was delivered.
core::envelope resent(encoding how, const core::envelope& message) {
  const auto bytes = delivery(how, message);
  return accepted(from(how, bytes));
}

} // namespace

TEST_CASE("codec keeps content and meta of JSON through JSON") {
  for (unsigned seed = 0; seed < 500; ++seed) {
    const auto frame = generator{seed}.frame();
    CAPTURE(seed, frame);
    const auto before = accepted(from_json(frame));
    const auto sent = json_of(frame);
    for (const auto how : {encoding::json, encoding::json_v2}) {
      const auto got = json_of(delivery(how, before));
      REQUIRE(got["body"] == sent["body"]);
      for (const auto* part : {"head", "meta"}) {
        for (const auto& key : sent[part].keys()) {
          CAPTURE(key);
          if (key != "type")
            REQUIRE(got[part][key] == sent[part][key]);
        }
      }
    }
  }
}

TEST_CASE("codec keeps content through JSON, a binary encoding and JSON") {
  const auto binary = GENERATE(encoding::msgpack, encoding::protobuf);
  for (unsigned seed = 0; seed < 500; ++seed) {
    const auto frame = generator{seed}.frame();
    CAPTURE(seed, frame);
    const auto before = accepted(from_json(frame));
    const auto after = resent(binary, before);
    REQUIRE(after.kind == core::content_kind::bin);
    REQUIRE(after.content == before.content);
    REQUIRE(after.timestamp == before.timestamp);
    REQUIRE(after.channel == before.channel);
    const auto sent = json_of(frame);
    const auto got = json_of(delivery(encoding::json_v2, after));
    REQUIRE(got["body"] == sent["body"]);
    REQUIRE(got["meta"]["createdAt"] == 1700000000000);
    for (const auto* part : {"head", "meta"}) {
      for (const auto& key : sent[part].keys()) {
        CAPTURE(key);
        if (key == "type" || key == "createdAt")
          continue;
        // Strings stay; everything else has become its JSON text.
        REQUIRE(got[part][key].is_string());
        if (sent[part][key].is_string())
          REQUIRE(got[part][key] == sent[part][key]);
        else
          REQUIRE(json_of(got[part][key].text()) == sent[part][key]);
      }
    }
  }
}

TEST_CASE("codec changes nothing more after the first delivery") {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto frame = generator{seed}.frame();
    CAPTURE(seed, frame);
    for (const auto how : {encoding::json, encoding::json_v2, encoding::msgpack,
                           encoding::protobuf}) {
      const auto first = resent(how, accepted(from_json(frame)));
      const auto second = resent(how, first);
      REQUIRE(second.content == first.content);
      REQUIRE(second.kind == first.kind);
      REQUIRE(second.meta == first.meta);
      REQUIRE(delivery(how, second) == delivery(how, first));
    }
  }
}

TEST_CASE("codec maps meta keys both ways") {
  const auto message
    = accepted(from_json(R"({"id":"m1","head":{"to":"bob","k":"h"},)"
                         R"("meta":{"k":"m","n":5},"body":{}})"));
  const auto how = GENERATE(encoding::msgpack, encoding::protobuf);
  const auto binary = resent(how, message);
  REQUIRE(meta_of(binary, "k")->value == "h");
  REQUIRE(meta_of(binary, "_m.k")->value == "m");
  REQUIRE(meta_of(binary, "_m.n")->value == "5");
  REQUIRE_FALSE(meta_of(binary, "_m.n")->is_json);
  const auto json = json_of(delivery(encoding::json, binary));
  REQUIRE(json["head"]["k"] == "h");
  REQUIRE(json["meta"]["k"] == "m");
  REQUIRE(json["meta"]["n"] == "5");
}

TEST_CASE("codec keeps the type of a message in every encoding") {
  for (const auto* word : {"text", "Notification", "CUSTOM", "image"}) {
    auto message = accepted(
      from_json(std::string{R"({"id":"m1","head":{"to":"bob","contentType":")"}
                + word + R"("},"body":{}})"));
    for (const auto how : {encoding::msgpack, encoding::protobuf,
                           encoding::json, encoding::json_v2}) {
      const auto type = message.type;
      message = resent(how, message);
      REQUIRE(message.type == type);
      REQUIRE(meta_of(message, "contentType")->value == word);
    }
  }
}

TEST_CASE("codec keeps MessagePack content through MessagePack") {
  const auto bytes = msgpack_message("\x82\xa1"
                                     "a\x93\x01\xc4\x01z\xd4\x05\x01\x07\xc3");
  const auto first = accepted(from_msgpack(bytes));
  const auto second = resent(encoding::msgpack, first);
  REQUIRE(second.content == first.content);
  REQUIRE(second.kind == first.kind);
}
