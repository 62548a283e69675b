#include "test/integration/rig/groups.hpp"

#include "test/integration/rig/http_client.hpp"

#include <algorithm>
#include <stdexcept>

namespace vartalap::integration {

http_answer call(std::uint16_t port, const std::string& method,
                 const std::string& user, const std::string& path,
                 const std::string& body) {
  return http(port,
              {.method = method, .path = path, .user = user, .body = body});
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names)
    out += (out.empty() ? "[" : ",") + json_string(name);
  return out.empty() ? "[]" : out + "]";
}

std::string create(std::uint16_t port, const std::string& by,
                   const std::vector<std::string>& members,
                   const std::string& path) {
  const auto answer
    = call(port, "POST", by, path,
           R"({"name":"friends","members":)" + list_of(members) + "}");
  if (answer.status != 200)
    throw std::runtime_error("no group: " + answer.body);
  return json_at(answer.body, "/groupId");
}

std::string members_of(const std::string& body, const std::string& at) {
  std::string out;
  for (const auto& one : json_list(body, (at + "/members").c_str())) {
    out += (out.empty() ? "" : " ") + json_at(one, "/username");
    out += json_at(one, "/role") == "admin" ? "!" : "";
  }
  return out;
}

std::string info(std::uint16_t port, const std::string& user,
                 const std::string& group) {
  const auto answer = call(port, "GET", user, "/v1.0/groups/" + group);
  return answer.status == 200 ? members_of(answer.body)
                              : std::to_string(answer.status);
}

std::string frame(const std::string& id, const std::string& group,
                  const std::string& text, const std::string& more) {
  return R"({"_v":2.1,"id":")" + id + R"(","head":{"type":"group","to":")"
         + group + "\"" + more + R"(},"body":{"text":)" + json_string(text)
         + "}}";
}

heard next(chat_peer& who) {
  for (;;) {
    auto got = who.hear();
    if (got.kind != heard::what::delivery)
      continue;
    who.acknowledge({got.server_id});
    return got;
  }
}

heard answer_to(chat_peer& who, const std::string& id) {
  for (;;) {
    auto got = who.hear();
    if (got.kind == heard::what::delivery)
      who.acknowledge({got.server_id});
    else if (got.id == id)
      return got;
  }
}

heard next_event(chat_peer& who) {
  auto got = next(who);
  while (json_at(got.raw, "/head/contentType") != "notification")
    got = next(who);
  return got;
}

heard next_message(chat_peer& who) {
  auto got = next(who);
  while (json_at(got.raw, "/head/contentType") == "notification")
    got = next(who);
  return got;
}

std::vector<std::string> waiting(std::uint16_t port, const std::string& user) {
  std::vector<std::string> out;
  const auto page = call(port, "GET", user, "/messages?limit=1000");
  if (page.status != 200)
    throw std::runtime_error("no messages: " + page.body);
  for (const auto& text : json_list(page.body, "/messages")) {
    const auto one = decode_json(text);
    if (json_at(one.raw, "/head/contentType") != "notification")
      out.push_back(one.id);
  }
  return out;
}

std::vector<std::string> waiting(std::uint16_t port, const std::string& user,
                                 std::size_t count) {
  const auto until = clock::now() + patience;
  auto out = waiting(port, user);
  while (out.size() < count && clock::now() < until)
    out = waiting(port, user);
  return out;
}

std::string create_large(std::uint16_t port, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i)
    names.push_back("u" + std::to_string(i));
  const auto first = std::min<std::size_t>(100, names.size());
  const auto group = create(
    port, "alice", {names.begin(), names.begin() + static_cast<long>(first)});
  for (auto at = first; at < names.size(); at += 50) {
    const auto end = std::min(at + 50, names.size());
    const auto part
      = std::vector<std::string>(names.begin() + static_cast<long>(at),
                                 names.begin() + static_cast<long>(end));
    const auto added = call(port, "POST", "alice",
                            "/groups/" + group + "/members",
                            "{\"members\":" + list_of(part) + "}");
    if (added.status != 200)
      throw std::runtime_error("not added: " + added.body);
  }
  return group;
}

std::vector<std::string> without_repeats(const std::vector<std::string>& all) {
  std::vector<std::string> out;
  for (const auto& one : all)
    if (std::find(out.begin(), out.end(), one) == out.end())
      out.push_back(one);
  return out;
}

} // namespace vartalap::integration
