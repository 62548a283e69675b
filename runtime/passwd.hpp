#pragma once

#include <iosfwd>
#include <string>

namespace vartalap::runtime {

/// `vartalap passwd`: reads a password, one line of `in` (twice, and unseen,
/// where that is a terminal), and prints a line for `auth.login.users_file`.
/// @return The exit status: 0, or 2 where there is none to print.
int run_passwd(const std::string& user, std::istream& in, std::ostream& out,
               std::ostream& err);

} // namespace vartalap::runtime
