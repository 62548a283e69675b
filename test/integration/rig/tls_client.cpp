#include "test/integration/rig/tls_client.hpp"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace vartalap::integration {

namespace {

std::string name_of(const X509* certificate) {
  std::array<char, 256> text{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                            text.data(), static_cast<int>(text.size()));
  return text.data();
}

template <class Write>
std::string written(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_mem()),
                                                     &BIO_free);
  write(to.get());
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(to.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

int connect_to(std::uint16_t port) {
  const auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const ::timeval limit{patience.count() / 1000, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  // The socket API's own way to pass any address.
  const auto* any
    = static_cast<const ::sockaddr*>(static_cast<const void*>(&at));
  if (fd < 0 || ::connect(fd, any, sizeof at) != 0) {
    ::close(fd);
    throw std::runtime_error("cannot connect");
  }
  return fd;
}

} // namespace

void write_certificate(const scratch_folder& to, const std::string& name,
                       const std::string& as) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
    EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(),
                                                         &X509_free);
  auto* x = made.get();
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, key.get());
  const std::vector<unsigned char> text(name.begin(), name.end());
  X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName,
                             MBSTRING_UTF8, text.data(),
                             static_cast<int>(text.size()), -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_sign(x, key.get(), EVP_sha256());
  const auto file = as.empty() ? name : as;
  to.write(file + ".key", written([&](BIO* out) {
             PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0,
                                      nullptr, nullptr);
           }));
  to.write(file + ".pem",
           written([x](BIO* out) { PEM_write_bio_X509(out, x); }));
}

void tls_client::free_context::operator()(SSL_CTX* context) const noexcept {
  SSL_CTX_free(context);
}

void tls_client::free_session::operator()(SSL* session) const noexcept {
  SSL_free(session);
}

tls_client::tls_client(std::uint16_t port, int version_max)
  : fd_(connect_to(port)), context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_max_proto_version(context_.get(), version_max);
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
  // Otherwise this library refuses the old versions by itself.
  SSL_CTX_set_security_level(context_.get(), 0);
  session_.reset(SSL_new(context_.get()));
  SSL_set_fd(session_.get(), fd_);
  if (SSL_connect(session_.get()) != 1) {
    ::close(fd_);
    throw std::runtime_error("no handshake");
  }
}

tls_client::~tls_client() {
  ::close(fd_);
}

std::string tls_client::server_name() const {
  const std::unique_ptr<X509, decltype(&X509_free)> found(
    SSL_get1_peer_certificate(session_.get()), &X509_free);
  return found ? name_of(found.get()) : std::string();
}

bool tls_client::send(std::string_view bytes) {
  return SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size()))
         == static_cast<int>(bytes.size());
}

bool tls_client::read_more() {
  std::array<char, 16384> buffer{};
  const auto n
    = SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size()));
  if (n > 0)
    input_.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0;
}

std::string tls_client::read_until(std::string_view part) {
  auto at = input_.find(part);
  while (at == std::string::npos && read_more())
    at = input_.find(part);
  const auto end = at == std::string::npos ? input_.size() : at + part.size();
  auto out = input_.substr(0, end);
  input_.erase(0, end);
  return out;
}

std::string tls_client::read(std::size_t size) {
  while (input_.size() < size && read_more()) {
  }
  auto out = input_.substr(0, size);
  input_.erase(0, size);
  return out;
}

http_answer https(std::uint16_t port, std::string_view bytes) {
  tls_client client(port);
  client.send(bytes);
  // Up to the end of the connection.
  return parse_answer(client.read_until(std::string(1, '\0')));
}

} // namespace vartalap::integration
