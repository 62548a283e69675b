#include "test/integration/rig/tls_stranger.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <stdexcept>

namespace vartalap::integration {

struct tls_stranger::state {
  explicit state(std::uint16_t port)
    : stream(port),
      context(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free),
      session(::SSL_new(context.get()), &::SSL_free) {
    if (!session)
      throw std::runtime_error("no TLS session");
    // The session owns both.
    in = ::BIO_new(::BIO_s_mem());
    out = ::BIO_new(::BIO_s_mem());
    ::SSL_set_bio(session.get(), in, out);
    ::SSL_set_connect_state(session.get());
  }

  std::string produced() {
    std::string bytes(::BIO_ctrl_pending(out), '\0');
    if (!bytes.empty())
      ::BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  tcp_stream stream;
  std::unique_ptr<::SSL_CTX, decltype(&::SSL_CTX_free)> context;
  std::unique_ptr<::SSL, decltype(&::SSL_free)> session;
  ::BIO* in = nullptr;
  ::BIO* out = nullptr;
};

tls_stranger::tls_stranger(std::uint16_t port)
  : state_(std::make_unique<state>(port)) {
}

tls_stranger::~tls_stranger() = default;

bool tls_stranger::greet(bool half) {
  ::SSL_do_handshake(state_->session.get());
  const auto hello = state_->produced();
  return state_->stream.send(
    std::string_view(hello).substr(0, half ? hello.size() / 2 : hello.size()));
}

bool tls_stranger::finish_greeting() {
  auto* const session = state_->session.get();
  while (::SSL_do_handshake(session) != 1) {
    if (::SSL_get_error(session, -1) != SSL_ERROR_WANT_READ)
      return false;
    std::string bytes;
    if (!state_->stream.send(state_->produced())
        || state_->stream.receive(bytes) != tcp_stream::got::bytes)
      return false;
    ::BIO_write(state_->in, bytes.data(), static_cast<int>(bytes.size()));
  }
  return state_->stream.send(state_->produced());
}

bool tls_stranger::send(std::string_view bytes) {
  return ::SSL_write(state_->session.get(), bytes.data(),
                     static_cast<int>(bytes.size()))
           > 0
         && state_->stream.send(state_->produced());
}

std::string tls_stranger::certificate_sum() const {
  const std::unique_ptr<::X509, decltype(&::X509_free)> shown(
    ::SSL_get1_peer_certificate(state_->session.get()), &::X509_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned size = 0;
  if (!shown
      || ::X509_digest(shown.get(), ::EVP_sha256(), sum.data(), &size) != 1)
    return {};
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += digits[sum[i] >> 4U];
    out += digits[sum[i] & 15U];
  }
  return out;
}

tcp_stream& tls_stranger::stream() noexcept {
  return state_->stream;
}

} // namespace vartalap::integration
