// The input of a fuzz target as a file, which is what the readers read.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace fleet {

/// A file in memory, gone with the object. It has a name, without which HDF5 does not open it.
class FuzzFile {
 public:
  explicit FuzzFile(std::string_view bytes) {
    std::ofstream out(path_, std::ios::binary);
    out << bytes << std::flush;
    if (!out.good()) __builtin_trap();
  }
  FuzzFile(const FuzzFile&) = delete;
  FuzzFile& operator=(const FuzzFile&) = delete;
  ~FuzzFile() { std::filesystem::remove(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ = "/dev/shm/fleet-fuzz-" + std::to_string(::getpid());
};

[[nodiscard]] inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};  // NOLINT
}

}  // namespace fleet
