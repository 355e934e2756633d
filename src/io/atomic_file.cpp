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

namespace {

/// `sync` is called with the temporary file once it is written.
template <class Sync>
void write_and_rename(const std::filesystem::path& path, std::string_view text, Sync sync) {
  const std::filesystem::path temporary = temporary_name(path);
  errno = 0;
  try {
    {
      std::ofstream out(temporary, std::ios::binary);
      out << text;
      out.flush();
      require(out.good(), "cannot write ", path.string(), system_reason());
    }
    sync(temporary);
    std::error_code error;
    std::filesystem::rename(temporary, path, error);
    require(!error, "cannot write ", path.string(), ": ", error.message());
  } catch (const Error&) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_and_rename(path, text, sync_file);
  sync_directory(path.parent_path());
}

void replace_file(const std::filesystem::path& path, std::string_view text) {
  write_and_rename(path, text, [](const std::filesystem::path&) {});
}

}  // namespace fleet
