#include "io/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Descriptor open_own_file(const std::filesystem::path& path, int flags) {
  errno = 0;
  // O_NONBLOCK: a pipe is refused below rather than waited for.
  Descriptor file(::open(path.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  const std::string reason = system_reason();
  std::error_code absent;
  if (file.number() < 0 && std::filesystem::is_symlink(path, absent)) {
    throw ConfigError(cat(path.string(), " is a symbolic link, which is not followed: the file must lie there itself"));
  }
  struct stat seen {};
  if (file.number() >= 0 && ::fstat(file.number(), &seen) == 0 && !S_ISREG(seen.st_mode)) {
    throw ConfigError(cat(path.string(), " is not a plain file"));
  }
  require(file.number() >= 0, "cannot open ", path.string(), reason);
  return file;
}

}  // namespace fleet
