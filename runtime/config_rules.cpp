#include "runtime/config_report.hpp"
#include "runtime/units_text.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>

namespace vartalap::runtime {

namespace {

std::string in_bytes(std::size_t bytes) {
  return format_size(static_cast<std::int64_t>(bytes));
}

std::string in_time(core::milliseconds time) {
  return format_duration(core::microseconds(time).count());
}

/// What a frame may have beyond its content (close code 1009 above it).
constexpr std::size_t frame_overhead = 16 * core::KiB;

void check_delivery(const core::cluster_options& options,
                    config_report& report) {
  const auto& delivery = options.delivery;
  if (delivery.spill_after > delivery.spill_max)
    report.add("delivery.spill_after",
               in_time(delivery.spill_after)
                 + " is more than spill_max = " + in_time(delivery.spill_max),
               "lower spill_after or raise spill_max");
  if (delivery.ttl <= delivery.ack_timeout)
    report.add("delivery.ttl",
               in_time(delivery.ttl) + " is no longer than ack_timeout = "
                 + in_time(delivery.ack_timeout)
                 + ": messages would expire before they are sent again",
               "raise ttl, e.g. \"30d\"");
}

void check_storage(const core::cluster_options& options,
                   config_report& report) {
  const auto& storage = options.storage;
  if (storage.journal_bytes > storage.max_bytes / 2)
    report.add("storage.journal_bytes",
               in_bytes(storage.journal_bytes)
                 + " is more than half of max_bytes = "
                 + in_bytes(storage.max_bytes),
               "lower journal_bytes or raise max_bytes");
}

void check_limits(const core::cluster_options& options, config_report& report) {
  const auto& limits = options.limits;
  const auto frame = limits.max_content_bytes + frame_overhead;
  const auto least_output = options.delivery.window_bytes + frame;
  if (limits.output_bytes < least_output)
    report.add("limits.output_bytes",
               in_bytes(limits.output_bytes)
                 + " is less than a delivery window and one frame ("
                 + in_bytes(least_output)
                 + "): a healthy client would be closed as slow",
               "set it to at least \"" + in_bytes(least_output)
                 + "\", or lower delivery.window_bytes or max_content_bytes");
  if (limits.mailbox_bytes != 0 && limits.mailbox_bytes < frame)
    report.add("limits.mailbox_bytes",
               in_bytes(limits.mailbox_bytes)
                 + " cannot hold one message of max_content_bytes = "
                 + in_bytes(limits.max_content_bytes),
               "set it to at least \"" + in_bytes(frame) + "\"");
  if (limits.memory_budget != 0 && limits.memory_budget < limits.memory_bytes)
    report.add("limits.memory_budget",
               in_bytes(limits.memory_budget)
                 + " is less than memory_bytes of one mailbox = "
                 + in_bytes(limits.memory_bytes),
               "raise memory_budget or lower memory_bytes");
  if (limits.message_rate > 0 && limits.message_burst < 1)
    report.add("limits.message_burst",
               "is less than 1, so with a message_rate nobody could send",
               "set it to at least 1");
  for (const auto& proxy : limits.trusted_proxies)
    if (!is_network(proxy))
      report.add("limits.trusted_proxies",
                 "\"" + proxy + "\" is no IP address and no network",
                 "write \"10.0.0.5\" or \"10.0.0.0/8\", without a port");
}

void check_replication(const core::cluster_options& options,
                       config_report& report) {
  const auto& replication = options.replication;
  if (replication.replicas > 0 && replication.replicas >= options.nodes.size())
    report.add("replication.replicas",
               std::to_string(replication.replicas)
                 + " copies beside the first "
                   "need "
                 + std::to_string(replication.replicas + 1)
                 + " nodes, and there are "
                 + std::to_string(options.nodes.size()),
               "add nodes, or lower replicas");
  if (replication.min_copies > replication.replicas + 1)
    report.add("replication.min_copies",
               std::to_string(replication.min_copies)
                 + " copies cannot be reached with replicas = "
                 + std::to_string(replication.replicas),
               "set min_copies to at most replicas + 1");
}

/// Two listeners that cannot both be opened.
bool collide(const socket_address& a, const socket_address& b) {
  return a.port != 0 && a.port == b.port
         && (a.host == b.host || is_wildcard(a.host) || is_wildcard(b.host));
}

/// Addresses, names and folders of all nodes so far.
class node_rules {
public:
  node_rules(const core::cluster_options& options, config_report& report)
    : options_(options), report_(report) {
  }

  void check(const core::node_options& node, const std::string& key) {
    check_name(node, key);
    if (node.data.empty())
      report_.add(key + ".data", "is missing",
                  "add e.g. data = \"data/" + node.name + "\"");
    else if (!folders_.insert(node.data).second)
      report_.add(key + ".data", "is the folder of another node too",
                  "give each node its own");
    // Loopback is another one on another host: nodes share a host where their
    // links do.
    std::string problem;
    const auto peer_at = parse_address(node.peer, problem);
    host_ = peer_at ? peer_at->host : std::string();
    const auto client = check_address(node.client, key + ".client");
    const auto admin = check_address(node.admin, key + ".admin");
    check_address(node.peer, key + ".peer");
    check_tls(node.tls, key + ".tls");
    if (client && !is_loopback(client->host)
        && options_.auth.mode == core::auth_mode::none)
      report_.add(key + ".client",
                  "with auth.mode = \"none\" every client is who it says it "
                  "is, so only loopback may be listened on",
                  "listen on 127.0.0.1, behind a proxy on this machine that "
                  "authenticates and sets the header `user`");
    if (admin && !is_loopback(admin->host)
        && options_.auth.mode == core::auth_mode::none)
      report_.add(key + ".admin",
                  "with auth.mode = \"none\" only loopback may be listened on",
                  "listen on 127.0.0.1; an exporter or a proxy on this machine "
                  "can pass the metrics on");
  }

private:
  void check_name(const core::node_options& node, const std::string& key) {
    const auto allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "0123456789._-";
    if (node.name.empty())
      report_.add(key + ".name", "is missing", "add e.g. name = \"n1\"");
    else if (node.name.size() > 64
             || node.name.find_first_not_of(allowed) != std::string::npos)
      report_.add(key + ".name", "\"" + node.name + "\" is no name of a node",
                  "use 1 to 64 of A-Z a-z 0-9 . _ -");
    else if (!names_.insert(node.name).second)
      report_.add(key + ".name", "\"" + node.name + "\" is taken already",
                  "give each node its own name");
  }

