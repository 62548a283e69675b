#pragma once

#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/integration/rig/tcp_stream.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace vartalap::integration {

/// Writes a self-signed certificate of this name, and its key, as NAME.pem and
/// NAME.key of the folder.
/// @param as In place of the name for the files.
void write_certificate(const scratch_folder& to, const std::string& name,
                       const std::string& as = {});

/// A blocking TLS connection to 127.0.0.1 that takes any certificate.
class tls_client {
public:
  /// @throws std::runtime_error where there is no handshake.
  /// @param version_max As of OpenSSL; 0: the newest.
  explicit tls_client(std::uint16_t port, int version_max = 0);
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  /// The common name of the server's certificate.
  std::string server_name() const;

  bool send(std::string_view bytes);

  /// Reads until `part` has come, and returns all up to its end; at the end of
  /// the connection, what there is.
  std::string read_until(std::string_view part);

  /// So many bytes, or fewer at the end.
  std::string read(std::size_t size);

private:
  bool read_more();

  struct free_context {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  struct free_session {
    void operator()(ssl_st* session) const noexcept;
  };
  int fd_ = -1;
  std::unique_ptr<ssl_ctx_st, free_context> context_;
  std::unique_ptr<ssl_st, free_session> session_;
  std::string input_;
};

/// One request over TLS, its bytes as they are.
http_answer https(std::uint16_t port, std::string_view bytes);

} // namespace vartalap::integration
