#include "runtime/config_rows.hpp"

namespace vartalap::runtime {

void add_push_settings(std::vector<cluster_setting>& out) {
  using o = core::push_options;
  rows_of<o>{out, "push", &cluster_options::push}(
    "content", &o::content, plain(value_kind::flag),
    "Send the newest message with the push, where it fits; false: only that "
    "something waits. Providers can read it, but for Web Push.")(
    "delay", &o::delay, duration(0, 60 * minute),
    "A user whose device is back within this time is not woken.")(
    "restart_delay", &o::restart_delay, duration(0, 60 * minute),
    "The same for messages that a restart found on disk.")(
    "timeout", &o::timeout, duration(10'000, 10 * minute), "Of one attempt.")(
    "retry_first", &o::retry_first, duration(1000, 60 * minute),
    "Wait after the first attempt that failed; it doubles each time, with "
    "jitter.")("retry_max", &o::retry_max, duration(1000, day),
               "The longest wait.")(
    "give_up_after", &o::give_up_after, duration(second, 30 * day),
    "No attempt begins later than this after the first.")(
    "ttl", &o::ttl, duration(0, 28 * day),
    "How long a provider keeps a push for a device that it cannot reach.")(
    "in_flight", &o::in_flight, count(1, 10'000), "Attempts at a time.")(
    "queue", &o::queue, count(1, 10'000'000),
    "Users to be woken that are kept in memory; the others wait on disk.")(
    "ca_file", &o::ca_file, plain(value_kind::path),
    "Certificates of authorities that providers are checked with; none: the "
    "system's.");
  rows_of<o>{out, "push.webhook", &cluster_options::push}(
    "url", &o::webhook_url, plain(value_kind::text),
    "A service of yours that is told of every user to be woken, by POST.")(
    "secret_file", &o::webhook_secret_file, plain(value_kind::path),
    "File with the secret that signs the calls, 16 bytes or more.");
  rows_of<o>{out, "push.fcm", &cluster_options::push}(
    "account_file", &o::fcm_account_file, plain(value_kind::path),
    "JSON key of the Google service account that sends.")(
    "url", &o::fcm_url, plain(value_kind::text), "Where FCM is.");
  rows_of<o>{out, "push.webpush", &cluster_options::push}(
    "key_file", &o::webpush_key_file, plain(value_kind::path),
    "Private key on P-256, PEM, that push services know this server by "
    "(VAPID).")("subject", &o::webpush_subject, plain(value_kind::text),
                "Whom they may ask about it: \"mailto:…\" or \"https://…\".")(
    "private_endpoints", &o::webpush_private, plain(value_kind::flag),
    "Call push services on private addresses and over http too. Browsers name "
    "the address: true lets any client have this node call its neighbours.");
  rows_of<o>{out, "push.apns", &cluster_options::push}(
    "key_file", &o::apns_key_file, plain(value_kind::path),
    "The .p8 key from Apple.")("key_id", &o::apns_key_id,
                               plain(value_kind::text), "Its id.")(
    "team_id", &o::apns_team_id, plain(value_kind::text), "Your team's id.")(
    "topic", &o::apns_topic, plain(value_kind::text), "The app's bundle id.")(
    "url", &o::apns_url, plain(value_kind::text),
    "Where APNs is; https://api.sandbox.push.apple.com for development "
    "builds.")("alert", &o::apns_alert, plain(value_kind::text),
               "What the lock screen shows; empty: a silent push, which Apple "
               "delivers when it likes.");
}

} // namespace vartalap::runtime
