#include "sweep/claims.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/atomic_file.hpp"

namespace fleet {

CellClaims::CellClaims(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "cells.lock";
  errno = 0;
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  require(file_ >= 0, "cannot open ", path.string(), system_reason());
}

CellClaims::~CellClaims() {
  ::close(file_);
}

bool CellClaims::set(const std::string& id, short type) const {
  struct flock byte {};
  byte.l_type = type;
  byte.l_whence = SEEK_SET;
  byte.l_start = static_cast<off_t>(Hash().add(id).value() >> 2U);  // far below the largest offset
  byte.l_len = 1;
  // Of the open file, not of the process: closing another descriptor of it would give the latter kind away.
  return ::fcntl(file_, F_OFD_SETLK, &byte) == 0 || (errno != EAGAIN && errno != EACCES);
}

bool CellClaims::take(const std::string& id) const {
  return set(id, F_WRLCK);
}

void CellClaims::release(const std::string& id) const {
  (void)set(id, F_UNLCK);
}

}  // namespace fleet
