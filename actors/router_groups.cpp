// Groups that have something to do without being asked.

#include "actors/router_actor.hpp"

#include <caf/actor_cast.hpp>

#include <exception>
#include <utility>

namespace vartalap::actors {

void router_actor::look_for_groups() {
  context_.node.workers.post([&node = context_.node, &mine = context_,
                              me = caf::actor_cast<caf::actor>(this)] {
    constexpr std::size_t page = 1000;
    try {
      std::vector<std::string> found;
      std::string from;
      do {
        found = node.store.outgoing(from, page);
        for (const auto& group : found)
          if (&node.shard_of(group) == &mine)
            tell(me, resume_outgoing{group});
        if (!found.empty())
          from = found.back();
      } while (found.size() == page);
    } catch (const std::exception& problem) {
      node.log.write(core::log_level::error, "group",
                     std::string("cannot tell which groups have messages on "
                                 "the way: they go on when they are used (")
                       + problem.what() + ")");
    }
  });
}

void router_actor::resume(resume_outgoing& what) {
  const auto group = what.group;
  if (!ties_ || home_of(core::bucket_of(group)).where == destination::here)
    forward(group, std::move(what));
}

} // namespace vartalap::actors
