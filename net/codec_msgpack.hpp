#pragma once

#include "net/codec.hpp"

/// The MessagePack encoding. @see codec.hpp for what each function promises.
namespace vartalap::net {

void encode_msgpack_delivery(const core::envelope& message, std::string& out);

void encode_msgpack_server_ack(const server_ack& ack, std::string& out);

void encode_msgpack_error(std::string_view id, core::refusal code,
                          std::string_view why, std::string& out);

} // namespace vartalap::net
