#pragma once

#include "core/options.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::runtime {

/// One node of the cluster as the others know it.
struct member {
  std::string name;
  std::string peer; ///< host:port where it hears other nodes

  friend bool operator==(const member&, const member&) = default;
};

/// The nodes of a cluster, sorted by name. The one in force is kept on disk: a
/// node that starts with a changed cluster.toml goes on with the list that the
/// others have, until all are to change.
using member_list = std::vector<member>;

member_list members_of(const core::cluster_options& options);

/// For storage: a line for each node.
std::string to_text(const member_list& list);

/// @returns Nothing for text that is none of `to_text`, or empty.
std::optional<member_list> parse_member_list(std::string_view text);

std::vector<std::string> names_of(const member_list& list);

/// "n1, n2, n3", for people.
std::string to_words(const member_list& list);

} // namespace vartalap::runtime
