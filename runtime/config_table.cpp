#include "runtime/config_rows.hpp"

#include <utility>

namespace vartalap::runtime {

namespace {

void add_delivery(std::vector<cluster_setting>& out) {
  using o = core::delivery_options;
  rows_of<o>{out, "delivery", &cluster_options::delivery}(
    "ack_timeout", &o::ack_timeout, duration(10'000, 60 * minute),
    "A device that has not acknowledged a message within this time gets it "
    "again; the wait doubles each time.")(
    "max_retries", &o::max_retries, count(0, 20),
    "Resends on one connection; after them it is closed with 4008 and the "
    "message waits for the next one.")(
    "spill_after", &o::spill_after, duration(1000, minute),
    "A message still unacknowledged after max(this, 4 x the device's usual "
    "ack time) is written to disk; its sender is confirmed no earlier.")(
    "spill_max", &o::spill_max, duration(1000, minute),
    "The longest that a message waits in memory before it is written.")(
    "ttl", &o::ttl, duration(second, 3650 * day),
    "A message that nobody fetched in this time is removed.")(
    "device_idle", &o::device_idle, duration(second, 3650 * day),
    "A device unseen for this long loses what it owes where the mailbox is "
    "full (it is told how many, as a gap), and is forgotten where a new "
    "device needs its place.")("window", &o::window, count(1, 100'000),
                               "Messages in flight to one device.")(
    "window_bytes", &o::window_bytes, size(kib, gib),
    "Bytes in flight to one device; at least one message is.")(
    "dedupe_for", &o::dedupe_for, duration(0, day),
    "How long, from its acceptance, the id of a finished message is "
    "remembered against resends; a restart forgets it.")(
    "dedupe_ids", &o::dedupe_ids, count(0, 100'000'000),
    "Remembered ids per shard, the newest.")(
    "mailbox_idle", &o::mailbox_idle, duration(10'000, day),
    "A mailbox without a device and with nothing left in memory is closed "
    "after this time; opening it again costs one read.")(
    "accept_unknown_users", &o::accept_unknown_users, plain(value_kind::flag),
    "Take messages for users who have no known device; false: forbidden.");
}

void add_storage(std::vector<cluster_setting>& out) {
  using o = core::storage_options;
  rows_of<o>{out, "storage", &cluster_options::storage}(
    "durability", &o::durability, choice({"strict", "relaxed"}),
    "strict: every commit is synced before it counts. relaxed: a power cut "
    "may lose the last commit (a killed process loses nothing).")(
    "settle_after", &o::settle_after, duration(0, 60 * minute),
    "What is still pending this long after it was written moves from the "
    "journal to its mailbox.")(
    "journal_bytes", &o::journal_bytes, size(mib, 1024 * gib),
    "Room of the journal; beyond it confirmations slow down.")(
    "max_bytes", &o::max_bytes, size(16 * mib, 16'384 * gib),
    "Size of the sparse map; new messages are refused from 85 % of it.")(
    "sweep_interval", &o::sweep_interval, duration(10'000, day),
    "How often the sweep for expired messages takes a bounded step.");
}

void add_replication(std::vector<cluster_setting>& out) {
  using o = core::replication_options;
  rows_of<o>{out, "replication", &cluster_options::replication}(
    "replicas", &o::replicas, count(0, 7),
    "Backup nodes of each mailbox. With 1 or more, a node may die for good and "
    "nothing confirmed is lost.")(
    "min_copies", &o::min_copies, count(0, 8, "min(2, replicas + 1)"),
    "Nodes that must have committed a message before it is confirmed.")(
    "when_short", &o::when_short, choice({"refuse", "accept"}),
    "What happens when fewer can be reached. refuse: the sender gets "
    "unavailable and sends again. accept: it is confirmed with the copies that "
    "there are, and the acknowledgement says how many.");
}

void add_peers(std::vector<cluster_setting>& out) {
  using o = core::peer_options;
  rows_of<o>{out, "cluster", &cluster_options::peers}(
    "secret_file", &o::secret_file, plain(value_kind::path),
    "File with a secret of at least 32 bytes that all nodes share, readable by "
    "its owner alone. For several nodes on loopback; elsewhere use "
    "[cluster.tls].");
  rows_of<o>{out, "cluster.tls", &cluster_options::peers}(
    "ca", &o::ca, plain(value_kind::path),
    "Certificate of the authority that signs the nodes' certificates: "
    "`vartalap certs init` makes one.")(
    "certificate", &o::certificate, plain(value_kind::path),
    "The node's certificate, `vartalap certs node NAME`; in the path {node} "
    "stands for the node's name.")(
    "key", &o::key, plain(value_kind::path),
    "The certificate's private key, readable by its owner alone; {node} as "
    "above.");
}

void add_limits(std::vector<cluster_setting>& out) {
  using o = core::limit_options;
  const std::string unlimited = "no limit";
  rows_of<o>{out, "limits", &cluster_options::limits}(
    "max_content_bytes", &o::max_content_bytes, size(1, 64 * mib),
    "Content of one message; a frame may have 16 KiB more.")(
    "message_rate", &o::message_rate, rate(0, 1'000'000, unlimited),
    "Messages per user and second; above, reading from the socket pauses, "
    "and HTTP answers 429.")("message_burst", &o::message_burst,
                             rate(0, 10'000'000),
                             "Messages that a user may send at once.")(
    "max_connections", &o::max_connections,
    count(0, 10'000'000, "what the file limit allows"),
    "Client connections of a node.")(
    "max_connections_per_address", &o::max_connections_per_address,
    count(0, 10'000'000, unlimited), "Client connections from one IP address.")(
    "trusted_proxies", &o::trusted_proxies, plain(value_kind::list),
    "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: IP "
    "addresses or networks, e.g. \"10.0.0.0/8\".")(
    "devices_per_user", &o::devices_per_user, count(0, 16, "16, the most"),
    "Devices of one user; each must acknowledge each message.")(
    "handshake_timeout", &o::handshake_timeout, duration(10'000, 10 * minute),
    "Time for a connection's first request.")(
    "ping_interval", &o::ping_interval, duration(10'000, 60 * minute),
    "A connection silent for this long is pinged, silent for twice as long "
    "closed.")("write_timeout", &o::write_timeout,
               duration(10'000, 60 * minute),
               "A write that takes longer closes the connection with 1013.")(
    "mailbox_messages", &o::mailbox_messages, count(0, 100'000'000, unlimited),
    "Pending messages of one user; above, senders get mailbox_full.")(
    "mailbox_bytes", &o::mailbox_bytes, size(0, 1024 * gib, unlimited),
    "Pending bytes of one user; above, senders get mailbox_full.")(
    "pending_per_sender", &o::pending_per_sender,
    count(0, 100'000'000, unlimited),
    "Pending messages of one sender in one mailbox; above, that sender gets "
    "mailbox_full.")(
    "memory_messages", &o::memory_messages, count(1, 1'000'000),
    "Messages that one mailbox keeps in memory; the rest is on disk only.")(
    "memory_bytes", &o::memory_bytes, size(kib, gib),
    "Bytes that one mailbox keeps in memory.")(
    "memory_budget", &o::memory_budget, size(0, 1024 * gib, unlimited),
    "Bytes of messages in memory on a node, an equal part for each shard; "
    "above, mailboxes write new messages at once and keep only what is needed "
    "soon.")("output_bytes", &o::output_bytes, size(kib, gib),
             "Output queue of one connection; full, it is closed with 1013.")(
    "unconfirmed", &o::unconfirmed, count(1, 1'000'000),
    "Messages read from one connection and not yet confirmed; above, reading "
    "from it pauses.")(
    "control_frames_per_second", &o::control_frames_per_second,
    count(0, 1'000'000, unlimited),
    "Control frames of one connection; above, it is closed with 4029.")(
    "login_rate", &o::login_rate, rate(0, 1'000'000, unlimited),
    "Logins a second from one address, and for one name; above, 429. Not where "
    "auth.mode is none.")("login_burst", &o::login_burst, rate(1, 1'000'000),
                          "Logins at once from one address, and for one name.")(
    "contacts_rate", &o::contacts_rate, rate(0, 1'000'000, unlimited),
    "Names a second that a user may look up in the contact book; above, 429.")(
    "contacts_burst", &o::contacts_burst, rate(1000, 10'000'000),
    "Names that a user may look up at once; one request has 1000 at most.");
}

void add_auth(std::vector<cluster_setting>& out) {
  using o = core::auth_options;
  rows_of<o>{out, "auth", &cluster_options::auth}(
    "mode", &o::mode, choice({"none", "jwt", "accesskey"}),
    "none: a client is the user that it says it is; only for listeners on "
    "loopback. jwt: it is whom its token names, signed by your own service. "
    "accesskey: it logs in, and gets a key.")(
    "allowed_origins", &o::allowed_origins, plain(value_kind::list),
    "Web pages that may open connections besides the listener's own, e.g. "
    "\"https://chat.example.org\".")(
    "admin_token_file", &o::admin_token_file, plain(value_kind::path),
    "File with the token of administration calls that change something. "
    "Empty: admin.token in the node's data, made at the first start.")(
    "key_file", &o::key_file, plain(value_kind::path),
    "jwt: the key that tokens are verified with. A public key in PEM (RSA: "
    "RS256, Ed25519: EdDSA), or a secret of at least 32 bytes (HS256) that "
    "only "
    "its owner may read. Read again when it changes.")(
    "jwks_file", &o::jwks_file, plain(value_kind::path),
    "jwt: in place of key_file, a JWKS with several keys, told apart by kid. "
    "Read again when it changes.")("issuer", &o::issuer,
                                   plain(value_kind::text),
                                   "jwt: what `iss` must be. Empty: anything.")(
    "audience", &o::audience, plain(value_kind::text),
    "jwt: what `aud` must be or hold. Empty: anything.")(
    "leeway", &o::leeway, duration(0, 10 * minute),
    "jwt: how far the clocks of this machine and of whoever signs may be "
    "apart.")("accesskey_ttl", &o::accesskey_ttl,
              duration(0, 3650 * day, "for ever"),
              "accesskey: how long a key is good.")(
    "accesskeys_per_user", &o::accesskeys_per_user, count(1, 1000),
    "accesskey: keys of one user; a login beyond them ends the oldest.");
}

void add_login(std::vector<cluster_setting>& out) {
  using o = core::login_options;
  rows_of<o>{out, "auth.login", &cluster_options::login}(
    "provider", &o::provider, choice({"none", "file", "webhook", "firebase"}),
    "Who says whether a login is right. file: a file of names and password "
    "hashes. webhook: a service of yours. firebase: ID tokens of a Firebase "
    "project.")("users_file", &o::users_file, plain(value_kind::path),
                "file: lines NAME:HASH, as `vartalap passwd NAME` prints them. "
                "Read again when it changes.")(
    "webhook_url", &o::webhook_url, plain(value_kind::text),
    "webhook: gets POST {username, token}, and answers 200 {username} for yes, "
    "401 or 403 for no.")(
    "webhook_secret_file", &o::webhook_secret_file, plain(value_kind::path),
    "webhook: a secret with which each question is signed (HMAC-SHA256 in "
    "X-Vartalap-Signature). Empty: unsigned.")(
    "webhook_timeout", &o::webhook_timeout, duration(100'000, minute),
    "webhook: without an answer by then, the login is answered 503.")(
    "firebase_project", &o::firebase_project, plain(value_kind::text),
    "firebase: the project's id.")(
    "jwks_file", &o::jwks_file, plain(value_kind::path),
    "firebase: Google's keys, a JWKS; docs/security.md says where from. Read "
    "again when it changes: they do every few days, so a timer has to fetch "
    "them.")(
    "user_claim", &o::user_claim, plain(value_kind::text),
    "firebase: what in the ID token must be the user's name: phone_number, "
    "email or sub.");
}

void add_runtime(std::vector<cluster_setting>& out) {
  using o = core::runtime_options;
  auto coalesce = duration(0, 100'000);
  coalesce.step = 1;
  rows_of<o>{out, "runtime", &cluster_options::runtime}(
    "shards", &o::shards, count(0, 256, "one per core"),
    "Event loops for sockets and actors, with at most one thread each.")(
    "workers", &o::workers, count(1, 256),
    "Threads for reads that may block, such as cold mailboxes.")(
    "share_thread", &o::share_thread, plain(value_kind::flag),
    "While what there is to do fits on one core, one thread runs all shards "
    "and the others sleep: less CPU, no more latency. Without effect where "
    "coalesce is set.")(
    "coalesce", &o::coalesce, coalesce,
    "A busy shard gathers events for this long: less CPU, more latency.")(
    "log_level", &o::log_level, choice({"debug", "info", "warning", "error"}),
    "The least important lines that are written.")(
    "log_format", &o::log_format, choice({"text", "json"}),
    "Lines for people or for programs; both go to standard error.")(
    "web", &o::web, plain(value_kind::path),
    "Folder of the browser client. Empty: web beside the binary or up to two "
    "folders above it, or share/vartalap/web beside the binary's folder.");
}

node_setting node_row(std::string key, std::string core::node_options::*field,
                      value_kind kind, std::string comment) {
  return {"node",
          std::move(key),
          plain(kind),
          std::move(comment),
          [field](const core::node_options& node) {
            return setting_value(node.*field);
          },
          [field](core::node_options& node, const setting_value& value) {
            node.*field = std::get<std::string>(value);
          }};
}

template <class Field>
node_setting tls_row(std::string key, Field core::node_tls_options::*field,
                     value_rule rule, std::string comment) {
  return {"node.tls",
          std::move(key),
          std::move(rule),
          std::move(comment),
          [field](const core::node_options& node) {
            return to_value(node.tls.*field);
          },
          [field](core::node_options& node, const setting_value& value) {
            from_value(node.tls.*field, value);
          }};
}

std::vector<cluster_setting> make_cluster_settings() {
  std::vector<cluster_setting> out;
  out.push_back(
    {"cluster", "name", plain(value_kind::text),
     "Name of the cluster, in logs and metrics.",
     [](const cluster_options& options) { return setting_value(options.name); },
     [](cluster_options& options, const setting_value& value) {
       options.name = std::get<std::string>(value);
     }});
  add_peers(out);
  add_delivery(out);
  add_storage(out);
  add_replication(out);
  add_limits(out);
  add_auth(out);
  add_login(out);
  add_push_settings(out);
  add_runtime(out);
  return out;
}

} // namespace

const std::vector<cluster_setting>& cluster_settings() {
  static const auto table = make_cluster_settings();
  return table;
}

const std::vector<node_setting>& node_settings() {
  using o = core::node_options;
  using tls = core::node_tls_options;
  static const std::vector<node_setting> table{
    node_row("name", &o::name, value_kind::text,
             "Name of the node: 1 to 64 of A-Z a-z 0-9 . _ -"),
    node_row("client", &o::client, value_kind::address,
             "WebSocket, HTTP API and browser client listen here."),
    node_row("admin", &o::admin, value_kind::address,
             "/metrics, /healthz, /readyz and administration listen here."),
    node_row("peer", &o::peer, value_kind::address,
             "The other nodes' links, an IP address and port; nothing listens "
             "there where the file has one node."),
    node_row("data", &o::data, value_kind::path,
             "Folder of the node's messages, on a local disk."),
    tls_row("certificate", &tls::certificate, plain(value_kind::path),
            "Certificate and those between it and its authority, in PEM: with "
            "it the client address speaks wss and https. Read again at "
            "SIGHUP."),
    tls_row("key", &tls::key, plain(value_kind::path),
            "The certificate's private key, readable by its owner alone. Read "
            "again at SIGHUP."),
    tls_row("admin", &tls::admin, plain(value_kind::flag),
            "The admin address speaks https too."),
  };
  return table;
}

const std::vector<section_text>& config_sections() {
  static const std::vector<section_text> sections{
    {"cluster", "The cluster as a whole."},
    {"cluster.tls", "How several nodes prove to each other who they are."},
    {"node", "One block for each node, the same in the files of all."},
    {"node.tls", "TLS of a node's listeners; below its [[node]]."},
    {"delivery", "From a sender to every device of the recipient."},
    {"storage", "What is on disk, and how safely."},
    {"replication", "Copies on other nodes."},
    {"limits", "Bounds, so that nothing grows without one."},
    {"auth", "Who may connect."},
    {"auth.login", "Where auth.mode is accesskey: who may log in."},
    {"push", "How users are woken whose devices are away. A provider is on "
             "where its part is filled in; docs/push.md tells how."},
    {"push.webhook", "A service of yours."},
    {"push.fcm", "Firebase Cloud Messaging, HTTP v1."},
    {"push.webpush", "Browsers."},
    {"push.apns", "Apple."},
    {"runtime", "The process."},
  };
  return sections;
}

core::node_options example_node() {
  core::node_options node;
  node.name = "n1";
  node.data = "data/n1";
  return node;
}

} // namespace vartalap::runtime
