#include "external/shared_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace fleet {

SharedMemory::SharedMemory() : descriptor_(::memfd_create("fleet", MFD_CLOEXEC)) {
  require(descriptor_.number() >= 0, "cannot share memory with another process: ", std::strerror(errno));
}

SharedMemory::~SharedMemory() {
  if (base_ != nullptr) ::munmap(base_, size_);
}

std::size_t SharedMemory::take(std::size_t bytes) {
  bytes = std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  std::size_t free = 0;  // the first place behind which there is room
  for (const auto& [place, size] : taken_) {
    if (place - free >= bytes) break;
    free = place + size;
  }
  if (free + bytes > size_) grow(std::max(free + bytes, size_ + size_ / 2));
  taken_.emplace(free, bytes);
  return free;
}

void SharedMemory::give_back(std::size_t place) {
  taken_.erase(place);
}

void SharedMemory::grow(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGE_SIZE));
  size = (size + page - 1) / page * page;
  require(::ftruncate(descriptor_.number(), static_cast<off_t>(size)) == 0, "cannot share ", size,
          " bytes of memory with another process: ", std::strerror(errno));
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.number(), 0);
  require(mapped != MAP_FAILED, "cannot map ", size, " bytes of shared memory: ", std::strerror(errno));
  if (base_ != nullptr) ::munmap(base_, size_);
  base_ = static_cast<std::byte*>(mapped);
  size_ = size;
}

}  // namespace fleet
