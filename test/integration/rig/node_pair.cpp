#include "test/integration/rig/node_pair.hpp"

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/command_process.hpp"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace vartalap::integration {

namespace {

std::string make_folder() {
  auto text = (std::filesystem::temp_directory_path() / "vartalap-pair-XXXXXX")
                .string();
  if (::mkdtemp(text.data()) == nullptr)
    throw std::runtime_error("no temporary folder");
  return text;
}

std::string name_of(std::size_t node) {
  return "n" + std::to_string(node + 1);
}

} // namespace

node_pair::node_pair(trust how)
  : folder_(make_folder()), peer_ports_{free_port(), free_port()} {
  std::ofstream out(folder_ + "/cluster.toml");
  out << "[replication]\nreplicas = 1\n[limits]\nmessage_rate = 0\n"
         "[runtime]\nshards = 2\n";
  if (how == trust::secret) {
    make_secret();
    out << "[cluster]\nsecret_file = \"secret\"\n";
  } else {
    make_certificates();
    out << "[cluster.tls]\nca = \"certs/ca.pem\"\n"
           "certificate = \"certs/{node}.pem\"\nkey = "
           "\"certs/{node}.key\"\n";
  }
  std::vector<node_place> places;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    places.emplace_back(folder_, name_of(i), free_port(), free_port());
    const auto at = [](std::uint16_t port) {
      return "\"127.0.0.1:" + std::to_string(port) + "\"\n";
    };
    out << "[[node]]\nname = \"" << places[i].name
        << "\"\nclient = " << at(places[i].port)
        << "admin = " << at(places[i].admin_port)
        << "peer = " << at(peer_ports_[i]) << "data = \"" << places[i].name
        << "\"\n";
  }
  out.close();
  for (std::size_t i = 0; i < places.size(); ++i)
    nodes_[i] = std::make_unique<server_process>(places[i]);
  for (std::size_t i = 0; i < places.size(); ++i) {
    nodes_[i]->wait_until_ready();
    // While homes still move a message may come twice.
    const auto settled = [&] {
      // Calm comes first: with it come the links' metrics.
      return metric(*nodes_[i], "cluster_calm") == 1 && link(i, "up") == 1
             && metric(*nodes_[i], "buckets_claimed") == 0;
    };
    if (!comes_true(settled, 3 * patience))
      throw std::runtime_error("the nodes do not settle:\n" + nodes_[i]->log());
  }
}

node_pair::~node_pair() {
  nodes_ = {};
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

double node_pair::link(std::size_t node, const std::string& what) {
  return metric(*nodes_[node],
                "link_" + what + "{peer=\"" + name_of(1 - node) + "\"}");
}

void node_pair::make_certificates() const {
  const auto certs = folder_ + "/certs";
  const auto run = [](const std::vector<std::string>& arguments) {
    const auto end = run_command(arguments);
    if (end.status != 0)
      throw std::runtime_error("no certificates: " + end.output);
  };
  run({"certs", "init", "--dir", certs});
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    run({"certs", "node", name_of(i), "--dir", certs});
}

void node_pair::make_secret() const {
  const auto path = folder_ + "/secret";
  std::ofstream(path) << shared_secret << '\n';
  ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
}

} // namespace vartalap::integration
