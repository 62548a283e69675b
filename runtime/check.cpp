#include "runtime/check.hpp"

#include "net/push_keys.hpp"
#include "runtime/config.hpp"
#include "runtime/config_print.hpp"
#include "runtime/host_facts.hpp"

#include <exception>
#include <ostream>

namespace vartalap::runtime {

int run_check(const check_request& request, std::ostream& out,
              std::ostream& err) {
  if (request.defaults) {
    out << default_config();
    return 0;
  }
  const auto result = read_config(request.config);
  for (const auto& problem : result.problems)
    err << to_text(problem) << '\n';
  if (!result.ok()) {
    const auto count = result.problems.size();
    err << request.config << ": " << count
        << (count == 1 ? " error\n" : " errors\n");
    return 2;
  }
  try {
    net::load_push_keys(result.options.push);
  } catch (const std::exception& problem) {
    err << request.config << ": " << problem.what() << '\n';
    return 2;
  }
  if (request.look_at_files) {
    const auto problems = request.look_at_files(result.options);
    for (const auto& problem : problems)
      err << problem << '\n';
    if (!problems.empty())
      return 2;
  }
  for (const auto& node : result.options.nodes) {
    const auto host = read_host_facts(node.data);
    for (const auto& warning : host_warnings(host, result.options))
      err << "warning: node " << node.name << ": " << warning << '\n';
  }
  out << request.config << ": ok, " << result.options.nodes.size()
      << (result.options.nodes.size() == 1 ? " node (" : " nodes (")
      << result.options.nodes.front().name << ", clients on "
      << result.options.nodes.front().client << ")\n";
  return 0;
}

} // namespace vartalap::runtime
