#include "net/peer_tunnel_handshake.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace vartalap::net {

namespace {

constexpr std::string_view magic = "VTL1";
constexpr std::size_t nonce_bytes = 32;
constexpr std::size_t proof_bytes = 32;
constexpr std::size_t name_bytes_max = 64;

enum kind : std::uint8_t { hello = 1, challenge, proof, welcome, refusal };
enum reason : std::uint8_t { not_me = 1, not_a_member, wrong_proof };

std::string frame(kind what, std::string_view body) {
  std::string out(magic);
  out += static_cast<char>(what);
  out += '\0';
  out += static_cast<char>(body.size() >> 8);
  out += static_cast<char>(body.size() & 0xFF);
  return out.append(body);
}

void append_name(std::string& out, const std::string& name) {
  out += static_cast<char>(name.size());
  out += name;
}

/// Takes a name off the front; empty: there is none.
std::string take_name(std::string_view& from) {
  if (from.empty())
    return {};
  const auto size = static_cast<std::uint8_t>(from.front());
  if (size > name_bytes_max || from.size() < std::size_t{1} + size)
    return {};
  std::string name(from.substr(1, size));
  from.remove_prefix(std::size_t{1} + size);
  return name;
}

const unsigned char* bytes_of(std::string_view text) {
  return static_cast<const unsigned char*>(
    static_cast<const void*>(text.data()));
}

std::string random_nonce() {
  std::array<unsigned char, nonce_bytes> out{};
  if (::RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
    throw std::runtime_error("the system gives no random bytes");
  return {out.begin(), out.end()};
}

peer_handshake::step refuse(reason why, std::string problem) {
  return {frame(refusal, std::string(1, static_cast<char>(why))),
          std::move(problem),
          why == wrong_proof ? tunnel_fault::secret : tunnel_fault::name};
}

} // namespace

peer_handshake::peer_handshake(role mine, std::string me, std::string peer,
                               std::string key, name_check refuses)
  : role_(mine), me_(std::move(me)), peer_(std::move(peer)),
    key_(std::move(key)), refuses_(std::move(refuses)),
    my_nonce_(random_nonce()),
    expected_(mine == role::dialer ? challenge : hello) {
}

std::string peer_handshake::begin() {
  if (role_ == role::acceptor)
    return {};
  std::string body;
  append_name(body, me_);
  append_name(body, peer_);
  return frame(hello, body + my_nonce_);
}

std::optional<std::size_t> peer_handshake::on_header(std::string_view header) {
  if (header.size() != header_bytes || !header.starts_with(magic)
      || header[5] != '\0')
    return std::nullopt;
  const auto what = static_cast<std::uint8_t>(header[4]);
  refused_ = what == refusal && role_ == role::dialer;
  if (what != expected_ && !refused_)
    return std::nullopt;
  const auto size = (std::size_t{static_cast<std::uint8_t>(header[6])} << 8)
                    | static_cast<std::uint8_t>(header[7]);
  if (size == 0 || size > body_bytes_max)
    return std::nullopt;
  return size;
}

peer_handshake::step peer_handshake::on_body(std::string_view body) {
  if (refused_)
    return on_refusal(body);
  switch (expected_) {
    case hello:
      return on_hello(body);
    case challenge:
      return on_challenge(body);
    case proof:
      return on_proof(body);
    default:
      return on_welcome(body);
  }
}

peer_handshake::step peer_handshake::on_hello(std::string_view body) {
  const auto dialer = take_name(body);
  const auto dialed = take_name(body);
  if (dialer.empty() || dialed.empty() || body.size() != nonce_bytes)
    return {{}, "its hello is malformed"};
  if (dialed != me_)
    return refuse(not_me, "it looks for another node");
  if (auto problem = refuses_(dialer); !problem.empty())
    return refuse(not_a_member, std::move(problem));
  peer_ = dialer;
  peer_nonce_ = body;
  expected_ = proof;
  return {.send = frame(challenge, my_nonce_)};
}

peer_handshake::step peer_handshake::on_challenge(std::string_view body) {
  if (body.size() != nonce_bytes)
    return {{}, "its challenge is malformed"};
  peer_nonce_ = body;
  expected_ = welcome;
  return {.send = frame(proof, proof_of(role::dialer))};
}

peer_handshake::step peer_handshake::on_proof(std::string_view body) {
  const auto expected = proof_of(role::dialer);
  if (body.size() != expected.size()
      || ::CRYPTO_memcmp(body.data(), expected.data(), expected.size()) != 0)
    return refuse(wrong_proof, "it does not know the cluster's secret");
  return {.send = frame(welcome, proof_of(role::acceptor)), .done = true};
}

peer_handshake::step peer_handshake::on_welcome(std::string_view body) {
  const auto expected = proof_of(role::acceptor);
  if (body.size() != expected.size()
      || ::CRYPTO_memcmp(body.data(), expected.data(), expected.size()) != 0)
    return {{},
            "it does not know the cluster's secret: copy the same secret_file "
            "to every node",
            tunnel_fault::secret};
  return {.done = true};
}

peer_handshake::step peer_handshake::on_refusal(std::string_view body) const {
  switch (static_cast<std::uint8_t>(body.front())) {
    case not_me:
      return {{},
              "the node there is not called " + peer_
                + ": compare `peer` of the nodes in cluster.toml",
              tunnel_fault::name};
    case not_a_member:
      return {{},
              "it does not take this node for " + me_
                + ", a member: use the same cluster.toml on every node, and "
                  "with [cluster.tls] a certificate made for "
                + me_ + " (`vartalap certs node " + me_ + "`)",
              tunnel_fault::name};
    default:
      return {{},
              "the secrets of the two nodes differ: copy the same "
              "secret_file to every node",
              tunnel_fault::secret};
  }
}

std::string peer_handshake::proof_of(role whose) const {
  const bool dialing = role_ == role::dialer;
  std::string text("vartalap tunnel 1");
  text += whose == role::dialer ? 'd' : 'a';
  append_name(text, dialing ? me_ : peer_);
  append_name(text, dialing ? peer_ : me_);
  text += dialing ? my_nonce_ : peer_nonce_;
  text += dialing ? peer_nonce_ : my_nonce_;
  std::array<unsigned char, proof_bytes> out{};
  unsigned size = 0;
  if (::HMAC(::EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             bytes_of(text), text.size(), out.data(), &size)
        == nullptr
      || size != out.size())
    throw std::runtime_error("OpenSSL computes no HMAC-SHA256");
  return {out.begin(), out.end()};
}

} // namespace vartalap::net