  void check_tls(const core::node_tls_options& tls, const std::string& key) {
    if (tls.certificate.empty() != tls.key.empty())
      report_.add(key, "needs certificate and key", "add the other one");
    else if (tls.admin && !tls.wanted())
      report_.add(key + ".admin", "needs certificate and key",
                  "add them, or remove it");
  }

  std::optional<socket_address> check_address(const std::string& text,
                                              const std::string& key) {
    std::string problem;
    auto address = parse_address(text, problem);
    if (!address)
      return std::nullopt; // the reader has told why
    for (const auto& [other, owner, host] : addresses_)
      if (host == host_ && collide(*address, other)) {
        report_.add(
          key, format_address(*address) + " is taken by " + owner + " already",
          "choose another port");
        break;
      }
    addresses_.push_back({*address, key, host_});
    return address;
  }

  const core::cluster_options& options_;
  config_report& report_;
  std::set<std::string> names_;
  std::set<std::string> folders_;
  struct taken {
    socket_address address;
    std::string owner;
    std::string host; ///< of the node
  };
  std::vector<taken> addresses_;
  std::string host_;
};

/// How several nodes prove to each other who they are.
void check_peers(const core::cluster_options& options, config_report& report) {
  const auto& peers = options.peers;
  auto all_loopback = true;
  for (std::size_t i = 0; i < options.nodes.size(); ++i) {
    std::string problem;
    const auto address = parse_address(options.nodes[i].peer, problem);
    if (!address)
      continue; // the reader has told why
    const auto key = "node[" + std::to_string(i) + "].peer";
    all_loopback = all_loopback && is_loopback(address->host);
    if (!is_ip_address(address->host) || is_wildcard(address->host))
      report.add(key,
                 "\"" + address->host
                   + "\" is no address that other nodes can dial",
                 "write the IP address of the node's host, e.g. "
                 "\"10.0.0.5:7080\"");
  }
  if (peers.has_tls()) {
    if (peers.ca.empty() || peers.certificate.empty() || peers.key.empty())
      report.add(
        "cluster.tls", "needs ca, certificate and key",
        "make them with `vartalap certs init` and `vartalap certs node "
        "NAME`, which print the lines to add");
    if (!peers.secret_file.empty())
      report.add("cluster.secret_file", "is not used beside [cluster.tls]",
                 "remove one of them");
  } else if (peers.secret_file.empty()) {
    report.add("cluster",
               "several nodes need a way to prove to each other who they are",
               all_loopback
                 ? "add secret_file = \"cluster.secret\" under [cluster], and "
                   "make the file: (umask 077; openssl rand -hex 32 > "
                   "cluster.secret)"
                 : "run `vartalap certs init` and `vartalap certs node NAME`, "
                   "and add [cluster.tls] as they say");
  } else if (!all_loopback) {
    report.add("cluster.secret_file",
               "proves who is there but encrypts nothing, so it is for nodes "
               "whose peer addresses are all on loopback",
               "use [cluster.tls]: `vartalap certs init` and `vartalap certs "
               "node NAME` make what it needs");
  }
}

void check_nodes(const core::cluster_options& options, config_report& report) {
  if (options.nodes.empty())
    report.add("node", "there is no [[node]]",
               R"(add [[node]] with name = "n1" and data = "data/n1")");
  node_rules rules(options, report);
  for (std::size_t i = 0; i < options.nodes.size(); ++i)
    rules.check(options.nodes[i], "node[" + std::to_string(i) + "]");
  if (options.nodes.size() > 1)
    check_peers(options, report);
}

} // namespace

void config_report::place(const std::string& key, std::uint32_t line,
                          std::uint32_t column) {
  places_[key] = {line, column};
}

void config_report::add(const std::string& key, std::string what,
                        std::string mend) {
  position where;
  for (auto around = key;;) {
    if (const auto found = places_.find(around); found != places_.end()) {
      where = found->second;
      break;
    }
    const auto dot = around.rfind('.');
    if (dot == std::string::npos)
      break;
    around.resize(dot);
  }
  problems_.push_back(
    {file_, where.line, where.column, key, std::move(what), std::move(mend)});
}

std::vector<config_problem> config_report::take() {
  std::stable_sort(
    problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
  return std::move(problems_);
}

void check_relations(const core::cluster_options& options,
                     config_report& report) {
  check_delivery(options, report);
  check_storage(options, report);
  check_replication(options, report);
  check_limits(options, report);
  check_auth(options, report);
  check_push(options, report);
  check_nodes(options, report);
}

} // namespace vartalap::runtime
