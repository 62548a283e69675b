#include "runtime/metrics_collect.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace vartalap::runtime {

namespace {

struct mailbox_field {
  std::string_view name;
  std::uint64_t core::mailbox_counters::*field;
  bool total; ///< false: a value of now
};

using counters = core::mailbox_counters;

constexpr std::array<mailbox_field, 22> mailbox_fields{{
  {"mailbox_received_total", &counters::received, true},
  {"mailbox_pending_at_open_total", &counters::pending_at_open, true},
  {"mailbox_closed_pending_total", &counters::closed_pending, true},
  {"mailbox_acknowledged_total", &counters::acknowledged, true},
  {"mailbox_refused_total", &counters::refused, true},
  {"mailbox_expired_total", &counters::expired, true},
  {"mailbox_erased_total", &counters::erased, true},
  {"mailbox_quarantined_total", &counters::quarantined, true},
  {"mailbox_cancelled_total", &counters::cancelled, true},
  {"mailbox_pending", &counters::pending, false},
  {"mailbox_rejected_total", &counters::rejected, true},
  {"mailbox_duplicates_total", &counters::duplicates, true},
  {"mailbox_ephemeral_relayed_total", &counters::ephemeral_relayed, true},
  {"mailbox_ephemeral_dropped_total", &counters::ephemeral_dropped, true},
  {"mailbox_delivered_total", &counters::delivered, true},
  {"mailbox_redelivered_total", &counters::redelivered, true},
  {"mailbox_confirmed_memory_total", &counters::confirmed_memory, true},
  {"mailbox_confirmed_disk_total", &counters::confirmed_disk, true},
  {"mailbox_stored_total", &counters::stored, true},
  {"mailbox_undelivered_total", &counters::undelivered, true},
  {"mailbox_stuck", &counters::stuck, false},
  {"mailbox_offline_events_total", &counters::offline_events, true},
}};
// memory_bytes is a std::size_t and stands beside the table.
static_assert(sizeof(counters)
                == (mailbox_fields.size() + 1) * sizeof(std::uint64_t),
              "mailbox_counters has a field that no metric shows");

struct group_field {
  std::string_view name;
  std::uint64_t core::group_counters::*field;
  std::string_view labels{};
};

using of_group = core::group_counters;

constexpr std::array<group_field, 7> group_fields{{
  {"group_messages_total", &of_group::accepted},
  {"group_copies_total", &of_group::sent, R"(what="sent")"},
  {"group_copies_total", &of_group::refused, R"(what="refused")"},
  {"group_copies_total", &of_group::retried, R"(what="to_retry")"},
  {"group_copies_total", &of_group::expired, R"(what="expired")"},
  {"group_copies_total", &of_group::given_up, R"(what="given_up")"},
  {"group_finished_total", &of_group::finished},
}};
static_assert(sizeof(of_group) == group_fields.size() * sizeof(std::uint64_t),
              "group_counters has a field that no metric shows");

struct store_field {
  std::string_view name;
  std::uint64_t storage::store_status::*field;
  bool total;
};

using status_type = storage::store_status;

constexpr std::array<store_field, 14> store_fields{{
  {"storage_journal_records", &status_type::journal_records, false},
  {"storage_journal_bytes", &status_type::journal_bytes, false},
  {"storage_settled_records", &status_type::settled_records, false},
  {"storage_queue_operations", &status_type::queue, false},
  {"storage_commits_total", &status_type::commits, true},
  {"storage_appended_total", &status_type::appended, true},
  {"storage_annihilated_total", &status_type::annihilated, true},
  {"storage_settled_total", &status_type::settled, true},
  {"storage_quarantined_total", &status_type::quarantined, true},
  {"storage_expired_total", &status_type::expired, true},
  {"storage_removals", &status_type::removals, false},
  {"storage_map_used_bytes", &status_type::map_used_bytes, false},
  {"storage_map_bytes", &status_type::map_bytes, false},
  {"storage_disk_free_bytes", &status_type::disk_free_bytes, false},
}};
// Three flags, which share the first eight bytes, stand beside the table.
static_assert(sizeof(status_type)
                == (store_fields.size() + 1) * sizeof(std::uint64_t),
              "store_status has a field that no metric shows");

/// By core::push_outcome::kind.
constexpr std::array<std::string_view, core::push_outcomes>
  push_outcome_metrics{"push_delivered_total", "push_retry_total",
                       "push_dead_total", "push_rejected_total",
                       "push_misconfigured_total"};
double number(const std::atomic<std::uint64_t>& n) {
  return static_cast<double>(n.load(std::memory_order_relaxed));
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec)
         + static_cast<double>(time.tv_usec) / 1e6;
}

} // namespace

void accumulate(core::mailbox_counters& sum,
                const core::mailbox_counters& shard) {
  for (const auto& each : mailbox_fields)
    sum.*each.field += shard.*each.field;
  sum.memory_bytes += shard.memory_bytes;
}

void publish(process_metrics& metrics, const core::mailbox_counters& sum) {
  for (const auto& each : mailbox_fields) {
    const auto value = static_cast<double>(sum.*each.field);
    if (each.total)
      metrics.set_total(each.name, value);
    else
      metrics.set(each.name, value);
  }
  metrics.set("mailbox_memory_bytes", static_cast<double>(sum.memory_bytes));
}

