#include "io/file_lock.hpp"

#include <fcntl.h>

#include <cerrno>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {

namespace {

/// Locks `length` bytes from `start` on; 0 stands for all that follow. Whether that is done.
bool set_lock(const Descriptor& file, int command, short type, std::int64_t start, std::int64_t length) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(start);
  range.l_len = static_cast<off_t>(length);
  // Of the open file, not of the process, which would lose its locks on closing any other descriptor of the file.
  int code = 0;
  do {
    code = ::fcntl(file.number(), command, &range);
  } while (code != 0 && errno == EINTR);
  return code == 0;
}

/// After set_lock() has failed: whether somebody else is the reason.
bool is_held() {
  return errno == EAGAIN || errno == EACCES;
}

}  // namespace

LockedFile::LockedFile(const std::filesystem::path& path) : path_(path), file_(open_own_file(path, O_RDWR | O_CREAT)) {}

bool LockedFile::set(std::int64_t byte, int command, short type) const {
  if (set_lock(file_, command, type, byte, 1)) return true;
  require(is_held(), "cannot lock ", path_.string(), system_reason(),
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

WholeLock lock_whole(const Descriptor& file) {
  if (set_lock(file, F_OFD_SETLK, F_WRLCK, 0, 0)) return WholeLock::kTaken;
  return is_held() ? WholeLock::kInUse : WholeLock::kNoneHere;
}

}  // namespace fleet
