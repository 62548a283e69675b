#include "test/integration/rig/admin_client.hpp"

#include "test/integration/rig/chat_peer.hpp"

#include <stdexcept>

namespace vartalap::integration {

http_answer admin(const server_process& server, const std::string& path) {
  return http(server.admin_port(), {.path = path});
}

double metric(const server_process& server, const std::string& name) {
  const auto page = admin(server, "/metrics").body;
  const auto line = "\nvartalap_" + name + ' ';
  const auto at = page.find(line);
  if (at == std::string::npos)
    throw std::runtime_error("no metric " + name + " in\n" + page);
  return std::stod(page.substr(at + line.size()));
}

std::string pending_of(const server_process& server, const std::string& user) {
  return json_at(admin(server, "/users/" + user).body, "/pending");
}

bool becomes_empty(const server_process& server, const std::string& user) {
  return comes_true([&] { return pending_of(server, user) == "0"; });
}

bool comes_true(const std::function<bool()>& question, milliseconds limit) {
  const auto until = clock::now() + limit;
  while (clock::now() < until)
    if (question())
      return true;
  return false;
}

} // namespace vartalap::integration
