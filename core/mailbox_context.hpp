#pragma once

#include "core/counters.hpp"
#include "core/dedupe_window.hpp"
#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/options.hpp"

#include <cstddef>

namespace vartalap::core {

/// What the mailboxes of one shard share. The shell owns it and keeps it
/// alive; everything in it belongs to the shard's thread.
struct mailbox_context {
  const delivery_options& delivery;
  const limit_options& limits;
  durability stored_as;      ///< disk or written: what a commit reaches
  std::size_t memory_budget; ///< bytes: this shard's part of the node's
  dedupe_window& dedupe;
  server_id_clock& ids;
  mailbox_counters& counters;
  /// What is found on this disk may lack copies on other nodes: a resend is
  /// confirmed once they are made, not because it is here.
  bool needs_copies = false;
  /// Other nodes may bring messages (`mailbox::merge`).
  bool may_merge = false;
};

} // namespace vartalap::core
