#pragma once

#include "test/integration/rig/ws_peer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::integration {

/// The ways in which a client can speak.
enum class speech {
  json_v2,  ///< text frames without a subprotocol
  json,     ///< subprotocol vartalap.json
  msgpack,  ///< subprotocol vartalap.msgpack
  protobuf, ///< format=binary without a subprotocol
};

const char* name_of(speech how);

/// Of the frames that a client of this speech sends.
unsigned opcode_of(speech how);

/// What a client says.
struct said {
  std::string id{};
  std::string to{};
  std::string text = "hello"; ///< body.text
  bool ephemeral = false;
  bool notification = false;
  std::string action{}; ///< head.action; empty: none
  std::string body{};   ///< JSON in place of {"text":…}
};

/// What a client hears, whatever the encoding.
struct heard {
  enum class what { delivery, server_ack, error, other } kind = what::other;
  std::string id;
  std::string from;
  std::string server_id;
  std::string body;       ///< of a delivery, JSON text
  std::string status;     ///< of an ack: stored, delivered, relayed
  std::string durability; ///< of an ack
  std::string code;       ///< of an error
  std::string raw;        ///< the frame as it came
};

/// `frame` as this speech writes it.
std::string encode(speech how, const said& message);
/// @pre One id in protobuf, which can name no more.
std::string encode_ack(speech how, const std::vector<std::string>& server_ids);
heard decode(speech how, const std::string& frame);

/// A JSON frame of POST /messages, GET /messages or a text connection.
heard decode_json(const std::string& frame);

/// `text` as a JSON string with its quotes.
std::string json_string(std::string_view text);

/// The value at a JSON pointer ("/head/to"), as text: strings without quotes,
/// other values as JSON; empty where there is none.
std::string json_at(std::string_view json, const char* pointer);

/// The elements of a JSON array at a pointer, each as `json_at` gives it.
std::vector<std::string> json_list(std::string_view json, const char* pointer);

/// A chat client, one connection.
class chat_peer {
public:
  /// @param query Beside what `how` implies; default: ack=true and
  ///              client_ack=true.
  chat_peer(std::uint16_t port, std::string user, speech how = speech::json,
            const std::string& query = "ack=true&client_ack=true",
            int receive_buffer = 0);

  bool say(const said& message);
  bool acknowledge(const std::vector<std::string>& server_ids);

  /// The next message.
  /// @throws std::runtime_error where none came.
  heard hear(milliseconds limit = patience);

  /// The next message, which must be a delivery of that id.
  heard hear_delivery(std::string_view id, milliseconds limit = patience);
  /// The next message, which must be the ack or error for that id.
  heard hear_answer(std::string_view id, milliseconds limit = patience);

  ws_peer ws;
  std::string user;
  speech how;
};

/// Two well-behaved clients that talk to each other while something bad goes
/// on: what they say must arrive and be confirmed.
class bystanders {
public:
  explicit bystanders(std::uint16_t port);
  /// Each at a node of its own.
  bystanders(std::uint16_t left, std::uint16_t right);

  /// One message each way; throws where one is not delivered or confirmed.
  void talk();

private:
  chat_peer left_;
  chat_peer right_;
  int said_ = 0;
};

} // namespace vartalap::integration
