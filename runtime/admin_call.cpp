#include "runtime/admin_call.hpp"

#include "runtime/admin_token.hpp"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <exception>
#include <fstream>
#include <memory>

namespace vartalap::runtime {

namespace {

std::size_t take(char* bytes, std::size_t size, std::size_t n, void* into) {
  static_cast<std::string*>(into)->append(bytes, size * n);
  return size * n;
}

/// The public key of a certificate as libcurl wants it; empty where the file
/// cannot be read, on another host, say.
std::string pin_of(const std::string& certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(
    BIO_new_file(certificate.c_str(), "r"), &BIO_free);
  if (!in)
    return {};
  const std::unique_ptr<X509, decltype(&X509_free)> from(
    PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), &X509_free);
  if (!from)
    return {};
  unsigned char* raw = nullptr;
  const auto size = i2d_PUBKEY(X509_get0_pubkey(from.get()), &raw);
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> key(
    raw, [](unsigned char* bytes) { OPENSSL_free(bytes); });
  std::array<unsigned char, 32> hash{};
  if (size <= 0
      || EVP_Digest(key.get(), static_cast<std::size_t>(size), hash.data(),
                    nullptr, EVP_sha256(), nullptr)
           != 1)
    return {};
  std::array<unsigned char, 48> text{};
  const auto chars
    = EVP_EncodeBlock(text.data(), hash.data(), static_cast<int>(hash.size()));
  return "sha256//" + std::string(text.begin(), text.begin() + chars);
}

std::string read_token(const core::node_options& node,
                       const core::auth_options& auth) {
  std::ifstream in(admin_token_path(node, auth));
  std::string token;
  in >> token;
  return token;
}

} // namespace

admin_answer
ask_admin(const core::node_options& node, const core::auth_options& auth,
          const std::string& method, const std::string& path, long seconds) {
  admin_answer out;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> call(
    curl_easy_init(), curl_easy_cleanup);
  if (!call) {
    out.problem = "libcurl does not start";
    return out;
  }
  curl_slist* lines = nullptr;
  if (method == "POST") {
    const auto token = read_token(node, auth);
    if (token.empty()) {
      out.problem = "the node's token, in " + admin_token_path(node, auth)
                    + ", cannot be read: run this where the node runs, as its "
                      "user";
      return out;
    }
    lines
      = curl_slist_append(lines, ("Authorization: Bearer " + token).c_str());
    curl_easy_setopt(call.get(), CURLOPT_POSTFIELDS, "");
  }
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
    lines, curl_slist_free_all);
  const auto url = (node.tls.admin ? "https://" : "http://") + node.admin
                   + path;
  const auto pin = node.tls.admin ? pin_of(node.tls.certificate)
                                  : std::string();
  if (!pin.empty()) {
    // Its own file says who it is; the name in it is that for clients.
    curl_easy_setopt(call.get(), CURLOPT_PINNEDPUBLICKEY, pin.c_str());
    curl_easy_setopt(call.get(), CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(call.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(call.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(call.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(call.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(call.get(), CURLOPT_WRITEDATA, &out.body);
  curl_easy_setopt(call.get(), CURLOPT_TIMEOUT, seconds);
  curl_easy_setopt(call.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(call.get(), CURLOPT_NOPROXY, "*");
  if (const auto code = curl_easy_perform(call.get()); code != CURLE_OK)
    out.problem = curl_easy_strerror(code);
  else
    curl_easy_getinfo(call.get(), CURLINFO_RESPONSE_CODE, &out.status);
  return out;
}

} // namespace vartalap::runtime
