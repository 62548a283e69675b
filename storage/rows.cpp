// Rows of users: access keys, blocks.

#include "storage/lmdb_store.hpp"
#include "storage/record_format.hpp"
#include "storage/write_batch.hpp"

namespace vartalap::storage {

namespace {

constexpr std::size_t name_bytes_max = 128;

/// The user's key, then kind and name.
std::string row_key(std::string_view user, row_kind kind,
                    std::string_view name) {
  const auto prefix = user_key(user);
  std::string out{std::string_view{prefix}};
  out.push_back(static_cast<char>(kind));
  out.append(name);
  return out;
}

bool is_row(std::string_view user, std::string_view name) noexcept {
  return !user.empty() && user.size() <= core::user_id_bytes_max
         && name.size() <= name_bytes_max;
}

} // namespace

void write_batch::carry_out(const op::put_row& what) {
  if (!is_row(what.user, what.name))
    return;
  const auto key = row_key(what.user, what.kind, what.name);
  encode_checked(buffers_.value, key, what.value);
  put(txn_.get(), tables_.rows, key, buffers_.value);
  dirty_ = true;
}

void write_batch::carry_out(const op::erase_row& what) {
  if (is_row(what.user, what.name)
      && erase(txn_.get(), tables_.rows,
               row_key(what.user, what.kind, what.name)))
    dirty_ = true;
}

std::vector<row> lmdb_store::rows(std::string_view user, row_kind kind) {
  std::vector<row> out;
  if (!is_row(user, {}))
    return out;
  const auto start = row_key(user, kind, {});
  const auto txn = begin_read(env_.handle());
  cursor at{txn.get(), env_.all().rows};
  for (auto more = at.seek(start); more && at.key().starts_with(start);
       more = at.next())
    if (const auto value = read_checked(at.key(), at.value()))
      out.push_back(
        {std::string{at.key().substr(start.size())}, std::string{*value}});
  return out;
}

} // namespace vartalap::storage
