// A file of bytes that may be compressed with gzip, read from its beginning to its end.
//
// Hides zlib. What is wrong with a file is an Error that begins with its name: one that breaks off, and one whose
// checksum does not match, among others. Called by the readers of images and of texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct gzFile_s;

namespace fleet {

class PackedFile {
 public:
  /// Error if it cannot be opened, or is a directory.
  explicit PackedFile(const std::filesystem::path& path);

  /// Fills `into` as far as the file goes; the number of bytes read. gzip's checksum stands behind the last byte: it is
  /// looked at by the read that finds nothing more.
  std::size_t read(std::span<std::byte> into);

  /// Known once something has been read.
  [[nodiscard]] bool is_compressed() const;
  /// As it lies on the disk.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// No more than this can come out of it. Known as is_compressed() is.
  [[nodiscard]] std::uint64_t most_bytes() const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };
  std::string name_;
  std::uint64_t size_ = 0;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace fleet
