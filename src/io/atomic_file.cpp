#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.hpp"
#include "base/process.hpp"

namespace fleet {

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  return path.string() + cat('.', host_name(), '.', ::getpid(), ".tmp");
}

std::string system_reason() {
  return errno != 0 ? cat(": ", std::strerror(errno)) : "";
}

void sync_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const std::string reason = system_reason();
  if (fd >= 0) ::close(fd);
  require(synced, "cannot write ", file.string(), reason);
}

void sync_directory(const std::filesystem::path& directory) {
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path temporary = temporary_name(path);
  errno = 0;
  try {
    {
      std::ofstream out(temporary, std::ios::binary);
      out << text;
      out.flush();
      require(out.good(), "cannot write ", path.string(), system_reason());
    }
    sync_file(temporary);
    std::error_code error;
    std::filesystem::rename(temporary, path, error);
    require(!error, "cannot write ", path.string(), ": ", error.message());
    sync_directory(path.parent_path());
  } catch (const Error&) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace fleet
