#include "io/shared_counters.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {

std::int64_t SharedCounters::add(std::size_t counter, std::int64_t amount) const {
  const auto place = static_cast<off_t>(counter * sizeof(std::int64_t));
  std::int64_t value = 0;
  errno = 0;
  file_.lock(place);  // with it, machines see what others have written before
  const ssize_t got = ::pread(file_.descriptor(), &value, sizeof(value), place);
  const std::int64_t before = got == sizeof(value) ? value : 0;  // beyond the end there are zeros
  value = before + amount;
  const bool fine =
      got >= 0 && (amount == 0 || ::pwrite(file_.descriptor(), &value, sizeof(value), place) == sizeof(value));
  const std::string reason = system_reason();
  file_.unlock(place);
  require(fine, "cannot change ", file_.path().string(), reason);
  return before;
}

}  // namespace fleet
