#pragma once

#include <string>

namespace vartalap::runtime {

/// A complete cluster.toml: every key with its default and a comment. The
/// top-level cluster.toml is this text.
std::string default_config();

/// docs/configuration.md: every key with type, default, range and meaning.
std::string configuration_page();

} // namespace vartalap::runtime
