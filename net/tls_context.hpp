#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

// OpenSSL's headers stay in the sources.
struct ssl_st;
struct ssl_ctx_st;

namespace vartalap::net {

/// TLS on one accepted socket. Reads and writes as the socket calls do, so
/// that a stream can use either: what cannot be done now sets EAGAIN. The
/// handshake happens on the way. Belongs to the socket's thread.
class tls_end {
public:
  struct free_session {
    void operator()(ssl_st* session) const noexcept;
  };
  explicit tls_end(std::unique_ptr<ssl_st, free_session> session);

  /// As ::recv: bytes, 0 at the end, -1 with errno (EAGAIN, or ECONNRESET
  /// where the peer does not speak TLS or cuts it off).
  ssize_t receive(char* into, std::size_t size);

  /// As ::send. After EAGAIN the same bytes, or those and more, are to follow.
  ssize_t send(const char* from, std::size_t size);

  /// Tells the peer that nothing more comes, as far as the socket takes it.
  void finish();

private:
  ssize_t failed(int result);

  std::unique_ptr<ssl_st, free_session> session_;
  bool broken_ = false;
};
using tls_ptr = std::unique_ptr<tls_end>;

/// A listener's certificate and key: TLS 1.2 with forward secrecy, or 1.3.
/// Any thread.
class tls_context {
public:
  /// @param certificate File with the certificate and those between it and
  ///                    its authority, in PEM.
  /// @param key File with its private key in PEM, for its owner alone.
  /// @throws std::runtime_error with a text for the operator, naming the file.
  tls_context(std::string certificate, std::string key);

  /// Reads the files again, for connections that come from now on. Those that
  /// are open go on with what they began with.
  /// @throws std::runtime_error as the constructor; nothing has changed then.
  void reload();

  /// TLS for a socket that was just accepted; null where memory has run out.
  tls_ptr accept(int fd);

private:
  std::string certificate_;
  std::string key_;
  std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;
};

} // namespace vartalap::net
