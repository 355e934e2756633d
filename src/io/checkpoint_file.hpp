// Records in a file that is complete or absent, and known to be undamaged before anything is believed.
//
// Layout, in the machine's byte order: magic, then for every record its length (uint64), its bytes and their CRC-32,
// then the length kEnd with the number of records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "io/atomic_file.hpp"

namespace fleet {

/// Writes to a temporary file, which commit() puts under its name. One writer at a time: the cell's claim sees to that.
class CheckpointWriter {
 public:
  /// Error if the file cannot be created.
  explicit CheckpointWriter(std::filesystem::path path);
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Error when the disk is full.
  void append(std::string_view record);
  /// Completes the file and puts it safely on disk. The one that is there becomes `previous`, unless that is empty: at
  /// every moment one of the two is whole.
  void commit(const std::filesystem::path& previous);

 private:
  std::filesystem::path path_;
  TemporaryFile file_;
  std::uint64_t records_ = 0;
};

class CheckpointReader {
 public:
  /// Reads the whole file once. Error, with the reason, if it is missing, truncated, damaged or no checkpoint.
  explicit CheckpointReader(std::filesystem::path path);

  /// The next record; Error after the last.
  [[nodiscard]] std::string next();

 private:
  /// The bytes of the next record in `record`; false at the end.
  bool advance(std::string& record);
  void get(void* bytes, std::size_t size);

  std::filesystem::path path_;
  std::ifstream in_;
  std::uint64_t size_ = 0;
  std::uint64_t records_ = 0;
};

}  // namespace fleet
