#include "runtime/cluster_json.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string_view>

namespace vartalap::runtime {

namespace {

using json_writer = rapidjson::Writer<rapidjson::StringBuffer>;

void text(json_writer& json, std::string_view value) {
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

const char* name_of(core::node_phase phase) {
  switch (phase) {
    case core::node_phase::joining:
      return "joining";
    case core::node_phase::serving:
      return "serving";
    case core::node_phase::draining:
      return "draining";
  }
  return "unknown";
}

void write_link(json_writer& json, const actors::look_at_link::figures& link) {
  json.StartObject();
  json.Key("up");
  json.Bool(link.up);
  json.Key("problem");
  text(json, link.problem);
  const auto number = [&](const char* key, std::uint64_t value) {
    json.Key(key);
    json.Uint64(value);
  };
  number("roundTripUs",
         static_cast<std::uint64_t>(link.channel.round_trip.count()));
  number("queuedBytes", link.channel.queued);
  number("inFlightBytes", link.channel.in_flight);
  number("bytesOut", link.channel.bytes_out);
  number("bytesIn", link.channel.bytes_in);
  number("itemsOut", link.channel.items_out);
  number("itemsIn", link.channel.items_in);
  number("sessions", link.sessions);
  number("givenBack", link.given_back);
  number("unanswered", link.unanswered);
  json.EndObject();
}

void write_node(json_writer& json, const node_cluster::picture& seen,
                std::size_t i) {
  const auto& peer = seen.cluster.peers[i];
  json.StartObject();
  json.Key("name");
  text(json, seen.names[i]);
  json.Key("live");
  json.Bool(peer.live);
  json.Key("phase");
  json.String(peer.live ? name_of(peer.phase) : "away");
  json.Key("trusted");
  json.Bool(peer.trusted);
  json.Key("inStep");
  json.Bool(peer.in_step);
  json.Key("owns");
  json.Uint(peer.owns);
  json.Key("toCopy");
  json.Uint64(peer.to_copy);
  json.Key("agrees");
  json.Bool(peer.agrees);
  if (i != seen.me) {
    json.Key("link");
    write_link(json, seen.links[i]);
  }
  json.EndObject();
}

} // namespace

std::string to_json(const node_cluster::picture& seen) {
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  const auto& cluster = seen.cluster;
  json.StartObject();
  json.Key("node");
  text(json, seen.names[seen.me]);
  json.Key("complete");
  json.Bool(seen.complete);
  json.Key("phase");
  json.String(name_of(cluster.phase));
  json.Key("calm");
  json.Bool(cluster.calm);
  json.Key("claims");
  json.Uint(cluster.claims);
  json.Key("ownerless");
  json.Uint(cluster.ownerless);
  json.Key("foreign");
  json.Uint64(cluster.foreign);
  json.Key("underReplicated");
  json.Uint64(cluster.under_replicated);
  json.Key("next");
  json.StartArray();
  for (const auto& name : seen.next)
    text(json, name);
  json.EndArray();
  json.Key("nodes");
  json.StartArray();
  for (std::size_t i = 0; i < cluster.peers.size(); ++i)
    write_node(json, seen, i);
  json.EndArray();
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

} // namespace vartalap::runtime
