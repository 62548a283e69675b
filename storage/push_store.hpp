#pragma once

#include "core/push_queue.hpp"

#include <string>
#include <utility>
#include <vector>

/// The store's part in waking users: one operation, and a page of what is on
/// disk. See store.hpp.
namespace vartalap::storage {

namespace op {

/// How far a user's wake-up has come. `raise`: the event is a new one; where
/// `if_raised`, a put of the same transaction or an earlier one carries it,
/// and without it nothing is written. Else only an event of the same episode
/// is changed.
struct note_push {
  std::string user;
  core::push_record record;
  bool raise = false;
  bool if_raised = false;
};

} // namespace op

/// Offline events that nobody is done with, some of them.
struct push_page {
  std::vector<std::pair<std::string, core::push_record>> records; ///< by user
  std::string next; ///< where to go on; empty: at the end
};

} // namespace vartalap::storage
