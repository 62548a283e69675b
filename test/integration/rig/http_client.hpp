#pragma once

#include "test/integration/rig/tcp_stream.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::integration {

/// What came back; status 0 where the connection ended without an answer.
struct http_answer {
  unsigned status = 0;
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body{};
};

/// Cuts an answer apart.
http_answer parse_answer(const std::string& bytes);

/// Sends these bytes as they are and reads until the server closes.
http_answer raw_http(std::uint16_t port, std::string_view bytes,
                     milliseconds limit = patience);

struct http_question {
  std::string method = "GET";
  std::string path{};
  std::string user{}; ///< header `user`; empty: none
  std::string body{};
  std::vector<std::string> headers{}; ///< whole lines, without the line break
};

/// One request on a connection of its own.
http_answer http(std::uint16_t port, const http_question& what);

} // namespace vartalap::integration
