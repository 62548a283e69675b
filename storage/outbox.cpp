// Which groups have messages on the way to their members: found at a start
// without reading every mailbox.

#include "core/group.hpp"
#include "storage/lmdb_store.hpp"
#include "storage/record_format.hpp"
#include "storage/write_batch.hpp"

#include <algorithm>

namespace vartalap::storage {

void write_batch::note_outgoing(const op::put& what) {
  const auto& message = *what.message;
  if (!core::is_group_mailbox(message.to) || !is_storable(message.to))
    return;
  if (std::find(what.acked.begin(), what.acked.end(), core::sent_to_all)
      != what.acked.end())
    return forget_outgoing(message.to, message.serverid);
  storage::put(txn_.get(), tables_.outbox,
               mailbox_key(message.to, message.serverid), "");
  dirty_ = true;
}

void write_batch::forget_outgoing(std::string_view user, core::server_id id) {
  if (core::is_group_mailbox(user) && is_storable(user)
      && erase(txn_.get(), tables_.outbox, mailbox_key(user, id)))
    dirty_ = true;
}

std::vector<std::string> lmdb_store::outgoing(const std::string& from,
                                              std::size_t limit) {
  std::vector<std::string> out;
  const auto txn = begin_read(env_.handle());
  cursor at{txn.get(), env_.all().outbox};
  auto more = from.empty() ? at.first() : at.seek(user_key(from));
  for (; more && out.size() < limit; more = at.next()) {
    const auto parts = split_user_key(at.key());
    if (parts && parts->user != from
        && (out.empty() || out.back() != parts->user))
      out.emplace_back(parts->user);
  }
  return out;
}

} // namespace vartalap::storage
