// What ranks do or read each for themselves, and must come to the same everywhere.
//
// A rank that has another command line, another build or another file than its fellows would wait for them for ever in
// a collective that they never reach, or mix its numbers with theirs. Both functions are collective and throw on every
// rank or on none.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "comm/comm.hpp"

namespace fleet {

/// ConfigError, which names the first rank that differs from rank 0, the hosts of both and the first line that differs,
/// unless `text` is the same on every rank. `what` completes "ranks disagree about ...".
void require_same(const Comm& comm, std::string_view what, const std::string& text);

/// As Comm::together(). Where the work has failed on some ranks only, the message says on which rank and host.
void together_telling_where(const Comm& comm, const std::function<void()>& work);

}  // namespace fleet
