#pragma once

#include <iosfwd>
#include <string>

namespace vartalap::runtime {

/// `vartalap dump DATA`: what a node's data folder holds, one record a line,
/// for comparing nodes. Columns, separated by tabs:
/// - `message`, bucket, user, serverId, the devices that have acknowledged it,
///   sorted, with commas between them (`-`: none)
/// - `device`, bucket, user, device
/// - `removal`, bucket, user, `message`, serverId; or `removal`, bucket, user,
///   `device`, device: a tombstone, which other nodes need not have or may have
///   forgotten already
/// Lines are sorted, so that nodes with equal copies give equal output. Only
/// reads; keeps all lines in memory. Meant for a stopped node or a backup.
/// @return 0; 1 where a record is damaged (named on `problems`, left out); 2
///         where the folder cannot be read.
int run_dump(const std::string& data, std::ostream& out,
             std::ostream& problems);

} // namespace vartalap::runtime
