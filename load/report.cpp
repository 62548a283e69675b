#include "load/report.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace vartalap::load {

namespace {

constexpr std::array oddity_names{"unreadable", "damaged", "misdirected",
                                  "unsent"};

latency_summary summarize(const latency_histogram& h) {
  latency_summary s;
  s.count = h.count();
  s.p50 = h.percentile(50);
  s.p99 = h.percentile(99);
  s.p999 = h.percentile(99.9);
  s.max = h.max();
  return s;
}

/// (to − from) / by, where all three are known and `by` is not 0.
template <class T>
std::optional<double>
per(const std::optional<T>& from, const std::optional<T>& to, double by) {
  if (!from || !to || by <= 0)
    return std::nullopt;
  return (static_cast<double>(*to) - static_cast<double>(*from)) / by;
}

std::optional<double> us_of(std::optional<double> ns) {
  if (ns)
    *ns /= 1000;
  return ns;
}

double seconds_between(std::uint64_t from_us, std::uint64_t to_us) {
  return to_us > from_us ? static_cast<double>(to_us - from_us) / 1e6 : 0.0;
}

using samples_t = std::map<moment, moment_sample>;

const moment_sample* find(const samples_t& samples, moment which) {
  const auto found = samples.find(which);
  return found == samples.end() ? nullptr : &found->second;
}

void add_window(report& out, const load_options& options,
                const samples_t& samples) {
  const auto* from = find(samples, moment::window_open);
  const auto* to = find(samples, moment::window_over);
  if (from == nullptr || to == nullptr)
    return;
  // Without confirmations the deliveries are what was done.
  const auto done = static_cast<double>(
    options.ack ? to->confirmed - from->confirmed
                : (to->arrived - from->arrived) / options.devices);
  out.cpu_us_per_message
    = us_of(per(from->server.cpu_ns, to->server.cpu_ns, done));
  out.generator_cpu_us_per_message = us_of(
    per(std::optional(from->own_cpu_ns), std::optional(to->own_cpu_ns), done));
  out.journal_records_per_message
    = per(from->server.appended, to->server.appended, done);
  out.server_pss_bytes = to->server.pss_bytes;
}

void add_connected(report& out, const load_options& options,
                   const samples_t& samples) {
  const auto* from = find(samples, moment::started);
  const auto* to = find(samples, moment::connected);
  const auto* held = find(samples, moment::window_over);
  if (from == nullptr || to == nullptr)
    return;
  // Idle users are looked at once more after the hold, when all is quiet.
  if (options.scenario == scenario::idle && held != nullptr)
    to = held;
  out.pss_bytes_per_user
    = per(from->server.pss_bytes, to->server.pss_bytes,
          static_cast<double>(options.users) * options.devices);
  if (!out.server_pss_bytes)
    out.server_pss_bytes = to->server.pss_bytes;
}

void add_drain(report& out, const samples_t& samples,
               std::uint64_t last_arrival_us) {
  const auto* from = find(samples, moment::drain_begun);
  const auto* to = find(samples, moment::drained);
  if (from == nullptr || to == nullptr || to->arrived <= from->arrived)
    return;
  const auto count = static_cast<double>(to->arrived - from->arrived);
  const auto end = std::max(last_arrival_us, from->server.at_us + 1);
  out.drained_per_second = count * 1e6
                           / static_cast<double>(end - from->server.at_us);
  out.cpu_us_per_drained
    = us_of(per(from->server.cpu_ns, to->server.cpu_ns, count));
}

std::string number(const std::optional<double>& value, const char* format) {
  if (!value)
    return "-";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, *value);
  return text.data();
}

std::string line(const latency_summary& s) {
  if (s.count == 0)
    return "-";
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "p50 %llu  p99 %llu  p99.9 %llu  max %llu us  (%llu)",
                static_cast<unsigned long long>(s.p50),
                static_cast<unsigned long long>(s.p99),
                static_cast<unsigned long long>(s.p999),
                static_cast<unsigned long long>(s.max),
                static_cast<unsigned long long>(s.count));
  return text.data();
}

template <class Map>
std::string list(const Map& counts) {
  std::string out;
  for (const auto& [key, n] : counts) {
    if (!out.empty())
      out += ", ";
    if constexpr (std::is_integral_v<std::decay_t<decltype(key)>>)
      out += std::to_string(key);
    else
      out += key;
    out += ": " + std::to_string(n);
  }
  return out.empty() ? "-" : out;
}

