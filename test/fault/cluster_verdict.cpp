#include "test/fault/cluster_verdict.hpp"

#include <rapidjson/document.h>

#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace vartalap::fault {

namespace {

constexpr std::size_t problems_max = 20;

const rapidjson::Value& member(const rapidjson::Value& object,
                               const char* name) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd())
    throw std::runtime_error(std::string("the load tester's report has no ")
                             + name);
  return found->value;
}

std::uint64_t number(const rapidjson::Value& object, const char* name) {
  const auto& value = member(object, name);
  if (!value.IsUint64())
    throw std::runtime_error(std::string("the load tester's report has no"
                                         " number for ")
                             + name);
  return value.GetUint64();
}

std::map<std::string, std::uint64_t> counts(const rapidjson::Value& object,
                                            const char* name) {
  std::map<std::string, std::uint64_t> out;
  for (const auto& one : member(object, name).GetObject())
    out[one.name.GetString()] = one.value.GetUint64();
  return out;
}

std::string listed(const std::map<std::string, std::uint64_t>& counts) {
  std::string out;
  for (const auto& [name, n] : counts)
    out += (out.empty() ? "" : " ") + name + ":" + std::to_string(n);
  return out.empty() ? "-" : out;
}

/// A record: its first four columns, and the bucket among them.
struct record_line {
  std::string key;
  std::string bucket;
};

record_line cut_apart(const std::string& line) {
  const auto first = line.find('\t');
  const auto second = line.find('\t', first + 1);
  const auto third = line.find('\t', second + 1);
  const auto fourth = line.find('\t', third + 1);
  if (third == std::string::npos)
    throw std::runtime_error("no line of `vartalap dump`: " + line);
  return {line.substr(0, fourth), line.substr(first + 1, second - first - 1)};
}

/// Each record's lines, by node.
using records_t = std::map<std::string, std::map<std::size_t, std::string>>;

std::string nodes_of(const std::map<std::size_t, std::string>& lines) {
  std::string out;
  for (const auto& [node, line] : lines)
    out += (out.empty() ? "n" : ", n") + std::to_string(node + 1);
  return out;
}

/// What `vartalap dump` says of a removal, which is no record: nodes forget it
/// when all know of it, each in its own time.
constexpr std::string_view removal = "removal\t";

/// The key of the message that a line says is removed; empty: no such line.
std::string removed_message(const std::string& line) {
  constexpr std::string_view kind = "message\t";
  const auto user = line.find('\t', removal.size()) + 1;
  const auto what = line.find('\t', user) + 1;
  if (!line.starts_with(removal) || user == 0 || what == 0
      || line.compare(what, kind.size(), kind) != 0)
    return {};
  return std::string(kind) + line.substr(removal.size(), what - removal.size())
         + line.substr(what + kind.size());
}

/// Messages that this node has although it knows that they are removed.
std::vector<std::string> risen(const std::string& dump) {
  std::set<std::string> removed;
  std::vector<std::string> out;
  std::istringstream in(dump);
  for (std::string line; std::getline(in, line);)
    if (auto key = removed_message(line); !key.empty())
      removed.insert(std::move(key));
  in = std::istringstream(dump);
  for (std::string line; std::getline(in, line);)
    if (removed.contains(line.substr(0, line.rfind('\t'))))
      out.push_back(line);
  return out;
}

records_t read(const std::vector<std::string>& dumps,
               std::map<std::string, std::string>* buckets) {
  records_t out;
  for (std::size_t node = 0; node < dumps.size(); ++node) {
    std::istringstream in(dumps[node]);
    for (std::string line; std::getline(in, line);) {
      const auto what = cut_apart(line);
      if (line.starts_with(removal))
        continue;
      out[what.key][node] = line;
      if (buckets != nullptr)
        (*buckets)[what.key] = what.bucket;
    }
  }
  return out;
}

} // namespace

