#pragma once

#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The option structs: one per section of cluster.toml, with its defaults.
/// runtime/config fills them; everybody else only reads.
namespace vartalap::core {

/// `[delivery]`
struct delivery_options {
  milliseconds ack_timeout{5000}; ///< resend when no ack came within
  unsigned max_retries = 3;       ///< resends on one connection; backoff × 2
  milliseconds spill_after{50};   ///< store what is still owed after
  milliseconds spill_max{1000};   ///< upper bound of 4 × smoothed ack time
  milliseconds ttl{30LL * 24 * 3600 * 1000};
  milliseconds device_idle{7LL * 24 * 3600 * 1000};
  std::size_t window = 64;              ///< messages in flight per device
  std::size_t window_bytes = 256 * KiB; ///< or this many, at least one message
  milliseconds dedupe_for{10 * 60 * 1000};
  std::size_t dedupe_ids = 1'000'000; ///< per shard
  milliseconds mailbox_idle{30'000};  ///< an idle mailbox actor ends after
  bool accept_unknown_users = true;   ///< false: `forbidden` without a device
};

enum class durability_mode : std::uint8_t {
  strict,  ///< LMDB's default flags: each group commit is synced
  relaxed, ///< MDB_NOMETASYNC
};

/// `[storage]`
struct storage_options {
  durability_mode durability = durability_mode::strict;
  milliseconds settle_after{10'000};
  std::size_t journal_bytes = 1 * GiB;
  std::size_t max_bytes = 64 * GiB;    ///< size of the sparse LMDB map
  milliseconds sweep_interval{60'000}; ///< expiry sweep; bounded work per tick
};

/// `[replication]`
struct replication_options {
  unsigned replicas = 0;   ///< backups of each bucket
  unsigned min_copies = 0; ///< nodes that committed before it is confirmed; 0:
                           ///< min(2, replicas + 1)
  std::string when_short = "refuse"; ///< or "accept"

  /// What `min_copies` comes to.
  unsigned copies() const noexcept {
    if (min_copies != 0)
      return min_copies;
    return replicas == 0 ? 1 : 2;
  }
};

/// `[cluster]`, as far as the nodes' links need it: a secret that all share, or
/// certificates. In the paths `{node}` stands for a node's name.
struct peer_options {
  std::string secret_file;
  std::string ca;
  std::string certificate;
  std::string key;

  bool has_tls() const noexcept {
    return !ca.empty() || !certificate.empty() || !key.empty();
  }
};

/// `[limits]`; 0 = no limit.
struct limit_options {
  std::size_t max_content_bytes = 64 * KiB;
  double message_rate = 50;        ///< per user and second
  double message_burst = 200;      ///< per user
  std::size_t max_connections = 0; ///< 0: what the file limit allows
  std::size_t max_connections_per_address = 256;
  std::vector<std::string> trusted_proxies;
  std::size_t devices_per_user = 10;
  milliseconds handshake_timeout{5000};
  milliseconds ping_interval{25'000};
  milliseconds write_timeout{10'000};
  std::size_t mailbox_messages = 10'000;
  std::size_t mailbox_bytes = 64 * MiB;
  std::size_t pending_per_sender = 1000;      ///< per sender and recipient
  std::size_t memory_messages = 128;          ///< per mailbox
  std::size_t memory_bytes = 256 * KiB;       ///< per mailbox
  std::size_t memory_budget = 1 * GiB;        ///< per node
  std::size_t output_bytes = 1 * MiB;         ///< per connection
  std::size_t unconfirmed = 256;              ///< read, not yet confirmed
  std::size_t control_frames_per_second = 20; ///< above: close 4029
  double login_rate = 0.2;      ///< logins a second, per address and per name
  double login_burst = 20;      ///< logins at once
  double contacts_rate = 2;     ///< names asked for a second, per user
  double contacts_burst = 2000; ///< names at once
};

enum class auth_mode : std::uint8_t { none, jwt, accesskey };

/// `[auth]`
struct auth_options {
  auth_mode mode = auth_mode::none;
  std::vector<std::string> allowed_origins;
  std::string admin_token_file; ///< empty: `admin.token` in the node's data

  // mode jwt: one of the two files
  std::string key_file;  ///< a secret (HS256), or a public key in PEM
  std::string jwks_file; ///< a JWKS; read again when it changes
  std::string issuer;    ///< empty: any
  std::string audience;  ///< empty: any
  milliseconds leeway{30'000};

  // mode accesskey
  milliseconds accesskey_ttl{90LL * 24 * 3600 * 1000}; ///< 0: for ever
  std::size_t accesskeys_per_user = 32;
};

/// `[auth.login]`: who is asked whether a login is right.
struct login_options {
  std::string provider = "none"; ///< or "file", "webhook", "firebase"
  std::string users_file;        ///< file: lines NAME:HASH, as of crypt(3)
  std::string webhook_url;
  std::string webhook_secret_file; ///< signs what is asked; empty: unsigned
  milliseconds webhook_timeout{5000};
  std::string firebase_project;
  std::string jwks_file;                   ///< firebase: Google's keys
  std::string user_claim = "phone_number"; ///< firebase: names the user
};

/// `[node.tls]`
struct node_tls_options {
  std::string certificate; ///< chain in PEM; empty: no TLS
  std::string key;
  bool admin = false; ///< the admin address too

  bool wanted() const noexcept {
    return !certificate.empty() || !key.empty();
  }
};

/// `[push]` and its parts. A provider is on where its key is named.
struct push_options {
  bool content = false;     ///< send the newest message, not just a wake-up
  milliseconds delay{1000}; ///< a device that is back by then is not woken
  milliseconds restart_delay{30'000}; ///< the same after a restart
  milliseconds timeout{10'000};       ///< of one attempt
  milliseconds retry_first{5000};
  milliseconds retry_max{15LL * 60 * 1000};
  milliseconds give_up_after{24LL * 3600 * 1000};
  milliseconds ttl{7LL * 24 * 3600 * 1000}; ///< how long a provider keeps it
  std::size_t in_flight = 64;               ///< attempts at a time
  std::size_t queue = 100'000; ///< users in memory; the others wait on disk
  std::string ca_file;         ///< authorities of providers; empty: system's

  std::string webhook_url;
  std::string webhook_secret_file;

  std::string fcm_account_file; ///< Google's service account, JSON
  std::string fcm_url = "https://fcm.googleapis.com";

  std::string webpush_key_file; ///< P-256 private key, PEM
  std::string webpush_subject;  ///< "mailto:…" or "https://…"
  bool webpush_private = false; ///< endpoints on private addresses, and http

  std::string apns_key_file; ///< Apple's .p8
  std::string apns_key_id;
  std::string apns_team_id;
  std::string apns_topic; ///< the app's bundle id
  std::string apns_url = "https://api.push.apple.com";
  std::string apns_alert = "New messages"; ///< empty: a silent push

  bool has_webhook() const noexcept {
    return !webhook_url.empty();
  }
  bool has_fcm() const noexcept {
    return !fcm_account_file.empty();
  }
  bool has_webpush() const noexcept {
    return !webpush_key_file.empty();
  }
  bool has_apns() const noexcept {
    return !apns_key_file.empty();
  }
  bool is_used() const noexcept {
    return has_webhook() || has_fcm() || has_webpush() || has_apns();
  }
};

/// `[runtime]`
struct runtime_options {
  unsigned shards = 0; ///< 0: one per core
  std::string log_level = "info";
  std::string log_format = "text"; ///< or "json"
  std::string web;      ///< folder of the browser client; empty: found beside
  unsigned workers = 2; ///< threads for blocking reads
  bool share_thread = true; ///< quiet shards run on the first one's thread
  microseconds coalesce{0}; ///< a busy shard gathers events for this long
};

/// One `[[node]]`
struct node_options {
  std::string name;
  std::string client = "127.0.0.1:8080";
  std::string admin = "127.0.0.1:9080";
  std::string peer = "127.0.0.1:7080";
  std::string data;
  node_tls_options tls;
};

/// All of cluster.toml.
struct cluster_options {
  std::string name = "vartalap";
  peer_options peers;
  std::vector<node_options> nodes;
  delivery_options delivery;
  storage_options storage;
  replication_options replication;
  limit_options limits;
  auth_options auth;
  push_options push;
  login_options login;
  runtime_options runtime;
};

} // namespace vartalap::core
