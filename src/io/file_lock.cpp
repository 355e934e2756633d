#include "io/file_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {

LockedFile::LockedFile(const std::filesystem::path& path) : path_(path) {
  errno = 0;
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  require(descriptor_ >= 0, "cannot open ", path.string(), system_reason());
}

LockedFile::~LockedFile() {
  ::close(descriptor_);
}

bool LockedFile::set(std::int64_t byte, int command, short type) const {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(byte);
  range.l_len = 1;
  // Of the open file, not of the process, which would lose its locks on closing any other descriptor of the file.
  int code = 0;
  do {
    code = ::fcntl(descriptor_, command, &range);
  } while (code != 0 && errno == EINTR);
  if (code == 0) return true;
  require(errno == EAGAIN || errno == EACCES, "cannot lock ", path_.string(), system_reason(),
          "; several groups of ranks or jobs can share a sweep only on a file system with locks (Lustre: mounted with "
          "-o flock)");
  return false;
}

bool LockedFile::try_lock(std::int64_t byte) const {
  return set(byte, F_OFD_SETLK, F_WRLCK);
}

void LockedFile::lock(std::int64_t byte) const {
  (void)set(byte, F_OFD_SETLKW, F_WRLCK);
}

void LockedFile::share(std::int64_t byte) const {
  (void)set(byte, F_OFD_SETLKW, F_RDLCK);
}

void LockedFile::unlock(std::int64_t byte) const {
  (void)set(byte, F_OFD_SETLK, F_UNLCK);
}

}  // namespace fleet
