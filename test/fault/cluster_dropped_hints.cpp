// Linked into a server of the tests around store::open: a node that starts
// drops what it keeps for nodes that are away. Of clusters of the rig with one
// replica.
#include "core/placement.hpp"
#include "runtime/member_list.hpp"
#include "storage/store.hpp"

namespace vartalap::fault {

std::unique_ptr<storage::store> open_really(
  const std::string& directory, const core::storage_options& options,
  core::milliseconds ttl, unsigned shards, storage::completion_sink& sink,
  core::log_port&
    log) asm("__real__ZN8vartalap7storage5store4openERKNSt7__cxx1112basic_"
             "stringIcSt11char_traitsIcESaIcEEERKNS_4core15storage_"
             "optionsENSt6chrono8durationIlSt5ratioILl1ELl1000EEEEjRNS0_"
             "15completion_sinkERNSA_8log_portE");

std::unique_ptr<storage::store> open_forgetful(
  const std::string& directory, const core::storage_options& options,
  core::milliseconds ttl, unsigned shards, storage::completion_sink& sink,
  core::log_port&
    log) asm("__wrap__ZN8vartalap7storage5store4openERKNSt7__cxx1112basic_"
             "stringIcSt11char_traitsIcESaIcEEERKNS_4core15storage_"
             "optionsENSt6chrono8durationIlSt5ratioILl1ELl1000EEEEjRNS0_"
             "15completion_sinkERNSA_8log_portE");

namespace {

constexpr std::size_t replicas = 1;

class nobody final : public storage::completion_sink {
  void completed(unsigned, std::vector<storage::completion>) override {
  }
  void storage_failed(const std::string&) override {
  }
  void expired(std::string, std::vector<core::server_id>) override {
  }
};

/// Removes what is held for others. @param me This node's name.
void drop_hints(storage::store& from, std::string_view me) {
  const auto members = runtime::parse_member_list(from.members());
  if (!members)
    return; // its first start
  const core::placement where(runtime::names_of(*members));
  std::vector<storage::request> removals;
  for (const auto& each :
       from.digests(0, static_cast<std::uint32_t>(core::bucket_count)))
    if (where.rank(each.bucket, where.find(me)) > replicas)
      for (auto& one : from.list_bucket(each.bucket).messages)
        removals.push_back(
          {0, 0,
           storage::op::remove{std::move(one.user), one.serverid,
                               storage::remembrance::none}});
  from.submit(std::move(removals));
  from.close();
}

} // namespace

std::unique_ptr<storage::store>
open_forgetful(const std::string& directory,
               const core::storage_options& options, core::milliseconds ttl,
               unsigned shards, storage::completion_sink& sink,
               core::log_port& log) {
  // The rig names a folder after its node: data-n1.
  const auto name = directory.substr(directory.rfind('-') + 1);
  nobody unheard;
  drop_hints(*open_really(directory, options, ttl, shards, unheard, log), name);
  return open_really(directory, options, ttl, shards, sink, log);
}

} // namespace vartalap::fault
