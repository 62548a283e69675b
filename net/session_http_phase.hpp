#pragma once

#include "net/session.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <memory>

namespace vartalap::net {

/// What a session needs while it is an HTTP connection; given back when the
/// WebSocket opens.
struct session::http_phase {
  boost::beast::flat_buffer buffer{64 * core::KiB};
  boost::beast::http::request_parser<boost::beast::http::string_body> parser;
  std::shared_ptr<http_request> request;
};

} // namespace vartalap::net
