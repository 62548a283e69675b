// Linked into a server of the tests around writer::submit: what is removed is
// gone, and no tombstone tells who was away.
#include "storage/writer.hpp"

namespace vartalap::fault {

void submit_really(
  storage::writer* self,
  std::vector<storage::request>
    batch) asm("__real__ZN8vartalap7storage6writer6submitESt6vectorINS0_"
               "7requestESaIS3_EE");

void submit_forgetful(
  storage::writer* self,
  std::vector<storage::request>
    batch) asm("__wrap__ZN8vartalap7storage6writer6submitESt6vectorINS0_"
               "7requestESaIS3_EE");

void submit_forgetful(storage::writer* self,
                      std::vector<storage::request> batch) {
  for (auto& each : batch)
    if (auto* remove = std::get_if<storage::op::remove>(&each.what))
      remove->remember = storage::remembrance::none;
  submit_really(self, std::move(batch));
}

} // namespace vartalap::fault
