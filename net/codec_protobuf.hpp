#pragma once

#include "net/codec.hpp"

/// The protobuf encoding. @see codec.hpp for what each function promises.
namespace vartalap::net {

void encode_protobuf_delivery(const core::envelope& message, std::string& out);

void encode_protobuf_server_ack(const server_ack& ack, std::string& out);

/// @param to The client that is answered.
void encode_protobuf_error(std::string_view id, std::string_view to,
                           core::refusal code, std::string_view why,
                           std::string& out);

} // namespace vartalap::net
