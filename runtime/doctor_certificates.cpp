// Certificates: do they fit, and how long are they good?

#include "net/peer_tunnel_tls.hpp"
#include "net/tls_context.hpp"
#include "runtime/doctor_checks.hpp"
#include "runtime/peer_identity.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <exception>
#include <filesystem>
#include <memory>
#include <optional>

namespace vartalap::runtime {

namespace {

/// Renewal is forgotten for a weekend, not for a month.
constexpr int soon_days = 30;

/// The time of a certificate.
struct validity {
  bool has_begun = true;
  int days_left = 0;
  bool is_over = false;
};

std::optional<validity> validity_of(const std::string& path) {
  const std::unique_ptr<::BIO, decltype(&::BIO_free)> in(
    ::BIO_new_file(path.c_str(), "r"), &::BIO_free);
  if (!in)
    return std::nullopt;
  const std::unique_ptr<::X509, decltype(&::X509_free)> from(
    ::PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), &::X509_free);
  if (!from)
    return std::nullopt;
  validity out;
  int seconds = 0;
  // From now, which is what a null pointer stands for.
  if (::ASN1_TIME_diff(&out.days_left, &seconds, nullptr,
                       ::X509_get0_notAfter(from.get()))
      != 1)
    return std::nullopt;
  out.is_over = out.days_left <= 0 && seconds <= 0;
  out.has_begun = ::X509_cmp_current_time(::X509_get0_notBefore(from.get()))
                  < 0;
  return out;
}

/// How long a certificate is good that fits otherwise.
finding told_of_time(const std::string& path, const std::string& mend) {
  const auto found = validity_of(path);
  if (!found)
    return {false, path + " is not there, or no certificate in PEM: " + mend};
  if (!found->has_begun)
    return {false, path
                     + " is not good yet; is the clock right? timedatectl "
                       "status, or "
                     + mend};
  if (found->is_over)
    return {false, path + " has expired: " + mend};
  const auto text = path + " is good for " + std::to_string(found->days_left)
                    + " days";
  if (found->days_left < soon_days)
    return {false, text + " only: " + mend};
  return {true, text};
}

findings look_at_peers(const patient& who) {
  const auto& name = who.node.name;
  try {
    const auto settings = tunnel_settings_of(who.options, who.node);
    const auto folder = std::filesystem::path(settings.ca_file).parent_path();
    const auto renew = "vartalap certs node " + name + " --dir "
                       + folder.string()
                       + " --force, where ca.key is, then systemctl reload "
                         "vartalap";
    findings out{
      told_of_time(settings.certificate_file, renew),
      told_of_time(settings.ca_file,
                   "vartalap certs init in a new folder, and give its "
                   "authority to all nodes as docs/cluster.md says")};
    // What is over does not fit either, which would be said twice.
    if (out.front().is_fine && out.back().is_fine) {
      const auto context = net::make_tunnel_context(settings);
      net::check_own_certificate(*context, settings);
      out.front().text += ", for " + name + ", and fits its key and authority";
    }
    return out;
  } catch (const std::exception& problem) {
    return {{false, problem.what()}};
  }
}

finding look_at_clients(const core::node_tls_options& tls) {
  try {
    net::tls_context{tls.certificate, tls.key};
    return told_of_time(tls.certificate,
                        "sudo certbot renew, or as you made it; then systemctl "
                        "reload vartalap");
  } catch (const std::exception& problem) {
    return {false, problem.what()};
  }
}

} // namespace

findings look_at_certificates(const patient& who) {
  findings out;
  if (who.options.nodes.size() > 1 && who.options.peers.has_tls())
    out = look_at_peers(who);
  if (who.node.tls.wanted())
    out.push_back(look_at_clients(who.node.tls));
  return out;
}

} // namespace vartalap::runtime
