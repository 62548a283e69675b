#include "net/http_message.hpp"

#include <boost/beast/http/status.hpp>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace vartalap::net {

namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/// @returns False where an escape is broken or a NUL would be in the text.
bool percent_decode(std::string_view in, bool plus_is_space, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < in.size(); ++i) {
    auto c = in[i];
    if (c == '%') {
      if (i + 2 >= in.size())
        return false;
      const auto high = hex_value(in[i + 1]);
      const auto low = hex_value(in[i + 2]);
      if (high < 0 || low < 0)
        return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0')
      return false;
    out.push_back(c);
  }
  return true;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

} // namespace

std::string_view http_request::header(const std::string& name) const {
  const auto i = headers.find(name);
  return i == headers.end() ? std::string_view{} : i->second;
}

std::string_view http_request::param(const std::string& name,
                                     std::string_view fallback) const {
  const auto i = query.find(name);
  return i == query.end() ? fallback : i->second;
}

http_response http_error(unsigned status, std::string_view code,
                         std::string_view why) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](std::string_view value) {
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  json.Key("statusCode");
  json.Uint(status);
  json.Key("error");
  text(status_text(status));
  json.Key("message");
  text(why);
  json.Key("code");
  text(code);
  json.EndObject();
  http_response out;
  out.status = status;
  out.body.assign(buffer.GetString(), buffer.GetSize());
  return out;
}

std::string_view status_text(unsigned status) noexcept {
  const auto text = boost::beast::http::obsolete_reason(
    boost::beast::http::int_to_status(status));
  return {text.data(), text.size()};
}

bool parse_target(std::string_view target, http_request& into) {
  const auto question = target.find('?');
  auto path = target.substr(0, question);
  if (path.substr(0, 6) == "/v1.0/")
    path.remove_prefix(5);
  if (path.empty() || path.front() != '/'
      || !percent_decode(path, false, into.path))
    return false;
  if (question == std::string_view::npos)
    return true;
  auto rest = target.substr(question + 1);
  while (!rest.empty()) {
    const auto amp = rest.find('&');
    const auto pair = rest.substr(0, amp);
    rest = amp == std::string_view::npos ? std::string_view{}
                                         : rest.substr(amp + 1);
    const auto equals = pair.find('=');
    std::string name;
    std::string value;
    if (!percent_decode(pair.substr(0, equals), true, name))
      return false;
    if (equals != std::string_view::npos
        && !percent_decode(pair.substr(equals + 1), true, value))
      return false;
    if (!name.empty())
      into.query.insert_or_assign(std::move(name), std::move(value));
  }
  return true;
}

void parse_cookies(std::string_view header, http_request& into) {
  while (!header.empty()) {
    const auto end = header.find(';');
    const auto pair = trim(header.substr(0, end));
    header = end == std::string_view::npos ? std::string_view{}
                                           : header.substr(end + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      continue;
    into.cookies.emplace(std::string(trim(pair.substr(0, equals))),
                         std::string(trim(pair.substr(equals + 1))));
  }
}

} // namespace vartalap::net
