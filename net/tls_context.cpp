#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

namespace vartalap::net {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  ::ERR_clear_error();
  throw std::runtime_error("node.tls: " + path + ": " + why);
}

void check_file(const std::string& path, bool is_secret) {
  struct ::stat found {};
  if (::stat(path.c_str(), &found) != 0)
    fail(path, std::strerror(errno));
  if (is_secret && (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    fail(path, "others may read it: chmod 600 " + path);
}

/// A page can ask for its WebSocket over HTTP/1.1 only.
int choose_protocol(::SSL*, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size,
                    void*) {
  static constexpr unsigned char ours[]
    = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, size, ours, sizeof ours, offered,
                              offered_size)
      != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

std::shared_ptr<::SSL_CTX> load(const std::string& certificate,
                                const std::string& key) {
  check_file(certificate, false);
  check_file(key, true);
  std::shared_ptr<::SSL_CTX> out(::SSL_CTX_new(::TLS_server_method()),
                                 &::SSL_CTX_free);
  if (!out)
    throw std::runtime_error("OpenSSL does not start");
  auto* raw = out.get();
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
  ::SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                               | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // The stream's buffer grows and moves between two tries, and an idle
  // connection is to cost little.
  ::SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE
                            | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                            | SSL_MODE_RELEASE_BUFFERS);
  // One call takes what the socket has, not a record's header first.
  ::SSL_CTX_set_read_ahead(raw, 1);
  ::SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_alpn_select_cb(raw, &choose_protocol, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(raw, certificate.c_str()) != 1)
    fail(certificate, "is no certificate chain in PEM");
  if (::SSL_CTX_use_PrivateKey_file(raw, key.c_str(), SSL_FILETYPE_PEM) != 1)
    fail(key, "is no private key in PEM, or not that of " + certificate);
  if (::SSL_CTX_check_private_key(raw) != 1)
    fail(key, "is not the key of " + certificate);
  return out;
}

int as_int(std::size_t size) noexcept {
  return static_cast<int>(std::min<std::size_t>(
    size, static_cast<std::size_t>(std::numeric_limits<int>::max())));
}

} // namespace

void tls_end::free_session::operator()(::SSL* session) const noexcept {
  ::SSL_free(session);
}

tls_end::tls_end(std::unique_ptr<::SSL, free_session> session)
  : session_(std::move(session)) {
}

ssize_t tls_end::receive(char* into, std::size_t size) {
  ::ERR_clear_error();
  const auto n = ::SSL_read(session_.get(), into, as_int(size));
  return n > 0 ? n : failed(n);
}

ssize_t tls_end::send(const char* from, std::size_t size) {
  ::ERR_clear_error();
  const auto n = ::SSL_write(session_.get(), from, as_int(size));
  if (n > 0)
    return n;
  const auto result = failed(n);
  if (result == 0)
    errno = EPIPE;
  return -1;
}

ssize_t tls_end::failed(int result) {
  switch (::SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      if (errno == 0 || errno == EAGAIN)
        return 0;
      return -1;
    default:
      broken_ = true;
      errno = ECONNRESET;
      return -1;
  }
}

void tls_end::finish() {
  ::ERR_clear_error();
  // Never in the middle of a handshake, nor after a failure: OpenSSL forbids
  // both.
  if (!broken_ && ::SSL_is_init_finished(session_.get()) == 1)
    ::SSL_shutdown(session_.get());
}

tls_context::tls_context(std::string certificate, std::string key)
  : certificate_(std::move(certificate)), key_(std::move(key)),
    context_(load(certificate_, key_)) {
}

void tls_context::reload() {
  auto fresh = load(certificate_, key_);
  const std::lock_guard lock(mutex_);
  context_ = std::move(fresh);
}

tls_ptr tls_context::accept(int fd) {
  std::shared_ptr<::SSL_CTX> context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  std::unique_ptr<::SSL, tls_end::free_session> session(
    ::SSL_new(context.get()));
  if (!session || ::SSL_set_fd(session.get(), fd) != 1)
    return nullptr;
  ::SSL_set_accept_state(session.get());
  return std::make_unique<tls_end>(std::move(session));
}

} // namespace vartalap::net
