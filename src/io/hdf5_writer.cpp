#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_library.hpp"
#include "io/hdf5_seal.hpp"

namespace fleet {
namespace {

std::size_t width_of(const Table::Column& column) {
  return std::visit(
      [](const auto& values) -> std::size_t {
        using T = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_same_v<T, std::string>) {
          std::size_t longest = 1;
          for (const std::string& text : values) longest = std::max(longest, text.size());
          return longest;
        } else {
          return sizeof(T);
        }
      },
      column);
}

Handle type_of(const Table::Column& column, std::size_t width) {
  return std::visit(
      [width](const auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_same_v<T, std::string>) {
          return text_type(width);
        } else {
          return Handle(H5Tcopy(native_type<T>()), H5Tclose, "make a type");
        }
      },
      column);
}

/// Copies a column into packed rows, `offset` bytes into each.
void pack(const Table::Column& column, std::size_t offset, std::size_t row_bytes, std::vector<char>& rows) {
  std::visit(
      [&](const auto& values) {
        char* to = rows.data() + offset;
        for (const auto& value : values) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
            std::memcpy(to, value.data(), value.size());
          } else {
            std::memcpy(to, &value, sizeof(value));
          }
          to += row_bytes;
        }
      },
      column);
}

Handle link_creation() {
  Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "make a property list");
  H5Pset_create_intermediate_group(list, 1);
  return list;
}

/// Without the time of writing: the same contents are the same bytes.
Handle plain_creation() {
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a property list");
  H5Pset_obj_track_times(list, 0);
  return list;
}

/// Chunked and compressed where there is something to compress.
Handle dataset_creation(std::size_t elements, std::size_t element_bytes) {
  Handle list = plain_creation();
  if (elements * element_bytes > 4096) {
    const hsize_t chunk = std::clamp<hsize_t>((1U << 20U) / element_bytes, 1, elements);
    H5Pset_chunk(list, 1, &chunk);
    H5Pset_shuffle(list);
    H5Pset_deflate(list, 4);
  }
  return list;
}

template <class T>
void write_values(hid_t file, const std::string& name, std::span<const T> values, std::span<const std::size_t> shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose,
                     "describe " + name);
  const Handle links = link_creation();
  const Handle creation = plain_creation();
  const Handle set(H5Dcreate2(file, name.c_str(), native_type<T>(), space, links, creation, H5P_DEFAULT), H5Dclose,
                   "create " + name);
  check_hdf5(H5Dwrite(set, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write " + name);
}

}  // namespace

Hdf5Writer::Hdf5Writer(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors become exceptions, not pages on standard error
  errno = 0;
  // In memory until commit(): the library reports a full disk too late to be heard, and crashes on its way out. The
  // temporary file is there all the same: a place that cannot be written is found before the work.
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
  H5Pset_fapl_core(access, 1U << 20U, 0);
  const std::string name = temporary_.path().string() + " in memory";  // of no file, which the library would lock
  file_ = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  require(file_ >= 0, "cannot create ", path_.string(), system_reason());
  write_attribute("/", kInnerSeal, std::string(kOpenInnerSeal));  // the first, so that no other text is before it
}

Hdf5Writer::~Hdf5Writer() {
  if (file_ >= 0) H5Fclose(file_);
}

void Hdf5Writer::write_table(const std::string& name, const Table& table) {
  std::size_t row_bytes = 0;
  for (const auto& [column_name, column] : table.columns()) row_bytes += width_of(column);
  const Handle type(H5Tcreate(H5T_COMPOUND, row_bytes), H5Tclose, "make a table type");
  std::vector<char> rows(row_bytes * table.rows(), '\0');
  std::size_t offset = 0;
  for (const auto& [column_name, column] : table.columns()) {
    const std::size_t width = width_of(column);
    const Handle member = type_of(column, width);
    check_hdf5(H5Tinsert(type, column_name.c_str(), offset, member), "add column " + column_name);
    pack(column, offset, row_bytes, rows);
    offset += width;
  }
  const hsize_t extent = table.rows();
  const Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose, "describe " + name);
  const Handle links = link_creation();
  const Handle creation = dataset_creation(table.rows(), row_bytes);
  const Handle set(H5Dcreate2(file_, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose,
                   "create " + name);
  if (extent > 0) check_hdf5(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), "write " + name);
}

void Hdf5Writer::write_array(const std::string& name, std::span<const float> values,
                             std::span<const std::size_t> shape) {
  write_values(file_, name, values, shape);
}

void Hdf5Writer::write_array(const std::string& name, std::span<const std::int32_t> values,
                             std::span<const std::size_t> shape) {
  write_values(file_, name, values, shape);
}

void Hdf5Writer::write_flags(const std::string& name, std::span<const std::uint8_t> values) {
  const Handle type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose, "make a type of truth values");
  constexpr std::array<std::int8_t, 2> kValues = {0, 1};
  check_hdf5(H5Tenum_insert(type, "FALSE", &kValues[0]), "make a type of truth values");
  check_hdf5(H5Tenum_insert(type, "TRUE", &kValues[1]), "make a type of truth values");
  const hsize_t extent = values.size();
  const Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose, "describe " + name);
  const Handle links = link_creation();
  const Handle creation = plain_creation();
  const Handle set(H5Dcreate2(file_, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose,
                   "create " + name);
  check_hdf5(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write " + name);
}

void Hdf5Writer::ensure_object(const std::string& name) {
  if (name == "/" || H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0) return;
  const Handle links = link_creation();
  const Handle group(H5Gcreate2(file_, name.c_str(), links, H5P_DEFAULT, H5P_DEFAULT), H5Gclose, "create " + name);
}

void Hdf5Writer::write_attribute(const std::string& object, const std::string& name, const std::string& text) {
  ensure_object(object);
  require(text.size() <= kLongestText, path_.string(), ": ", name, " has ", text.size(),
          " characters, and a file holds no more than ", kLongestText);
  const Handle type = text_type(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "describe " + name);
  const Handle attribute(
      H5Acreate_by_name(file_, object.c_str(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose, "create attribute " + name);
  const std::string padded = text.empty() ? std::string(1, '\0') : text;
  check_hdf5(H5Awrite(attribute, type, padded.data()), "write attribute " + name);
}

template <class T>
void Hdf5Writer::write_number(const std::string& object, const std::string& name, T value) {
  ensure_object(object);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "describe " + name);
  const Handle attribute(H5Acreate_by_name(file_, object.c_str(), name.c_str(), native_type<T>(), space, H5P_DEFAULT,
                                           H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, "create attribute " + name);
  check_hdf5(H5Awrite(attribute, native_type<T>(), &value), "write attribute " + name);
}

void Hdf5Writer::write_attribute(const std::string& object, const std::string& name, std::int64_t value) {
  write_number(object, name, value);
}

void Hdf5Writer::write_real_attribute(const std::string& object, const std::string& name, double value) {
  write_number(object, name, value);
}

void Hdf5Writer::commit() {
  check_hdf5(H5Fflush(static_cast<hid_t>(file_), H5F_SCOPE_GLOBAL), "close " + path_.string());
  const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
  std::string image(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
  check_hdf5(H5Fget_file_image(file_, image.data(), image.size()) == size && size > 0 ? 0 : -1,
             "close " + path_.string());
  H5Fclose(std::exchange(file_, -1));
  close_inner_seal(image);
  image += outer_seal_of(image);
  temporary_.write(image);
  temporary_.sync();
  temporary_.commit();
  sync_directory(path_.parent_path());
}

}  // namespace fleet
