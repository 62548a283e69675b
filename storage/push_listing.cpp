// The durable push queue: what is written of it, and what a reader finds.

#include "storage/lmdb_store.hpp"
#include "storage/push_format.hpp"
#include "storage/record_format.hpp"
#include "storage/write_batch.hpp"

#include <utility>

namespace vartalap::storage {

void write_batch::carry_out(const op::note_push& what) {
  if (!is_storable(what.user))
    return;
  const auto key = user_key(what.user);
  const auto before = get(txn_.get(), tables_.push, key);
  if (!before && (!what.raise || what.if_raised))
    return; // A device was quicker.
  if (!what.raise) {
    const auto known = read_push(key, *before);
    if (known && known->episode != what.record.episode)
      return; // It is another event by now.
  }
  encode_push(buffers_.value, key, what.record);
  put(txn_.get(), tables_.push, key, buffers_.value);
  dirty_ = true;
}

push_page lmdb_store::list_pushes(const std::string& from, std::size_t limit) {
  push_page out;
  const auto txn = begin_read(env_.handle());
  cursor at{txn.get(), env_.all().push};
  auto more = from.empty() ? at.first() : at.seek(from);
  for (; more && limit > 0; more = at.next(), --limit) {
    const auto parts = split_user_key(at.key());
    if (!parts)
      continue;
    auto record = read_push(at.key(), at.value()).value_or(core::push_record{});
    if (!record.done)
      out.records.emplace_back(parts->user, std::move(record));
  }
  if (more)
    out.next = at.key();
  return out;
}

} // namespace vartalap::storage
