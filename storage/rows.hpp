#pragma once

#include <cstdint>
#include <string>

namespace vartalap::storage {

/// What a row of a user is.
enum class row_kind : std::uint8_t {
  access_key = 1, ///< name: the key's hash
  block = 2,      ///< name: the blocked user
};

/// A small fact about a user, told apart by kind and name.
struct row {
  std::string name;
  std::string value;
};

namespace op {
/// Writes a row, or replaces it.
struct put_row {
  std::string user;
  row_kind kind = row_kind::access_key;
  std::string name; ///< at most 128 bytes
  std::string value;
};
struct erase_row {
  std::string user;
  row_kind kind = row_kind::access_key;
  std::string name;
};
} // namespace op

} // namespace vartalap::storage
