#include "net/codec_json_scan.hpp"
#include "net/codec_json_text.hpp"
#include "test/unit/net/codec_support.hpp"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <optional>

using namespace vartalap::net;
using json::fault;

namespace {

/// What RapidJSON, as an independent judge, says. It alone refuses numbers
/// beyond the range of double, which is no matter of grammar: no verdict.
std::optional<bool> judge(std::string_view text) {
  rapidjson::MemoryStream stream{text.data(), text.size()};
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> nothing;
  reader.Parse<rapidjson::kParseIterativeFlag>(stream, nothing);
  if (reader.GetParseErrorCode() == rapidjson::kParseErrorNumberTooBig)
    return std::nullopt;
  return !reader.HasParseError() && stream.Tell() == text.size();
}

bool is_ours(std::string_view text, unsigned depth = json::depth_max) {
  json::value out;
  return json::parse(text, depth, out) == fault::none;
}

std::string unescaped(std::string_view raw) {
  std::string out;
  json::unescape(raw, out);
  return out;
}

} // namespace

TEST_CASE("json::parse takes what RFC 8259 allows") {
  const auto text = GENERATE(
    as<std::string>{}, "null", "true", "false", "0", "-0", "12", "-1.5e+10",
    "1E3", "1.0", "1e999", "\"\"", "\"a\"", R"("\u00e9\n\"\\\/\b\f\r\t")",
    R"("\ud83d")", "[]", "{}", "[ ]", "{ }", "[1,[2,{\"a\":[]}],{}]",
    " \t\r\n{ \"a\" : 1 , \"b\" : [ 1 , 2 ] } \n", "{\"\":\"\"}",
    "\"a string of more than sixteen bytes, to be read in words\"");
  CAPTURE(text);
  REQUIRE(is_ours(text));
}

TEST_CASE("json::parse refuses what RFC 8259 does not allow") {
  const auto text = GENERATE(
    as<std::string>{}, "", " ", "nul", "nulll", "tru", "True", "NaN",
    "Infinity", "01", "+1", "-", "1.", ".5", "1e", "1e+", "0x10", "1 2", "'a'",
    "\"", "\"a", "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\\",
    "\"a control character \x01 behind sixteen bytes\"", "[", "]", "[1", "[1,",
    "[1,]", "[,1]", "[1 2]", "[1}", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1",
    "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1]",
    "{\"a\",1}", "{,}", "[]]", "{}{}", "// x\n1", "\xef\xbb\xbf{}");
  CAPTURE(text);
  REQUIRE_FALSE(is_ours(text));
  REQUIRE(judge(text) == false);
}

TEST_CASE("json::parse refuses a NUL wherever it stands") {
  const std::string frame = R"({"a":[1,"b"],"c":null})";
  for (std::size_t at = 0; at <= frame.size(); ++at) {
    std::string broken = frame;
    broken.insert(at, 1, '\0');
    CAPTURE(at);
    REQUIRE_FALSE(is_ours(broken));
  }
}

TEST_CASE("json::parse agrees with RapidJSON on broken and on whole texts") {
  const std::string alphabet = "{}[]\",:01-.eE\\u/ntrfalse \n\x01";
  const std::string seed_text
    = R"({"id":"m\u00311","n":[-1.5e3,0,true,null,false],"o":{"a":{}}} )";
  std::mt19937 random{20240229};
  const auto below = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
  };
  std::size_t valid = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text = seed_text;
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      if (below(2) == 0)
        text[at] = alphabet[below(alphabet.size())];
      else
        text.erase(at, 1 + below(3));
    }
    CAPTURE(text);
    REQUIRE(judge(text).value_or(is_ours(text)) == is_ours(text));
    valid += is_ours(text) ? 1 : 0;
  }
  REQUIRE(valid > 1000); // both answers were seen
}

TEST_CASE("json::parse allows exactly the depth that it is given") {
  const auto nested = [](std::size_t depth) {
    std::string text(depth, '[');
    return text.append(depth, ']');
  };
  json::value out;
  REQUIRE(json::parse(nested(32), 32, out) == fault::none);
  REQUIRE(json::parse(nested(33), 32, out) == fault::too_deep);
  REQUIRE(json::parse("1", 0, out) == fault::none);
  REQUIRE(json::parse("{}", 0, out) == fault::too_deep);
  REQUIRE(json::parse(nested(1'000'000), 32, out) == fault::too_deep);
  REQUIRE(json::parse(std::string(1'000'000, '{'), 32, out) != fault::none);
  REQUIRE(json::parse(nested(65), 1000, out) == fault::too_deep);
}

