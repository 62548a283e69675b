#pragma once

#include <string>

namespace vartalap::runtime {

/// The folder of the browser client: `configured`, or where that is empty the
/// first that exists of `web` beside the binary, in the folders above it (a
/// build tree), and ../share/vartalap/web. Empty where there is none.
std::string find_web_folder(const std::string& configured);

} // namespace vartalap::runtime
