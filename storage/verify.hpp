#pragma once

#include "storage/lmdb_access.hpp"
#include "storage/store.hpp"

namespace vartalap::storage {

/// As `verify`, for an environment that is open already.
/// @throws std::runtime_error where a table cannot be read at all.
verify_report verify_environment(MDB_env* env);

} // namespace vartalap::storage
