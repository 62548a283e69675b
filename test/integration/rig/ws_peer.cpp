#include "test/integration/rig/ws_peer.hpp"

#include "test/integration/rig/http_client.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace vartalap::integration {

namespace {

unsigned byte_at(const std::string& text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

} // namespace

std::string upgrade_request(std::uint16_t port, const ws_options& options) {
  auto text = "GET " + options.path;
  if (!options.query.empty())
    text += '?' + options.query;
  text += " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port)
          + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  if (!options.user.empty())
    text += "user: " + options.user + "\r\n";
  if (!options.subprotocol.empty())
    text += "Sec-WebSocket-Protocol: " + options.subprotocol + "\r\n";
  for (const auto& line : options.headers)
    text += line + "\r\n";
  return text + "\r\n";
}

std::string make_frame(unsigned opcode, std::string_view payload,
                       frame_form form) {
  std::string out;
  out += static_cast<char>((form.last ? 0x80U : 0U) | opcode);
  const unsigned mask_bit = form.masked ? 0x80U : 0U;
  if (payload.size() < 126) {
    out += static_cast<char>(mask_bit | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(mask_bit | 126U);
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size() & 0xffU);
  } else {
    out += static_cast<char>(mask_bit | 127U);
    for (unsigned i = 0; i < 8; ++i)
      out += static_cast<char>(payload.size() >> (8 * (7 - i)) & 0xffU);
  }
  if (!form.masked)
    return out.append(payload);
  constexpr std::array<unsigned char, 4> mask{0x12, 0x34, 0x56, 0x78};
  for (const auto c : mask)
    out += static_cast<char>(c);
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(static_cast<unsigned char>(payload[i])
                             ^ mask[i % mask.size()]);
  return out;
}

ws_peer::ws_peer(std::uint16_t port, const ws_options& options)
  : stream_(port, options.receive_buffer) {
  stream_.send(upgrade_request(port, options));
  const auto until = clock::now() + patience;
  auto end = std::string::npos;
  while (end == std::string::npos) {
    if (clock::now() > until
        || stream_.receive(input_) != tcp_stream::got::bytes)
      throw std::runtime_error("no answer to the upgrade: " + input_);
    end = input_.find("\r\n\r\n");
  }
  if (parse_answer(input_).status != 101)
    throw std::runtime_error("not upgraded: " + input_);
  input_.erase(0, end + 4);
}

bool ws_peer::send(std::string_view payload, unsigned kind) {
  return stream_.send(make_frame(kind, payload));
}

bool ws_peer::send_raw(std::string_view bytes) {
  return stream_.send(bytes);
}

bool ws_peer::take_frame(ws_frame& out) {
  if (input_.size() < 2)
    return false;
  std::size_t length = byte_at(input_, 1) & 0x7fU;
  std::size_t header = 2;
  if (length >= 126) {
    const std::size_t more = length == 126 ? 2 : 8;
    header += more;
    if (input_.size() < header)
      return false;
    length = 0;
    for (std::size_t i = 2; i < header; ++i)
      length = length << 8U | byte_at(input_, i);
  }
  if (input_.size() < header + length)
    return false;
  out.opcode = byte_at(input_, 0) & 0x0fU;
  out.payload = input_.substr(header, length);
  input_.erase(0, header + length);
  return true;
}

std::optional<ws_frame> ws_peer::next(milliseconds limit) {
  const auto until = clock::now() + limit;
  ws_frame out;
  for (;;) {
    if (take_frame(out)) {
      if (out.opcode == opcode::ping && answers_pings)
        send(out.payload, opcode::pong);
      return out;
    }
    const auto left
      = std::chrono::duration_cast<milliseconds>(until - clock::now());
    if (ended_ || left.count() < 0)
      return std::nullopt;
    const auto got = stream_.receive(input_, left);
    if (got == tcp_stream::got::end)
      ended_ = true;
    if (got == tcp_stream::got::nothing)
      return std::nullopt;
  }
}

std::string ws_peer::next_message(milliseconds limit) {
  const auto until = clock::now() + limit;
  while (clock::now() <= until) {
    auto frame
      = next(std::chrono::duration_cast<milliseconds>(until - clock::now()));
    if (!frame)
      break;
    if (frame->opcode == opcode::text || frame->opcode == opcode::binary)
      return std::move(frame->payload);
    if (frame->opcode == opcode::close)
      throw std::runtime_error("closed instead of a message: "
                               + frame->payload);
  }
  throw std::runtime_error(ended_ ? "the connection ended instead of a message"
                                  : "no message came in time");
}

bool ws_peer::is_silent(milliseconds limit) {
  const auto until = clock::now() + limit;
  for (;;) {
    const auto left
      = std::chrono::duration_cast<milliseconds>(until - clock::now());
    const auto frame = left.count() <= 0 ? std::nullopt : next(left);
    if (!frame)
      return true;
    if (frame->opcode == opcode::text || frame->opcode == opcode::binary)
      return false;
  }
}

ws_end ws_peer::wait_end(milliseconds limit) {
  const auto until = clock::now() + limit;
  for (;;) {
    const auto left
      = std::chrono::duration_cast<milliseconds>(until - clock::now());
    const auto frame = left.count() <= 0 ? std::nullopt : next(left);
    if (!frame) {
      if (ended_)
        return {};
      throw std::runtime_error("the connection has not ended");
    }
    if (frame->opcode != opcode::close)
      continue;
    send(frame->payload, opcode::close);
    if (frame->payload.size() < 2)
      return {};
    return {byte_at(frame->payload, 0) << 8U | byte_at(frame->payload, 1),
            frame->payload.substr(2)};
  }
}

} // namespace vartalap::integration
