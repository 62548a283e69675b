// Who may read what only the node is to read.

#include "runtime/admin_token.hpp"
#include "runtime/doctor_checks.hpp"
#include "runtime/host_facts.hpp"
#include "runtime/node_auth.hpp"
#include "runtime/peer_identity.hpp"

#include <sys/stat.h>

#include <exception>
#include <filesystem>

namespace vartalap::runtime {

namespace {

namespace files = std::filesystem;

/// Runs `look`; what it throws is what is wrong.
template <class Look>
void try_to(findings& out, Look look) {
  try {
    look();
  } catch (const std::exception& problem) {
    out.push_back({false, problem.what()});
  }
}

void look_at_data(const std::string& data, findings& out) {
  struct ::stat folder {};
  if (::stat(data.c_str(), &folder) != 0)
    return; // made at the first start, as it should be
  if ((folder.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    out.push_back({false, "others may enter " + data
                            + ", which has everybody's messages: chmod 700 "
                            + data});
  std::error_code failed;
  for (files::directory_iterator each(data, failed), end;
       !failed && each != end; each.increment(failed)) {
    struct ::stat file {};
    if (::lstat(each->path().c_str(), &file) != 0
        || file.st_uid == folder.st_uid)
      continue;
    out.push_back(
      {false,
       each->path().string()
         + " belongs to another user than its folder, perhaps since "
           "the node was once started as root: sudo chown -R --reference="
         + data + " " + data});
    break;
  }
  if (failed)
    out.push_back({false, data + " cannot be looked into (" + failed.message()
                            + "): run this as root, or as the node's user"});
}

} // namespace

findings look_at_permissions(const patient& who) {
  findings out;
  const auto& [options, node, config, running] = who;
  look_at_data(node.data, out);
  struct ::stat file {};
  if (::stat(config.c_str(), &file) == 0 && (file.st_mode & S_IWOTH) != 0)
    out.push_back(
      {false, "anybody may write " + config + ": chmod o-w " + config});
  // It would be made where it is missing, which is no business of ours.
  const auto token = admin_token_path(node, options.auth);
  std::error_code hidden;
  if (!options.auth.admin_token_file.empty() || files::exists(token, hidden))
    try_to(out, [&] { load_admin_token(node, options.auth); });
  if (options.nodes.size() > 1 && !options.peers.has_tls())
    try_to(out, [&] { tunnel_settings_of(options, node); });
  auto of_this_node = options;
  of_this_node.nodes = {node};
  // Those of [node.tls] are among the certificates.
  of_this_node.nodes.front().tls = {};
  for (auto& problem : auth_file_problems(of_this_node))
    out.push_back({false, std::move(problem)});
  of_this_node.nodes = {node};
  for (auto& warning : identity_warnings(of_this_node))
    out.push_back({false, std::move(warning)});
  if (out.empty())
    out.push_back({true, "data, secrets, keys and tokens are for their owner "
                         "alone"});
  return out;
}

} // namespace vartalap::runtime
