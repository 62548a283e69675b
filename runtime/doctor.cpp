#include "runtime/doctor.hpp"

#include "runtime/config.hpp"
#include "runtime/doctor_checks.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <ostream>

namespace vartalap::runtime {

namespace {

struct topic {
  const char* name;
  std::function<findings(const patient&)> look;
};

const std::array<topic, 6>& topics() {
  static const std::array<topic, 6> all{
    {{"limits", look_at_limits},
     {"clock", [](const patient&) { return look_at_clock(); }},
     {"disk", look_at_disk},
     {"permissions", look_at_permissions},
     {"ports", look_at_ports},
     {"certificates", look_at_certificates}}};
  return all;
}

} // namespace

void add_doctor_options(CLI::App& app, doctor_request& request) {
  std::vector<std::string> names;
  for (const auto& each : topics())
    names.emplace_back(each.name);
  app.add_option("--config", request.config, "The cluster's file")
    ->capture_default_str();
  app.add_option("--node", request.node,
                 "The node of this machine; not needed where the file has one");
  app.add_option("--skip", request.skip, "Topics that are not looked at")
    ->delimiter(',')
    ->check(CLI::IsMember(names));
}

int run_doctor(const doctor_request& request, std::ostream& out,
               std::ostream& err) {
  try {
    const auto options = load_config(request.config);
    const auto& node = find_node(options, request.node);
    const patient who{options, node, request.config, holder_of(node.data)};
    std::size_t bad = 0;
    for (const auto& each : topics()) {
      if (std::find(request.skip.begin(), request.skip.end(), each.name)
          != request.skip.end())
        continue;
      for (const auto& found : each.look(who)) {
        out << (found.is_fine ? "ok    " : "mend  ") << each.name << ": "
            << found.text << '\n';
        bad += found.is_fine ? 0 : 1;
      }
    }
    out << "node " << node.name << ": ";
    if (bad == 0)
      out << "fine\n";
    else
      out << bad << (bad == 1 ? " finding\n" : " findings\n");
    return bad == 0 ? 0 : 1;
  } catch (const std::exception& problem) {
    err << problem.what() << '\n';
    return 2;
  }
}

} // namespace vartalap::runtime
