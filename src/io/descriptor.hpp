// File descriptors that close themselves, and how files of our own are opened: never through a symbolic link.
#pragma once

#include <filesystem>
#include <utility>

namespace fleet {

/// An open file, which programs that we start do not inherit.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// Opens a file that is ours to write, with these flags of open(2). ConfigError where a symbolic link, a pipe or
/// anything else than a plain file has its name: what is written would go elsewhere. Error if it cannot be opened.
[[nodiscard]] Descriptor open_own_file(const std::filesystem::path& path, int flags);

}  // namespace fleet
