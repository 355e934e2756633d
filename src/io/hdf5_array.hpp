// Arrays and attributes of a file that anybody may have written: looked at before a byte is read or allocated.
//
// An array whose bytes lie in other files, that is compressed by what this program lacks, or that claims to be larger
// than the file can hold, is refused. Every Error names file and object, what was found and what was expected.
//
// Private to src/io/hdf5_*.cpp.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/hdf5_library.hpp"

namespace fleet {

class StoredArray {
 public:
  /// Opens it. Error, which says what was `expected`, if there is none or it cannot be read.
  StoredArray(hid_t file, const std::filesystem::path& path, const std::string& name, const char* expected);

  /// "NAME of FILE".
  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] hid_t type() const { return type_; }
  [[nodiscard]] hid_t space() const { return space_; }
  [[nodiscard]] const std::vector<std::size_t>& shape() const { return shape_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Room for so many values; Error where there is none.
  template <class T>
  [[nodiscard]] std::vector<T> allocate(std::size_t count) const {
    try {
      return std::vector<T>(count);
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    throw Error(cat(what_, " holds ", size_, " values, and there is no memory for them"));
  }
  /// All values, converted to the type `as`.
  void read(hid_t as, void* values) const;
  /// All values as numbers of type T. Error if they are no numbers, or do not fit: reals are no whole numbers.
  template <class T>
  [[nodiscard]] std::vector<T> numbers() const;
  /// All values as truths, 1 or 0: h5py's, or numbers that are not 0.
  [[nodiscard]] std::vector<std::uint8_t> flags() const;

 private:
  void read_shape(const char* expected);
  void require_plausible_size(hid_t file) const;
  template <class T, class Wide>
  [[nodiscard]] std::vector<T> narrowed() const;

  std::string what_;
  Handle set_;
  Handle type_;
  Handle space_;
  std::vector<std::size_t> shape_;
  std::size_t size_ = 1;
};

/// An attribute that holds a single thing: HDF5 writes as many as there are, whatever there is room for.
class StoredAttribute {
 public:
  /// Error unless it is a single thing. `id` outlives this.
  StoredAttribute(hid_t id, std::string what);

  [[nodiscard]] hid_t type() const { return type_; }
  void read(hid_t as, void* value) const;
  /// Error for what is no text, no whole number of 64 bits, no number.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] double real() const;

 private:
  [[noreturn]] void refuse(const char* expected) const;

  hid_t id_;
  std::string what_;
  Handle type_;
};

/// Of a compound type.
[[nodiscard]] std::string member_name(hid_t type, unsigned index);

/// What is before the padding of a text of fixed length.
[[nodiscard]] std::string unpadded(const char* text, std::size_t width, H5T_str_t padding);

}  // namespace fleet
