#pragma once

#include "net/codec.hpp"

/// The text encodings. @see codec.hpp for what each function promises.
namespace vartalap::net {

/// @param with_v1_names Repeat the flat names of version 1 at the top level.
void encode_json_delivery(const core::envelope& message, bool with_v1_names,
                          std::string& out);

void encode_json_server_ack(const server_ack& ack, bool with_v1_names,
                            std::string& out);

void encode_json_error(std::string_view id, std::string_view to,
                       core::refusal code, std::string_view why,
                       bool with_v1_names, std::string& out);

} // namespace vartalap::net
