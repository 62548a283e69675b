// Linked into a server of the tests in the place of store::open: its
// completions go out before the commit, so that a kill between the two loses
// what was confirmed. The disk is as slow as a bad one, so that kills at random
// moments meet that gap.
#include "storage/lmdb_store.hpp"

#include <poll.h>

namespace vartalap::fault {

std::unique_ptr<storage::store> open_hasty(
  const std::string& directory, const core::storage_options& options,
  core::milliseconds ttl, unsigned shards, storage::completion_sink& sink,
  core::log_port&
    log) asm("__wrap__ZN8vartalap7storage5store4openERKNSt7__cxx1112basic_"
             "string"
             "IcSt11char_traitsIcESaIcEEERKNS_4core15storage_"
             "optionsENSt6chrono8"
             "durationIlSt5ratioILl1ELl1000EEEEjRNS0_15completion_sinkERNSA_8"
             "log_portE");

std::unique_ptr<storage::store>
open_hasty(const std::string& directory, const core::storage_options& options,
           core::milliseconds ttl, unsigned shards,
           storage::completion_sink& sink, core::log_port& log) {
  storage::store_hooks hooks;
  hooks.faults.confirm_before_commit = true;
  constexpr int slow_disk_ms = 20;
  hooks.faults.confirmed_early = [] { ::poll(nullptr, 0, slow_disk_ms); };
  return std::make_unique<storage::lmdb_store>(directory, options, ttl, shards,
                                               sink, log, hooks);
}

} // namespace vartalap::fault
