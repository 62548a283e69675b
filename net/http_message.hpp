#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vartalap::net {

/// One HTTP request, after its size and form were checked.
struct http_request {
  std::string method; ///< upper case
  std::string path;   ///< percent-decoded, without the prefix /v1.0
  std::map<std::string, std::string> query;   ///< percent-decoded
  std::map<std::string, std::string> headers; ///< names in lower case
  std::map<std::string, std::string> cookies;
  std::string body;
  std::string remote;  ///< address of the client, without the port
  bool secure = false; ///< came over TLS, to us or to a trusted proxy

  /// A header's value, or nothing.
  std::string_view header(const std::string& name) const;
  /// A query parameter's value, or `fallback`.
  std::string_view param(const std::string& name,
                         std::string_view fallback = {}) const;
};

struct http_response {
  unsigned status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// The error body of protocol.md, section 4.
/// @param why What is wrong, and how to mend it.
http_response http_error(unsigned status, std::string_view code,
                         std::string_view why);

/// The standard text of a status, e.g. "Not Found".
std::string_view status_text(unsigned status) noexcept;

/// Splits "/a%20b?x=1&y" into decoded path and query; drops the prefix /v1.0.
/// @returns False where an escape is broken or a NUL is in it.
bool parse_target(std::string_view target, http_request& into);

/// Splits a Cookie header. Names and values as they are: one parser, no
/// decoding, so that authentication and use cannot differ.
void parse_cookies(std::string_view header, http_request& into);

/// Called once, on the shard's thread; `handle` may keep it.
using http_reply = std::function<void(http_response)>;

} // namespace vartalap::net