load_verdict read_verdict(const std::string& json) {
  rapidjson::Document report;
  report.Parse(json.data(), json.size());
  if (report.HasParseError() || !report.IsObject())
    throw std::runtime_error("no report of the load tester: " + json);
  load_verdict out;
  out.confirmed = number(report, "confirmed");
  out.unconfirmed = number(report, "unconfirmed");
  out.refused = number(report, "refused");
  out.lost = number(report, "lost");
  out.unexpected = number(report, "unexpected");
  out.duplicated = number(report, "duplicated");
  out.duplicated_raw = number(report, "duplicated_raw");
  out.reordered = number(report, "reordered");
  out.gave_up = number(report, "gave_up");
  out.moves = number(report, "moves");
  out.reconnects = number(report, "reconnects");
  out.confirm_p99_us = number(member(report, "confirm_us"), "p99");
  out.unserved_max_us = number(member(report, "unserved_us"), "max");
  const auto& settled = member(report, "settled_seconds");
  if (settled.IsNumber())
    out.settled_seconds = settled.GetDouble();
  out.refusals = counts(report, "refusals");
  out.durabilities = counts(report, "durabilities");
  return out;
}

std::string summary(const load_verdict& v) {
  std::ostringstream out;
  out << v.confirmed << " confirmed (" << listed(v.durabilities) << "), "
      << v.unconfirmed << " unconfirmed, " << v.refused << " refused (refusals "
      << listed(v.refusals) << "), " << v.lost << " lost, " << v.unexpected
      << " unexpected, " << v.duplicated << " duplicated, " << v.duplicated_raw
      << " repeats dropped, " << v.reordered << " reordered, " << v.moves
      << " moves, " << v.reconnects << " reconnects, " << v.gave_up
      << " gave up, confirmed within " << v.confirm_p99_us / 1000
      << " ms (p99), longest unserved " << v.unserved_max_us / 1000
      << " ms, settled after ";
  if (v.settled_seconds)
    out << *v.settled_seconds << " s";
  else
    out << "never";
  return out.str();
}

std::vector<std::string> compare_copies(const std::vector<std::string>& dumps,
                                        std::size_t copies) {
  std::map<std::string, std::string> buckets;
  const auto records = read(dumps, &buckets);
  std::map<std::string, std::string> holders; ///< of a bucket
  std::vector<std::string> problems;
  for (std::size_t node = 0; node < dumps.size(); ++node)
    for (const auto& line : risen(dumps[node]))
      problems.push_back("n" + std::to_string(node + 1)
                         + " has removed and still has " + line);
  for (const auto& [key, lines] : records) {
    if (problems.size() >= problems_max)
      break;
    const auto nodes = nodes_of(lines);
    if (lines.size() != copies)
      problems.push_back(key + ": at " + nodes + ", not at "
                         + std::to_string(copies) + " nodes");
    for (const auto& [node, line] : lines)
      if (line != lines.begin()->second)
        problems.push_back("n" + std::to_string(lines.begin()->first + 1)
                           + " has " + lines.begin()->second + ", n"
                           + std::to_string(node + 1) + " has " + line);
    const auto& bucket = buckets[key];
    const auto& others = holders.try_emplace(bucket, nodes).first->second;
    if (others != nodes && lines.size() == copies)
      problems.push_back(key + ": at " + nodes + ", others of bucket " + bucket
                         + " at " + others);
  }
  return problems;
}

std::size_t count_messages(const std::vector<std::string>& dumps) {
  std::size_t n = 0;
  for (const auto& [key, lines] : read(dumps, nullptr))
    n += key.starts_with("message\t") ? 1 : 0;
  return n;
}

std::vector<std::string>
missing_from(const std::vector<std::string>& dumps,
             const std::vector<std::string>& server_ids) {
  std::set<std::string> there;
  for (const auto& [key, lines] : read(dumps, nullptr))
    there.insert(key.substr(key.rfind('\t') + 1));
  std::vector<std::string> out;
  for (const auto& id : server_ids)
    if (!there.contains(id))
      out.push_back(id);
  return out;
}

} // namespace vartalap::fault
