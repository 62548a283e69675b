#include "runtime/certs.hpp"

#include "runtime/secret_file.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace vartalap::runtime {

namespace {

constexpr long ca_days = 3650;
constexpr long day_seconds = 24L * 3600;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const noexcept {
    Free(what);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using extension_ptr
  = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;

[[noreturn]] void fail_openssl(const std::string& doing) {
  throw std::runtime_error("cannot " + doing + ": "
                           + ERR_error_string(ERR_get_error(), nullptr));
}

void check(bool is_fine, const std::string& doing) {
  if (!is_fine)
    fail_openssl(doing);
}

std::string path_of(const certs_request& request, const std::string& name) {
  return (std::filesystem::path(request.directory) / name).string();
}

/// Writes a new file of that mode; an existing one only with --force.
void write_file(const certs_request& request, const std::string& name,
                std::string_view text, ::mode_t mode) {
  const auto path = path_of(request, name);
  if (request.force)
    ::unlink(path.c_str());
  if (!write_new_file(path, text, mode))
    throw std::runtime_error(path + " is there already: --force replaces it");
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string to_pem(X509* cert) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(out.get(), cert) == 1, "write a certificate");
  return text_of(out.get());
}

std::string to_pem(EVP_PKEY* key) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr,
                                 nullptr)
          == 1,
        "write a key");
  return text_of(out.get());
}

bio_ptr open_pem(const std::string& path) {
  bio_ptr in(BIO_new_file(path.c_str(), "r"));
  if (!in)
    throw std::runtime_error("cannot read " + path
                             + ": run `vartalap certs init` first, or name its "
                               "folder with --dir");
  return in;
}

key_ptr make_key() {
  key_ptr key(EVP_EC_gen("P-256"));
  check(key != nullptr, "make a key");
  return key;
}

void add_extension(X509* cert, X509* issuer, int kind,
                   const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  const extension_ptr made(
    X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  check(made != nullptr && X509_add_ext(cert, made.get(), -1) == 1,
        "write " + value + " into a certificate");
}

/// A certificate for `key`, not signed yet.
cert_ptr start_certificate(EVP_PKEY* key, const std::string& common_name,
                           long days) {
  cert_ptr cert(X509_new());
  check(cert != nullptr && X509_set_version(cert.get(), 2) == 1,
        "make a certificate");
  unsigned char serial[16];
  check(RAND_bytes(serial, sizeof serial) == 1, "make a serial number");
  serial[0] &= 0x7f; // positive
  const std::unique_ptr<BIGNUM, freed_by<BN_free>> number(
    BN_bin2bn(serial, sizeof serial, nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert.get()));
  // A clock that is an hour behind takes it, too.
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), days * day_seconds);
  check(X509_set_pubkey(cert.get(), key) == 1, "make a certificate");
  auto* name = X509_get_subject_name(cert.get());
  check(X509_NAME_add_entry_by_txt(
          name, "CN", MBSTRING_UTF8,
          reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
          0)
          == 1,
        "name a certificate");
  return cert;
}

bool is_node_name(const std::string& name) {
  constexpr std::string_view allowed
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= 64 && name != "ca"
         && name.find_first_not_of(allowed) == std::string::npos;
}

} // namespace

void make_authority(const certs_request& request) {
  std::filesystem::create_directories(request.directory);
  const auto key = make_key();
  auto cert = start_certificate(key.get(), "vartalap cluster CA", ca_days);
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  add_extension(cert.get(), cert.get(), NID_basic_constraints,
                "critical,CA:TRUE,pathlen:0");
  add_extension(cert.get(), cert.get(), NID_key_usage,
                "critical,keyCertSign,cRLSign");
  add_extension(cert.get(), cert.get(), NID_subject_key_identifier, "hash");
  check(X509_sign(cert.get(), key.get(), EVP_sha256()) > 0,
        "sign a certificate");
  write_file(request, "ca.key", to_pem(key.get()), 0600);
  write_file(request, "ca.pem", to_pem(cert.get()), 0644);
}

void make_node_certificate(const certs_request& request) {
  if (!is_node_name(request.node))
    throw std::runtime_error("\"" + request.node
                             + "\" is no name of a node: use 1 to 64 of A-Z "
                               "a-z 0-9 . _ -, and not `ca`");
  const auto ca_in = open_pem(path_of(request, "ca.pem"));
  const cert_ptr ca(PEM_read_bio_X509(ca_in.get(), nullptr, nullptr, nullptr));
  const auto key_in = open_pem(path_of(request, "ca.key"));
  const key_ptr ca_key(
    PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr));
  check(ca != nullptr && ca_key != nullptr,
        "read the authority in " + request.directory);
  const auto key = make_key();
  auto cert = start_certificate(key.get(), request.node,
                                static_cast<long>(request.days));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(ca.get()));
  add_extension(cert.get(), ca.get(), NID_basic_constraints,
                "critical,CA:FALSE");
  add_extension(cert.get(), ca.get(), NID_key_usage,
                "critical,digitalSignature");
  add_extension(cert.get(), ca.get(), NID_ext_key_usage,
                "serverAuth,clientAuth");
  // Tells authorities apart where a node trusts an old one and a new one.
  add_extension(cert.get(), ca.get(), NID_authority_key_identifier, "keyid");
  add_extension(cert.get(), ca.get(), NID_subject_alt_name,
                "DNS:" + request.node);
  check(X509_sign(cert.get(), ca_key.get(), EVP_sha256()) > 0,
        "sign a certificate");
  write_file(request, request.node + ".key", to_pem(key.get()), 0600);
  write_file(request, request.node + ".pem", to_pem(cert.get()), 0644);
}

int run_certs_init(const certs_request& request) {
  try {
    make_authority(request);
  } catch (const std::exception& problem) {
    std::cerr << "certs: " << problem.what() << '\n';
    return 1;
  }
  const auto& dir = request.directory;
  std::cout << "made " << path_of(request, "ca.pem") << " and "
            << path_of(request, "ca.key")
            << " (keep that key off the nodes)\n"
               "next, for each node: vartalap certs node NAME --dir "
            << dir
            << "\nand in the cluster.toml of all nodes:\n\n[cluster.tls]\n"
               "ca = \""
            << dir << "/ca.pem\"\ncertificate = \"" << dir
            << "/{node}.pem\"\nkey = \"" << dir << "/{node}.key\"\n";
  return 0;
}

int run_certs_node(const certs_request& request) {
  try {
    make_node_certificate(request);
  } catch (const std::exception& problem) {
    std::cerr << "certs: " << problem.what() << '\n';
    return 1;
  }
  std::cout << "made " << path_of(request, request.node + ".pem") << " and "
            << path_of(request, request.node + ".key")
            << ": copy both and ca.pem to the node\n";
  return 0;
}

} // namespace vartalap::runtime
