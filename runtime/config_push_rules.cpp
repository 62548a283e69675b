#include "runtime/config_report.hpp"
#include "runtime/units_text.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace vartalap::runtime {

namespace {

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~'; });
}

/// The host of "http://host:port/path".
std::string host_of(const std::string& url) {
  const auto begin = url.find("://") + 3;
  auto host = url.substr(begin, url.find('/', begin) - begin);
  if (host.starts_with('['))
    return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

/// https, or http to loopback; no name and password in it.
void check_url(const std::string& key, const std::string& url,
               config_report& report) {
  const bool is_plain = url.starts_with("http://") && is_loopback(host_of(url));
  if (!is_visible_ascii(url) || url.find('@') != std::string::npos
      || (!url.starts_with("https://") && !is_plain))
    report.add(key, "\"" + url + "\" is no address to send secrets to",
               "write \"https://…\"; http:// is for loopback only");
}

void need(const std::string& section, const std::string& key,
          const std::string& value, const std::string& mend,
          config_report& report) {
  auto path = section;
  path.append(".").append(key);
  if (value.empty())
    report.add(section, "needs " + key, mend);
  else if (!is_visible_ascii(value))
    report.add(path, "has blanks or other odd characters",
               "write it as the provider shows it");
}

void check_webhook(const core::push_options& push, config_report& report) {
  const std::string section = "push.webhook";
  if (!push.has_webhook()) {
    if (!push.webhook_secret_file.empty())
      report.add(section, "has a secret_file but no url",
                 "add url = \"https://…\", or remove secret_file");
    return;
  }
  check_url(section + ".url", push.webhook_url, report);
  if (push.webhook_secret_file.empty())
    report.add(section, "needs secret_file: the calls are signed with it",
               "make the file: (umask 077; openssl rand -hex 32 > "
               "webhook.secret)");
}

void check_webpush(const core::push_options& push, config_report& report) {
  const std::string section = "push.webpush";
  const auto& subject = push.webpush_subject;
  need(section, "subject", subject, "add subject = \"mailto:ops@example.org\"",
       report);
  if (!subject.empty() && !subject.starts_with("mailto:")
      && !subject.starts_with("https://"))
    report.add(section + ".subject", "\"" + subject + "\" is no contact",
               "write \"mailto:…\" or \"https://…\"");
}

void check_apns(const core::push_options& push, config_report& report) {
  const std::string section = "push.apns";
  check_url(section + ".url", push.apns_url, report);
  need(section, "key_id", push.apns_key_id,
       "add the ten characters that Apple shows beside the key", report);
  need(section, "team_id", push.apns_team_id,
       "add the ten characters of your membership", report);
  need(section, "topic", push.apns_topic, "add the app's bundle id", report);
}

} // namespace

void check_push(const core::cluster_options& options, config_report& report) {
  const auto& push = options.push;
  if (push.retry_first > push.retry_max)
    report.add("push.retry_first", "is more than retry_max",
               "lower it, or raise retry_max");
  check_webhook(push, report);
  if (push.has_fcm())
    check_url("push.fcm.url", push.fcm_url, report);
  if (push.has_webpush())
    check_webpush(push, report);
  if (push.has_apns())
    check_apns(push, report);
}

} // namespace vartalap::runtime
