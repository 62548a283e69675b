#include "actors/shard_context.hpp"

#include "actors/replicated_store.hpp"

#include <chrono>
#include <utility>

namespace vartalap::actors {

namespace {

/// Each shard makes serverIds of its own: the incarnation's low byte is the
/// shard, whatever the number of shards of this start.
constexpr std::uint32_t shards_max = 256;

/// Under which storage answers changes of rows; no actor has it.
constexpr auto rows_owner = ~std::uint64_t{0};

std::uint64_t wall_now() {
  return static_cast<std::uint64_t>(
    std::chrono::duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
}

core::durability stored_as(core::durability_mode mode) {
  return mode == core::durability_mode::strict ? core::durability::disk
                                               : core::durability::written;
}

} // namespace

shard_context& node_context::shard_of(std::string_view user) const {
  return *shards[core::stable_hash(user) % shards.size()];
}

shard_context::shard_context(node_context& node_, net::shard& home_,
                             const storage::identity& who, unsigned shard_count)
  : node(node_), home(home_),
    dedupe(node.options.delivery.dedupe_for, node.options.delivery.dedupe_ids),
    ids(who.node_number, who.incarnation * shards_max + home.index(),
        &node.clock),
    mailboxes{node.options.delivery,
              node.options.limits,
              stored_as(node.options.storage.durability),
              node.options.limits.memory_budget / shard_count,
              dedupe,
              ids,
              counters} {
  // A clock that was set back must not make ids below those that clients know.
  ids.observe({who.newest_ms << 16 | 0xffff, ~std::uint64_t{0}});
}

shard_context::~shard_context() = default;

core::instant shard_context::now() const {
  return {home.now(), wall_now()};
}

void shard_context::store(std::uint64_t owner, storage::operation what) {
  if (!copies)
    return store_here(owner, std::move(what));
  const auto when = now();
  copies->store(owner, std::move(what), when.mono, when.wall);
  // A refusal is known at once, but never before the effects are carried out.
  flush_soon();
}

void shard_context::store_here(std::uint64_t owner, storage::operation what) {
  flush_soon();
  gathered_.push_back({home.index(), owner, std::move(what)});
}

void shard_context::change_row(storage::operation what,
                               std::function<void(bool)> done) {
  row_changes_.push_back(std::move(done));
  store_here(rows_owner, std::move(what));
}

void shard_context::flush_soon() {
  if (!std::exchange(flush_due_, true))
    home.flush_at_end(*this);
}

void shard_context::flush() {
  flush_due_ = false;
  flush_now();
}

void shard_context::flush_now() {
  if (copies)
    hand_out(copies->take_ready());
  std::vector<storage::request> batch;
  batch.swap(gathered_);
  node.store.submit(std::move(batch));
}

void shard_context::completed(std::vector<storage::completion> batch) {
  if (!copies)
    return hand_out(std::move(batch));
  std::vector<storage::completion> through;
  through.reserve(batch.size());
  for (const auto& one : batch)
    copies->completed(one, through);
  hand_out(std::move(through));
}

void shard_context::hand_out(std::vector<storage::completion> batch) {
  // Consecutive ones of an owner travel together; a commit brings most of a
  // mailbox's side by side.
  for (std::size_t i = 0; i < batch.size();) {
    const auto owner = batch[i].owner;
    if (owner == rows_owner) {
      const auto done = std::move(row_changes_.front());
      row_changes_.pop_front();
      done(batch[i++].result == storage::outcome::done);
      continue;
    }
    storage_done done;
    for (; i < batch.size() && batch[i].owner == owner; ++i)
      done.items.push_back(batch[i]);
    const auto found = deliveries.find(owner);
    if (found != deliveries.end())
      tell(found->second, std::move(done));
  }
}

} // namespace vartalap::actors
