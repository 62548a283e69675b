#include "bench/report.hpp"

#include <iomanip>
#include <ostream>

namespace vartalap::bench {

namespace {

void write_json_quantiles(std::ostream& out, const char* name,
                          const latency_histogram& h) {
  out << ",\"" << name << "\":{\"p50\":" << h.quantile(0.5)
      << ",\"p99\":" << h.quantile(0.99) << ",\"p999\":" << h.quantile(0.999)
      << '}';
}

void write_text_quantiles(std::ostream& out, const char* name,
                          const latency_histogram& h) {
  if (h.count() == 0)
    return;
  out << name << "p50 " << h.quantile(0.5) << " µs, p99 " << h.quantile(0.99)
      << " µs, p99.9 " << h.quantile(0.999) << " µs\n";
}

} // namespace

void write_json(std::ostream& out, const report& r) {
  out << std::fixed << std::setprecision(2) << "{\"scenario\":\"" << r.scenario
      << "\",\"users\":" << r.users << ",\"seconds\":" << r.seconds
      << ",\"messages\":" << r.messages << ",\"throughput\":" << r.throughput;
  if (r.cpu_us_per_message)
    out << ",\"cpu_us_per_message\":" << *r.cpu_us_per_message;
  if (r.generator_cpu_us_per_message)
    out << ",\"generator_cpu_us_per_message\":"
        << *r.generator_cpu_us_per_message;
  if (r.pss_bytes_per_user)
    out << ",\"pss_bytes_per_user\":" << *r.pss_bytes_per_user;
  if (r.drained_per_second)
    out << ",\"drained_per_second\":" << *r.drained_per_second;
  if (r.cpu_us_per_drained)
    out << ",\"cpu_us_per_drained\":" << *r.cpu_us_per_drained;
  write_json_quantiles(out, "e2e_us", r.e2e);
  write_json_quantiles(out, "confirm_us", r.confirm);
  out << ",\"lost\":" << r.lost << ",\"duplicated\":" << r.duplicated
      << ",\"reordered\":" << r.reordered << ",\"unexpected\":" << r.unexpected
      << "}\n";
}

void write_text(std::ostream& out, const report& r) {
  out << std::fixed << std::setprecision(1);
  out << "scenario    " << r.scenario << ", " << r.users << " users, "
      << r.seconds << " s\n";
  out << "messages    " << r.messages << " (" << r.throughput << "/s)\n";
  if (r.cpu_us_per_message)
    out << "server CPU  " << *r.cpu_us_per_message << " µs a message\n";
  if (r.generator_cpu_us_per_message)
    out << "driver CPU  " << *r.generator_cpu_us_per_message
        << " µs a message\n";
  if (r.pss_bytes_per_user)
    out << "server PSS  " << *r.pss_bytes_per_user << " bytes a user\n";
  if (r.drained_per_second)
    out << "drained     " << *r.drained_per_second << "/s\n";
  if (r.cpu_us_per_drained)
    out << "server CPU  " << *r.cpu_us_per_drained << " µs a drained message\n";
  write_text_quantiles(out, "end to end  ", r.e2e);
  write_text_quantiles(out, "confirmed   ", r.confirm);
  out << "lost " << r.lost << ", duplicated " << r.duplicated << ", reordered "
      << r.reordered << ", unexpected " << r.unexpected << '\n';
}

} // namespace vartalap::bench
