#include "net/codec_decode.hpp"

#include "net/codec_words.hpp"

#include <utility>

namespace vartalap::net {

bool meta_collector::add(std::string key, std::string value, bool is_json) {
  for (auto& entry : meta_) {
    if (entry.key == key) {
      bytes_ = bytes_ - entry.value.size() + value.size();
      entry.value = std::move(value);
      entry.is_json = is_json;
      return bytes_ <= limits_.meta_bytes;
    }
  }
  bytes_ += key.size() + value.size();
  if (entries_ >= limits_.meta_entries || bytes_ > limits_.meta_bytes)
    return false;
  ++entries_;
  meta_.push_back({std::move(key), std::move(value), is_json});
  return true;
}

bool meta_collector::add_content_type(std::string spelling) {
  bytes_ += spelling.size();
  if (bytes_ > limits_.meta_bytes)
    return false;
  meta_.push_back({"contentType", std::move(spelling), false});
  return true;
}

std::vector<std::string> read_state_ids(std::string_view body) {
  constexpr unsigned inner_depth = json::depth_max;
  json::value root;
  if (json::parse(body, inner_depth, root) != json::fault::none
      || root.what != json::kind::object)
    return {};
  json::value ids;
  json::value state;
  for (json::walker at{root, inner_depth}; at.next();) {
    if (at.key() == "ids")
      ids = at.item();
    else if (at.key() == "state")
      state = at.item();
  }
  if (ids.what != json::kind::array || state.what != json::kind::string)
    return {};
  std::string word;
  json::unescape(state.raw, word);
  if (word != "delivered" && word != "read")
    return {};
  std::vector<std::string> result;
  for (json::walker at{ids, inner_depth}; at.next();) {
    std::string id;
    if (at.item().what == json::kind::string
        && json::unescape(at.item().raw, id)
        && core::is_valid_id(id, core::message_id_bytes_max))
      result.push_back(std::move(id));
  }
  return result;
}

bool is_state_message(const core::envelope& message) noexcept {
  const auto* action = find_meta(message, "action");
  return action != nullptr && !action->is_json && action->value == "state";
}

std::string describe_meta_limits(const codec_limits& limits) {
  return "meta has more than " + std::to_string(limits.meta_entries)
         + " entries or " + std::to_string(limits.meta_bytes)
         + " bytes; put what is large into the content";
}

std::string describe_content_limit(std::size_t bytes,
                                   const codec_limits& limits) {
  return "the content has " + std::to_string(bytes) + " bytes, allowed are "
         + std::to_string(limits.content_bytes)
         + "; send a link to what is larger";
}

} // namespace vartalap::net