class json_object {
public:
  json_object() : writer_(buffer_) {
    writer_.StartObject();
  }
  void add(const char* key, const std::string& value) {
    writer_.Key(key);
    writer_.String(value.data(),
                   static_cast<rapidjson::SizeType>(value.size()));
  }
  void add(const char* key, std::uint64_t value) {
    writer_.Key(key);
    writer_.Uint64(value);
  }
  void add(const char* key, const std::optional<double>& value) {
    writer_.Key(key);
    if (value)
      writer_.Double(*value);
    else
      writer_.Null();
  }
  void add(const char* key, const std::optional<std::uint64_t>& value) {
    writer_.Key(key);
    if (value)
      writer_.Uint64(*value);
    else
      writer_.Null();
  }
  void add_flag(const char* key, bool value) {
    writer_.Key(key);
    writer_.Bool(value);
  }
  void add(const char* key, const latency_summary& s) {
    writer_.Key(key);
    writer_.StartObject();
    add("p50", s.p50);
    add("p99", s.p99);
    add("p999", s.p999);
    add("max", s.max);
    add("count", s.count);
    writer_.EndObject();
  }
  template <class Key>
  void add(const char* key, const std::map<Key, std::uint64_t>& counts) {
    writer_.Key(key);
    writer_.StartObject();
    for (const auto& [name, n] : counts) {
      if constexpr (std::is_integral_v<Key>)
        add(std::to_string(name).c_str(), n);
      else
        add(name.c_str(), n);
    }
    writer_.EndObject();
  }
  std::string finish() {
    writer_.EndObject();
    return {buffer_.GetString(), buffer_.GetSize()};
  }

private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

} // namespace

std::string durability_name(std::uint64_t wire_value) {
  constexpr std::uint64_t written = 255;
  if (wire_value == 0)
    return "memory";
  if (wire_value == 1)
    return "disk";
  return wire_value == written ? "written"
                               : "disk+" + std::to_string(wire_value - 1);
}

report make_report(const load_options& options, std::uint64_t seed,
                   const verdict& judged, const measured_window& window,
                   const std::vector<std::unique_ptr<shard_stats>>& stats,
                   const samples_t& samples) {
  report out;
  out.scenario = name_of(options.scenario);
  out.users = options.users;
  out.nodes = options.urls.size();
  out.devices = options.devices;
  out.seed = seed;
  out.judged = judged;
  out.drained = find(samples, moment::drain_begun) != nullptr;
  latency_histogram e2e;
  latency_histogram slow;
  latency_histogram confirm;
  latency_histogram lateness;
  latency_histogram unserved;
  std::uint64_t last_arrival_us = 0;
  std::uint64_t window_arrived = 0;
  for (const auto& shard : stats) {
    e2e.add(shard->e2e);
    slow.add(shard->e2e_slow);
    confirm.add(shard->confirm);
    lateness.add(shard->lateness);
    unserved.add(shard->unserved);
    out.window_confirmed += shard->window_confirmed;
    window_arrived += shard->window_arrived;
    out.reconnects += shard->reconnects;
    out.moves += shard->moves;
    out.resends += shard->resends;
    out.gave_up += shard->gave_up;
    last_arrival_us = std::max(last_arrival_us, shard->last_arrival_us.load());
    for (const auto& [code, n] : shard->closes)
      out.closes[code] += n;
    for (const auto& [code, n] : shard->refusals)
      out.refusals[code] += n;
    for (const auto& [text, n] : shard->failures)
      out.failures[text] += n;
    for (const auto& [value, n] : shard->durabilities)
      out.durabilities[durability_name(value)] += n;
  }
  out.e2e = summarize(e2e);
  out.e2e_slow = summarize(slow);
  out.confirm = summarize(confirm);
  out.lateness = summarize(lateness);
  out.unserved = summarize(unserved);
  if (window.settled_us != measured_window::never)
    out.settled_seconds = seconds_between(window.end_us, window.settled_us);
  if (window.begin_us < window.end_us
      && window.end_us != measured_window::never) {
    out.measured_seconds = seconds_between(window.begin_us, window.end_us);
    const auto done = options.ack ? out.window_confirmed
                                  : window_arrived / options.devices;
    out.throughput = static_cast<double>(done) / out.measured_seconds;
  }
  add_window(out, options, samples);
  add_connected(out, options, samples);
  add_drain(out, samples, last_arrival_us);
  return out;
}

