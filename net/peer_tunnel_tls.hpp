#pragma once

#include "net/peer_tunnel.hpp"

#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

namespace vartalap::net {

/// What a node's tunnels need for TLS: version 1.3 only, its own certificate,
/// and a peer that has one of the same CA. No session is ever resumed.
/// @throws std::runtime_error with text for the operator, naming the file.
std::shared_ptr<boost::asio::ssl::context>
make_tunnel_context(const tunnel_settings& settings);

/// Looks at a node's own certificate as its peers will: signed by one of the
/// authorities, in its time, and made for this node.
/// @throws std::runtime_error with text for the operator, naming the file.
void check_own_certificate(boost::asio::ssl::context& context,
                           const tunnel_settings& settings);

/// The DNS names of the peer's certificate, which the handshake has verified.
std::vector<std::string> certified_names(::SSL* session);

/// What is wrong with the certificate that the peer has shown in a handshake
/// that failed; empty: nothing, or it has shown none.
std::string certificate_problem(::SSL* session);

/// Bytes that only the two ends of this session know; empty if OpenSSL fails.
std::string session_key(::SSL* session);

} // namespace vartalap::net
