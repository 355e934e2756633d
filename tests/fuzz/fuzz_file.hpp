// The input of a fuzz target as a file, which is what the readers read.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace fleet {

/// A file in memory, gone with the object.
class FuzzFile {
 public:
  explicit FuzzFile(std::string_view bytes) : file_(memfd_create("fuzz", 0)) {
    const ssize_t written = write(file_, bytes.data(), bytes.size());
    if (written != static_cast<ssize_t>(bytes.size())) __builtin_trap();
  }
  FuzzFile(const FuzzFile&) = delete;
  FuzzFile& operator=(const FuzzFile&) = delete;
  ~FuzzFile() { close(file_); }

  [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

[[nodiscard]] inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};  // NOLINT
}

}  // namespace fleet