void accumulate(core::connection_counters& sum,
                const core::connection_counters& shard) {
  for (std::size_t i = 0; i < sum.refused.size(); ++i)
    sum.refused[i] += shard.refused[i];
  sum.rate_pauses += shard.rate_pauses;
  sum.unconfirmed_pauses += shard.unconfirmed_pauses;
}

void publish(process_metrics& metrics, const core::connection_counters& sum) {
  for (std::size_t i = 1; i < sum.refused.size(); ++i) {
    const auto code = core::to_string(static_cast<core::refusal>(i));
    metrics.set_total("error_frames_total", static_cast<double>(sum.refused[i]),
                      "code=\"" + std::string(code) + "\"");
  }
  metrics.set_total("limit_hits_total", static_cast<double>(sum.rate_pauses),
                    R"(limit="message_rate")");
  metrics.set_total("limit_hits_total",
                    static_cast<double>(sum.unconfirmed_pauses),
                    R"(limit="unconfirmed")");
}

void accumulate(core::group_counters& sum, const core::group_counters& shard) {
  for (const auto& each : group_fields)
    sum.*each.field += shard.*each.field;
}

void publish(process_metrics& metrics, const core::group_counters& sum) {
  for (const auto& each : group_fields)
    metrics.set_total(each.name, static_cast<double>(sum.*each.field),
                      each.labels);
}

void publish(process_metrics& metrics, const storage::store_status& status) {
  metrics.set("storage_accepting", status.accepting ? 1 : 0);
  metrics.set("storage_failed", status.failed ? 1 : 0);
  metrics.set("storage_expiry_paused", status.expiry_paused ? 1 : 0);
  for (const auto& each : store_fields) {
    const auto value = static_cast<double>(status.*each.field);
    if (each.total)
      metrics.set_total(each.name, value);
    else
      metrics.set(each.name, value);
  }
}

void publish(process_metrics& metrics,
             const actors::push_board::picture& seen) {
  const auto total = [&metrics](std::string_view name, std::uint64_t value,
                                std::string_view label = {}) {
    metrics.set_total(name, static_cast<double>(value), label);
  };
  const auto& counters = seen.counters;
  metrics.set("push_queue", static_cast<double>(seen.waiting));
  total("push_events_total", counters.events);
  total("push_cancelled_total", counters.cancelled);
  total("push_nobody_total", counters.nobody);
  total("push_gave_up_total", counters.gave_up);
  total("push_tokens_dropped_total", counters.dropped);
  for (std::size_t i = 1; i < core::push_platforms; ++i) {
    const auto platform = static_cast<core::push_platform>(i);
    const auto label = "provider=\"" + std::string(core::to_string(platform))
                       + "\"";
    for (std::size_t j = 0; j < core::push_outcomes; ++j)
      total(push_outcome_metrics[j], counters.outcomes[i][j], label);
  }
}

void publish(process_metrics& into, const net::listener_counters& c) {
  into.set("connections", number(c.connections));
  into.set_total("connections_total", number(c.accepted));
  into.set_total("connections_upgraded_total", number(c.upgraded));
  into.set_total("http_requests_total", number(c.http_requests));
  into.set_total("connections_refused_total", number(c.refused_address),
                 R"(reason="address")");
  into.set_total("connections_refused_total", number(c.refused_total),
                 R"(reason="total")");
  into.set_total("connections_refused_total", number(c.out_of_files),
                 R"(reason="files")");
  for (std::size_t i = 0; i < c.closed.size(); ++i)
    into.set_total("connections_closed_total", number(c.closed[i]),
                   "code=\"" + std::to_string(net::counted_close_codes[i])
                     + "\"");
  into.set_total("frames_total", number(c.frames_in), R"(direction="in")");
  into.set_total("frames_total", number(c.frames_out), R"(direction="out")");
  into.set_total("limit_hits_total", number(c.slow_consumers),
                 R"(limit="output_bytes")");
  into.set_total("limit_hits_total", number(c.floods),
                 R"(limit="control_frames_per_second")");
  into.set_total("limit_hits_total", number(c.timeouts), R"(limit="timeouts")");
}

void publish(process_metrics& into, net::shard& shard) {
  const auto label = "shard=\"" + std::to_string(shard.index()) + "\"";
  auto& turning = shard.counters();
  const auto lag = turning.lag_max_us.exchange(0);
  into.observe("loop_lag_seconds", static_cast<double>(lag) / 1e6, label);
  into.set_total("shard_turns_total", number(turning.turns), label);
  into.set_total("shard_events_total", number(turning.events), label);
  into.set_total("shard_busy_seconds_total", number(turning.busy_us) / 1e6,
                 label);
  into.set("shard_shares_thread", turning.shares.load() ? 1 : 0, label);
}

void publish_process(process_metrics& metrics) {
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  if (std::ifstream in("/proc/self/statm"); in >> pages >> resident)
    metrics.set("process_resident_bytes",
                static_cast<double>(resident)
                  * static_cast<double>(sysconf(_SC_PAGESIZE)));
  std::error_code failed;
  std::uint64_t files = 0;
  for (auto entry
       = std::filesystem::directory_iterator("/proc/self/fd", failed);
       !failed && entry != std::filesystem::directory_iterator();
       entry.increment(failed))
    ++files;
  if (!failed)
    metrics.set("process_open_files", static_cast<double>(files));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    metrics.set("process_open_files_max", static_cast<double>(limit.rlim_cur));
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    metrics.set_total("process_cpu_seconds_total",
                      seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

} // namespace vartalap::runtime
