#include "net/peer_tunnel_tls.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace vartalap::net {

namespace {

namespace ssl = boost::asio::ssl;

[[noreturn]] void fail(const std::string& what, const std::string& path,
                       const std::string& why) {
  throw std::runtime_error("cluster.tls." + what + ": " + path + ": " + why);
}

/// Files that are missing or open to others have clearer words than OpenSSL's.
void check_file(const std::string& what, const std::string& path) {
  struct ::stat status {};
  if (::stat(path.c_str(), &status) != 0)
    fail(what, path,
         std::string(std::strerror(errno))
           + ": make the cluster's certificates with `vartalap certs init` "
             "and `vartalap certs node NAME`");
  if (what == "key" && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    fail(what, path, "others may read it: chmod 600 " + path);
}

void check(const std::string& what, const std::string& path,
           const boost::system::error_code& ec) {
  if (ec)
    fail(what, path,
         ec.message()
           + ": is it PEM, as `vartalap certs node NAME` writes it?");
}

} // namespace

std::shared_ptr<ssl::context>
make_tunnel_context(const tunnel_settings& settings) {
  check_file("ca", settings.ca_file);
  check_file("certificate", settings.certificate_file);
  check_file("key", settings.key_file);
  auto context = std::make_shared<ssl::context>(ssl::context::tls);
  auto* raw = context->native_handle();
  if (::SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) != 1
      || ::SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) != 1)
    throw std::runtime_error("OpenSSL offers no TLS 1.3");
  ::SSL_CTX_set_num_tickets(raw, 0);
  ::SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  boost::system::error_code ec;
  context->load_verify_file(settings.ca_file, ec);
  check("ca", settings.ca_file, ec);
  // The key first: so one that does not fit is found below, in our words.
  context->use_private_key_file(settings.key_file, ssl::context::pem, ec);
  check("key", settings.key_file, ec);
  context->use_certificate_chain_file(settings.certificate_file, ec);
  check("certificate", settings.certificate_file, ec);
  if (::SSL_CTX_check_private_key(raw) != 1)
    fail("key", settings.key_file,
         "is not the key of " + settings.certificate_file);
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  ::ERR_clear_error();
  return context;
}

namespace {

/// The DNS names of a certificate.
std::vector<std::string> names_of(const ::X509* certificate) {
  std::vector<std::string> out;
  const std::unique_ptr<::GENERAL_NAMES, decltype(&::GENERAL_NAMES_free)> names(
    static_cast<::GENERAL_NAMES*>(
      ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
    &::GENERAL_NAMES_free);
  if (!names)
    return out;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS)
      continue;
    const auto* text = ::ASN1_STRING_get0_data(name->d.dNSName);
    out.emplace_back(text, text + ::ASN1_STRING_length(name->d.dNSName));
  }
  return out;
}

} // namespace

void check_own_certificate(ssl::context& context,
                           const tunnel_settings& settings) {
  auto* const raw = context.native_handle();
  auto* const own = ::SSL_CTX_get0_certificate(raw);
  STACK_OF(X509)* chain = nullptr;
  ::SSL_CTX_get0_chain_certs(raw, &chain);
  const std::unique_ptr<::X509_STORE_CTX, decltype(&::X509_STORE_CTX_free)>
    verdict(::X509_STORE_CTX_new(), &::X509_STORE_CTX_free);
  if (!verdict
      || ::X509_STORE_CTX_init(verdict.get(), ::SSL_CTX_get_cert_store(raw),
                               own, chain)
           != 1)
    throw std::runtime_error("OpenSSL cannot look at certificates");
  const auto remedy = ": make one with `vartalap certs node " + settings.me
                      + "`";
  const bool good = ::X509_verify_cert(verdict.get()) == 1;
  ::ERR_clear_error();
  if (!good)
    fail("certificate", settings.certificate_file,
         std::string("is not good by the authority in ") + settings.ca_file
           + " ("
           + ::X509_verify_cert_error_string(
             ::X509_STORE_CTX_get_error(verdict.get()))
           + ")" + remedy);
  const auto names = names_of(own);
  if (std::find(names.begin(), names.end(), settings.me) == names.end())
    fail("certificate", settings.certificate_file,
         "is not for " + settings.me + remedy);
}

std::vector<std::string> certified_names(::SSL* session) {
  const std::unique_ptr<::X509, decltype(&::X509_free)> certificate(
    ::SSL_get1_peer_certificate(session), &::X509_free);
  if (!certificate)
    return {};
  return names_of(certificate.get());
}

std::string certificate_problem(::SSL* session) {
  // OpenSSL's queue of errors begins with the innermost one, such as "EVP lib".
  const auto verdict = ::SSL_get_verify_result(session);
  if (verdict == X509_V_OK)
    return {};
  return std::string("its certificate is not good (")
         + ::X509_verify_cert_error_string(verdict)
         + "): give all nodes certificates of one authority, which "
           "`vartalap certs init` makes";
}

std::string session_key(::SSL* session) {
  constexpr std::string_view label = "EXPORTER-vartalap-tunnel";
  std::array<unsigned char, 32> out{};
  if (::SSL_export_keying_material(session, out.data(), out.size(),
                                   label.data(), label.size(), nullptr, 0, 0)
      != 1)
    return {};
  return {out.begin(), out.end()};
}

} // namespace vartalap::net
