// HDF5 as this project uses it: tables of named columns, arrays and text attributes.
//
// A table is a one-dimensional compound dataset that `pandas.DataFrame(file["name"][:])` reads as it is; text
// columns are fixed-length UTF-8. The C library stays behind this header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/atomic_file.hpp"
#include "io/table.hpp"

namespace fleet {

/// Of a text attribute, in bytes: an HDF5 object header has no room for 64 KiB.
inline constexpr std::size_t kLongestText = 65'000;

/// A file being written, in memory: appears under its name when commit() has put it safely on disk, or not at all.
class Hdf5Writer {
 public:
  /// Creates a temporary file beside `path`.
  explicit Hdf5Writer(std::filesystem::path path);
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;
  ~Hdf5Writer();

  void write_table(const std::string& name, const Table& table);
  /// A row-major array; groups in `name` ("weights/0/merged") are created.
  void write_array(const std::string& name, std::span<const float> values, std::span<const std::size_t> shape);
  void write_array(const std::string& name, std::span<const std::int32_t> values, std::span<const std::size_t> shape);
  /// A row of truth values, zero or not, as h5py and Minari have them.
  void write_flags(const std::string& name, std::span<const std::uint8_t> values);
  /// `object` is "/" or a group or dataset; a group that is missing is created. Error for a text of more than
  /// kLongestText characters, which the file format does not take.
  void write_attribute(const std::string& object, const std::string& name, const std::string& text);
  void write_attribute(const std::string& object, const std::string& name, std::int64_t value);
  void write_real_attribute(const std::string& object, const std::string& name, double value);

  /// Closes, fsyncs and renames. Error if the disk is full or the directory cannot be written.
  void commit();

 private:
  /// Makes the group `name` unless there is an object of that name.
  void ensure_object(const std::string& name);
  template <class T>
  void write_number(const std::string& object, const std::string& name, T value);

  std::filesystem::path path_;
  TemporaryFile temporary_;
  std::int64_t file_ = -1;
};

class Hdf5Reader {
 public:
  enum class Origin {
    kFleet,    ///< an Hdf5Writer, whose checksums it must have
    kAnywhere  ///< other programs as well, whose files have none
  };
  /// Error if the file is missing, truncated, not HDF5 or not what its checksums say. A file of this program that
  /// another has opened for writing is read if its bytes are as they were.
  explicit Hdf5Reader(const std::filesystem::path& path, Origin origin = Origin::kFleet);
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;
  ~Hdf5Reader();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Whether an Hdf5Writer wrote it.
  [[nodiscard]] bool is_own() const { return own_; }
  /// Error where a link stands in place of the object: links are not followed.
  [[nodiscard]] bool has(const std::string& name) const;
  /// Whether it is there, and a group.
  [[nodiscard]] bool is_group(const std::string& name) const;
  /// False also where there is no such object.
  [[nodiscard]] bool has_attribute(const std::string& object, const std::string& name) const;
  /// Error unless the columns are whole numbers, reals and texts, and those of `wanted` among them. These come in their
  /// types, the others in those of the file, whole numbers with a sign and of 32 bits or 64.
  [[nodiscard]] Table read_table(const std::string& name, std::span<const ColumnSpec> wanted = {}) const;
  /// Empty where there is no such group; Error if it is something else.
  [[nodiscard]] std::vector<std::string> names_in(const std::string& group) const;
  /// Numbers of any width that fit. Error, which names file and object, for what is no such array, lies elsewhere or
  /// claims more than the file can hold.
  [[nodiscard]] std::vector<float> read_floats(const std::string& name, std::vector<std::size_t>& shape) const;
  [[nodiscard]] std::vector<std::int32_t> read_integers(const std::string& name, std::vector<std::size_t>& shape) const;
  /// The same of truths, h5py's or numbers: 1 or 0.
  [[nodiscard]] std::vector<std::uint8_t> read_flags(const std::string& name, std::vector<std::size_t>& shape) const;
  /// Error for an attribute that is missing, of another kind, or an array.
  [[nodiscard]] std::string read_text_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::int64_t read_integer_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] double read_real_attribute(const std::string& object, const std::string& name) const;

 private:
  /// The Error for a file that is not known to be whole; `changed`: it is known not to be.
  [[noreturn]] void refuse(bool changed) const;
  template <class Read>
  auto read_attribute(const std::string& object, const std::string& name, Read read) const;

  std::filesystem::path path_;
  std::int64_t file_ = -1;
  bool own_ = false;
};

/// The version of the HDF5 library in use.
[[nodiscard]] std::string hdf5_version();

}  // namespace fleet