std::string to_text(const report& r) {
  const auto& v = r.judged;
  const auto n = [](std::uint64_t x) { return std::to_string(x); };
  std::string out;
  const auto row = [&out](const std::string& name, const std::string& value) {
    out += name + std::string(name.size() < 22 ? 22 - name.size() : 1, ' ')
           + value + "\n";
  };
  row("scenario", r.scenario + ", " + n(r.users) + " users, " + n(r.devices)
                    + " device(s) each, " + n(r.nodes) + " node(s), seed "
                    + n(r.seed));
  row("messages", n(v.attempted) + " sent, " + n(v.confirmed) + " confirmed, "
                    + n(v.refused) + " refused, " + n(v.unconfirmed)
                    + " unconfirmed, " + n(v.arrived) + " arrived");
  row("throughput", number(r.throughput, "%.0f") + " confirmed/s over "
                      + number(r.measured_seconds, "%.1f") + " s");
  row("server CPU", number(r.cpu_us_per_message, "%.2f") + " us/message");
  row("generator CPU",
      number(r.generator_cpu_us_per_message, "%.2f") + " us/message");
  row("end to end", line(r.e2e));
  if (r.e2e_slow.count > 0)
    row("at slow readers", line(r.e2e_slow));
  row("confirmation", line(r.confirm));
  if (r.lateness.count > 0)
    row("generator lateness", line(r.lateness));
  if (r.drained_per_second)
    row("drain", number(r.drained_per_second, "%.0f") + " messages/s, "
                   + number(r.cpu_us_per_drained, "%.2f") + " us CPU each");
  row("memory", number(r.pss_bytes_per_user, "%.0f") + " bytes/user, "
                  + (r.server_pss_bytes ? n(*r.server_pss_bytes) : "-")
                  + " bytes in all (PSS)");
  if (r.journal_records_per_message)
    row("journal",
        number(r.journal_records_per_message, "%.3f") + " records/message");
  if (r.unserved.count > 0)
    row("unserved", line(r.unserved));
  if (r.settled_seconds)
    row("settled", number(r.settled_seconds, "%.2f") + " s after the last");
  if (!r.durabilities.empty())
    row("confirmed as", list(r.durabilities));
  row("connections", n(r.reconnects) + " reconnects, " + n(r.moves) + " moves, "
                       + n(r.resends) + " resends, " + n(r.gave_up)
                       + " gave up; closes " + list(r.closes));
  if (!r.refusals.empty())
    row("refusals", list(r.refusals));
  if (!r.failures.empty())
    row("failed connects", list(r.failures));
  row("verdict",
      (r.drained ? n(v.lost) + " lost, " : std::string("not drained, "))
        + n(v.reordered) + " reordered, " + n(v.unexpected) + " unexpected, "
        + n(v.duplicated) + " duplicated (" + n(v.duplicated_raw)
        + " repeats dropped, " + n(v.foreign) + " of other runs)");
  for (std::size_t i = 0; i < oddities; ++i)
    if (v.unexpected_by[i] > 0)
      row(std::string("  ") + oddity_names[i], n(v.unexpected_by[i]));
  for (const auto& key : v.lost_first)
    if (r.drained)
      row("  lost", payload_maker::user_name(key.sender) + " #" + n(key.seq));
  return out;
}

std::string to_json(const report& r) {
  const auto& v = r.judged;
  json_object out;
  out.add("scenario", r.scenario);
  out.add("users", r.users);
  out.add("devices", r.devices);
  out.add("nodes", r.nodes);
  out.add("seed", r.seed);
  out.add("messages", v.attempted);
  out.add("confirmed", v.confirmed);
  out.add("refused", v.refused);
  out.add("arrived", v.arrived);
  out.add("measured_seconds", std::optional(r.measured_seconds));
  out.add("throughput", r.throughput);
  out.add("cpu_us_per_message", r.cpu_us_per_message);
  out.add("generator_cpu_us_per_message", r.generator_cpu_us_per_message);
  out.add("e2e_us", r.e2e);
  out.add("e2e_slow_us", r.e2e_slow);
  out.add("confirm_us", r.confirm);
  out.add("lateness_us", r.lateness);
  out.add("unserved_us", r.unserved);
  out.add("settled_seconds", r.settled_seconds);
  out.add_flag("drained", r.drained);
  out.add("lost",
          r.drained ? std::optional(v.lost) : std::optional<std::uint64_t>());
  out.add("duplicated", v.duplicated);
  out.add("duplicated_raw", v.duplicated_raw);
  out.add("reordered", v.reordered);
  out.add("unexpected", v.unexpected);
  std::map<std::string, std::uint64_t> unexpected_by;
  for (std::size_t i = 0; i < oddities; ++i)
    unexpected_by[oddity_names[i]] = v.unexpected_by[i];
  out.add("unexpected_by", unexpected_by);
  out.add("foreign", v.foreign);
  out.add("unconfirmed", v.unconfirmed);
  out.add("durabilities", r.durabilities);
  out.add("reconnects", r.reconnects);
  out.add("moves", r.moves);
  out.add("resends", r.resends);
  out.add("gave_up", r.gave_up);
  out.add("closes", r.closes);
  out.add("refusals", r.refusals);
  out.add("failures", r.failures);
  out.add("pss_bytes_per_user", r.pss_bytes_per_user);
  out.add("server_pss_bytes", r.server_pss_bytes);
  out.add("journal_records_per_message", r.journal_records_per_message);
  out.add("drained_per_second", r.drained_per_second);
  out.add("cpu_us_per_drained", r.cpu_us_per_drained);
  return out.finish();
}

} // namespace vartalap::load
