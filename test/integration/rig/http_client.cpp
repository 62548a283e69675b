#include "test/integration/rig/http_client.hpp"

#include <algorithm>
#include <cctype>

namespace vartalap::integration {

http_answer parse_answer(const std::string& bytes) {
  http_answer out;
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string::npos || bytes.rfind("HTTP/1.1 ", 0) != 0)
    return out;
  out.status = static_cast<unsigned>(std::stoul(bytes.substr(9, 3)));
  out.body = bytes.substr(end + 4);
  auto at = bytes.find("\r\n");
  while (at < end) {
    const auto begin = at + 2;
    at = bytes.find("\r\n", begin);
    const auto colon = bytes.find(':', begin);
    if (colon >= at)
      continue;
    auto name = bytes.substr(begin, colon - begin);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    out.headers[name] = bytes.substr(colon + 2, at - colon - 2);
  }
  return out;
}

http_answer raw_http(std::uint16_t port, std::string_view bytes,
                     milliseconds limit) {
  tcp_stream stream(port);
  stream.send(bytes, limit);
  std::string text;
  const auto until = clock::now() + limit;
  while (clock::now() < until)
    if (stream.receive(text, limit) != tcp_stream::got::bytes)
      break;
  return parse_answer(text);
}

http_answer http(std::uint16_t port, const http_question& what) {
  std::string text = what.method + ' ' + what.path
                     + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port)
                     + "\r\n";
  if (!what.user.empty())
    text += "user: " + what.user + "\r\n";
  for (const auto& line : what.headers)
    text += line + "\r\n";
  if (!what.body.empty() || what.method == "POST" || what.method == "PUT")
    text += "Content-Type: application/json\r\nContent-Length: "
            + std::to_string(what.body.size()) + "\r\n";
  return raw_http(port, text + "\r\n" + what.body,
                  // The server answers by itself after 30 s.
                  milliseconds{35'000});
}

} // namespace vartalap::integration
