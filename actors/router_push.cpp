// What a router passes on so that its users are woken.

#include "actors/router_actor.hpp"

#include <utility>

namespace vartalap::actors {

// Where nobody can tell at the moment whose home it is, it is not ours.
bool router_actor::is_home_of(std::string_view user) {
  if (!context_.copies)
    return true;
  return ties_ && whose(core::bucket_of(user)).where == destination::here;
}

void router_actor::on_push(look_for_push& what) {
  if (!is_home_of(what.user))
    return what.answer(false, {});
  const auto user = what.user;
  forward(user, std::move(what));
}

void router_actor::on_push(drop_push_target& what) {
  // The user's home finds out by itself.
  if (!is_home_of(what.user))
    return;
  const auto user = what.user;
  forward(user, std::move(what));
}

} // namespace vartalap::actors
