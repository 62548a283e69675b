// Linked into a server of the tests around the constructor of replicator: it
// confirms what this node alone has committed, whatever min_copies says.
#include "core/replicator.hpp"

namespace vartalap::fault {

void construct_really(
  core::replicator* self,
  const core::replication_rules&
    rules) asm("__real__ZN8vartalap4core10replicatorC1ERKNS0_17replication_"
               "rulesE");

void construct_hasty(
  core::replicator* self,
  const core::replication_rules&
    rules) asm("__wrap__ZN8vartalap4core10replicatorC1ERKNS0_17replication_"
               "rulesE");

void construct_hasty(core::replicator* self,
                     const core::replication_rules& rules) {
  auto hasty = rules;
  hasty.min_copies = 1;
  construct_really(self, hasty);
}

} // namespace vartalap::fault
