#pragma once

#include "core/error.hpp"
#include "core/options.hpp"
#include "net/codec.hpp"

#include <string_view>

namespace vartalap::actors {

/// What an ERROR frame says beside its code: what is wrong and how to mend
/// it.
std::string_view explain(core::refusal code) noexcept;

/// What decoding a client's frames enforces.
net::codec_limits limits_of(const core::limit_options& limits) noexcept;

} // namespace vartalap::actors