TEST_CASE("json::parse cuts blanks off and tells the kind") {
  json::value out;
  REQUIRE(json::parse(" \n[ 1 ]\t", 4, out) == fault::none);
  REQUIRE(out.raw == "[ 1 ]");
  REQUIRE(out.what == json::kind::array);
  REQUIRE(json::parse("-1", 4, out) == fault::none);
  REQUIRE(out.what == json::kind::number);
}

TEST_CASE("json::walker hands out members as they stand") {
  json::value root;
  REQUIRE(json::parse(R"({"a": 1.50 ,"b\u0031":[ 1 ], "c":"\n"})", 4, root)
          == fault::none);
  std::string seen;
  json::walker at{root, 4};
  while (at.next())
    seen.append(at.key()).append("=").append(at.item().raw).append(";");
  REQUIRE(seen == R"(a=1.50;b1=[ 1 ];c="\n";)");
  REQUIRE(at.why() == fault::none);
  REQUIRE_FALSE(at.next());
}

TEST_CASE("json::walker hands out elements in order") {
  json::value root;
  REQUIRE(json::parse("[1,[],{\"a\":2}]", 4, root) == fault::none);
  std::vector<std::string> seen;
  for (json::walker at{root, 4}; at.next();)
    seen.emplace_back(at.item().raw);
  REQUIRE(seen == std::vector<std::string>{"1", "[]", "{\"a\":2}"});
}

TEST_CASE("json::walker stops at what is broken") {
  json::walker at{{json::kind::object, R"({"a":1,"b":})"}, 4};
  REQUIRE(at.next());
  REQUIRE_FALSE(at.next());
  REQUIRE(at.why() == fault::syntax);
}

TEST_CASE("json::unescape reads every escape") {
  REQUIRE(unescaped(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  REQUIRE(unescaped(R"("\u0041\u00e9\u20AC\ud83d\ude00")") == "Aé€😀");
  REQUIRE(unescaped(R"("\u0000")") == std::string(1, '\0'));
}

TEST_CASE("json::unescape tells a lone surrogate") {
  const auto raw = GENERATE(as<std::string>{}, R"("\ud83d")", R"("\ude00")",
                            R"("\ud83dx")", R"("\ud83d\n")",
                            R"("\ud83d\ud83d")", R"("\ud83d\u0041")");
  std::string out;
  CAPTURE(raw);
  REQUIRE_FALSE(json::unescape(raw, out));
  REQUIRE(vartalap::core::is_utf8(out));
}

TEST_CASE("json::append_string writes what unescape reads") {
  std::string all;
  for (int c = 0; c < 128; ++c)
    all.push_back(static_cast<char>(c));
  all += "é€😀";
  std::string text;
  json::append_string(all, text);
  REQUIRE(is_ours(text));
  REQUIRE(judge(text) == true);
  REQUIRE(unescaped(text) == all);
}

TEST_CASE("json::append_base64 follows RFC 4648") {
  const std::pair<std::string, std::string> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"},
                                                      {"\xff\xfe\xfb", "//77"}};
  for (const auto& [bytes, expected] : rows) {
    std::string out;
    json::append_base64(bytes, out);
    REQUIRE(out == '"' + expected + '"');
  }
}

TEST_CASE("json::to_uint reads whole numbers in any spelling") {
  std::uint64_t out = 0;
  REQUIRE((json::to_uint("1700000000000", out) && out == 1700000000000));
  REQUIRE((json::to_uint("1.7e12", out) && out == 1700000000000));
  REQUIRE((json::to_uint("18446744073709551615", out) && out == UINT64_MAX));
  for (const auto* text : {"-1", "1.5", "1e30", "18446744073709551616", "x", "",
                           "1x", "nan", "inf"}) {
    CAPTURE(text);
    REQUIRE_FALSE(json::to_uint(text, out));
  }
}
