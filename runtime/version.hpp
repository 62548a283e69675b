#pragma once

#include <string_view>

namespace vartalap::runtime {

/// The version of this build, as in CMakeLists.txt.
inline constexpr std::string_view version = VARTALAP_VERSION;

} // namespace vartalap::runtime
