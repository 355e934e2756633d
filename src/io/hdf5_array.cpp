#include "io/hdf5_array.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

namespace fleet {
namespace {

constexpr std::size_t kLargestRatio = 1100;  // zlib makes bytes no more than 1032 times fewer
constexpr H5Z_filter_t kLzf = 32000;

const char* object_text(H5I_type_t type) {
  return type == H5I_GROUP ? "a group" : type == H5I_DATATYPE ? "a type" : "no array";
}

Handle open_array(hid_t file, const std::filesystem::path& path, const std::string& name, const char* expected) {
  Handle object = open_object(file, path, name, expected);
  const H5I_type_t type = H5Iget_type(object);
  require(type == H5I_DATASET, name, " of ", path.string(), " is ", object_text(type), "; expected ", expected);
  return object;
}

bool is_available(H5Z_filter_t filter) {
  unsigned can = 0;
  return H5Zfilter_avail(filter) > 0 && H5Zget_filter_info(filter, &can) >= 0 &&
         (can & H5Z_FILTER_CONFIG_DECODE_ENABLED) != 0;
}

std::string filter_text(H5Z_filter_t filter, std::string name) {
  if (name.empty()) name = filter == H5Z_FILTER_SZIP ? "szip" : filter == kLzf ? "lzf" : "a filter";
  return cat(name, " (HDF5 filter ", filter, ')');
}

void require_filters(hid_t creation, const std::string& what) {
  for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    std::size_t values = 0;
    std::array<char, 64> name{};
    const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr,
                                               name.size() - 1, name.data(), &config);
    require(is_available(filter), what, " is compressed with ", filter_text(filter, name.data()),
            ", which this program does not have; expected gzip, or no compression");
  }
}

/// The extents, once it is known that reading them and the values touches no other file and can be done.
Handle space_of(hid_t set, const std::string& what) {
  const Handle creation(H5Dget_create_plist(set), H5Pclose, "see how " + what + " is stored");
  require(H5Pget_layout(creation) != H5D_VIRTUAL, what,
          " is put together from other arrays; expected one that holds its values itself");
  require(H5Pget_layout(creation) != H5D_CONTIGUOUS || H5Pget_external_count(creation) == 0, what,
          " lies in another file; expected one that holds its values itself");
  require_filters(creation, what);
  return {H5Dget_space(set), H5Sclose, "describe " + what};
}

/// Into how many pieces an array is cut, 1 where it is not. No more than it has values.
std::size_t chunks_of(hid_t set, std::span<const std::size_t> shape) {
  const Handle creation(H5Dget_create_plist(set), H5Pclose, "see how an array is stored");
  if (H5Pget_layout(creation) != H5D_CHUNKED) return 1;
  std::vector<hsize_t> sides(shape.size());
  check_hdf5(H5Pget_chunk(creation, static_cast<int>(sides.size()), sides.data()), "read the size of chunks");
  std::size_t chunks = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) chunks *= (shape[axis] - 1) / sides[axis] + 1;
  return chunks;
}

/// No wider than the numbers that it is converted to first.
bool is_whole(hid_t type) {
  return H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) <= sizeof(std::int64_t);
}

bool is_number(hid_t type) {
  return H5Tget_class(type) == H5T_FLOAT || is_whole(type);
}

bool is_wide_unsigned(hid_t type) {
  return H5Tget_class(type) == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE && H5Tget_size(type) > 4;
}

/// Whether the number is one of type T.
template <class T, class Wide>
bool fits(Wide value) {
  if constexpr (std::is_floating_point_v<T>) {
    return !std::isfinite(value) || std::isfinite(static_cast<T>(value));
  } else {
    return std::in_range<T>(value);
  }
}

}  // namespace

StoredArray::StoredArray(hid_t file, const std::filesystem::path& path, const std::string& name, const char* expected)
    : what_(cat(name, " of ", path.string())),
      set_(open_array(file, path, name, expected)),
      type_(H5Dget_type(set_), H5Tclose, "read the type of " + what_),
      space_(space_of(set_, what_)) {
  read_shape(expected);
  require_plausible_size(file);
}

void StoredArray::read_shape(const char* expected) {
  require(H5Sget_simple_extent_type(space_) != H5S_NULL, what_, " holds nothing, not even a shape; expected ",
          expected);
  std::vector<hsize_t> extents(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space_))));
  H5Sget_simple_extent_dims(space_, extents.data(), nullptr);
  shape_.assign(extents.begin(), extents.end());
  for (const std::size_t extent : shape_) {
    require(extent == 0 || size_ <= std::numeric_limits<std::size_t>::max() / 64 / extent, what_,
            " claims more values than there are addresses");
    size_ *= extent;
  }
}

void StoredArray::require_plausible_size(hid_t file) const {
  if (size_ == 0) return;
  hsize_t file_bytes = 0;
  check_hdf5(H5Fget_filesize(file, &file_bytes), "measure the file of " + what_);
  const hsize_t stored = H5Dget_storage_size(set_);
  require(stored > 0, what_, " claims ", size_, " values, of which none was ever written");
  const std::size_t bytes = H5Tget_size(type_);
  const std::size_t held = static_cast<std::size_t>(std::min(stored, file_bytes));
  require(bytes > 0 && size_ / kLargestRatio <= held / bytes + 1, what_, " claims ", size_, " values of ", bytes,
          " bytes, for which the file holds ", held, " bytes; expected no more than ", kLargestRatio,
          " times what it holds");
  // The library looks up and fills one chunk after another, whether it was ever written or not.
  const std::size_t chunks = chunks_of(set_, shape_);
  require(chunks <= file_bytes, what_, " claims ", chunks, " chunks, in a file of ", file_bytes,
          " bytes; expected no more than one for each byte");
}

void StoredArray::read(hid_t as, void* values) const {
  if (size_ == 0) return;
  check_hdf5(H5Dread(set_, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "read " + what_);
}

template <class T, class Wide>
std::vector<T> StoredArray::narrowed() const {
  std::vector<Wide> wide = allocate<Wide>(size_);
  read(native_type<Wide>(), wide.data());
  std::vector<T> values = allocate<T>(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    require(fits<T>(wide[i]), what_, " holds ", wide[i], ", which does not fit into ", 8 * sizeof(T), " bits");
    values[i] = static_cast<T>(wide[i]);
  }
  return values;
}

template <class T>
std::vector<T> StoredArray::numbers() const {
  constexpr bool kWhole = std::is_integral_v<T>;
  require(kWhole ? is_whole(type_) : is_number(type_), what_, " holds ", describe_type(type_), "; expected ",
          kWhole ? "whole numbers" : "numbers");
  if constexpr (kWhole) {
    if (is_wide_unsigned(type_)) return narrowed<T, std::uint64_t>();
    return narrowed<T, std::int64_t>();
  } else {
    if (H5Tget_class(type_) == H5T_FLOAT && H5Tget_size(type_) > sizeof(T)) return narrowed<T, double>();
    std::vector<T> values = allocate<T>(size_);
    read(native_type<T>(), values.data());
    return values;
  }
}
template std::vector<float> StoredArray::numbers() const;

std::vector<std::uint8_t> StoredArray::flags() const {
  std::vector<std::uint8_t> flags = allocate<std::uint8_t>(size_);
  if (H5Tget_class(type_) == H5T_ENUM && H5Tget_size(type_) == 1) {
    read(type_, flags.data());
    for (std::uint8_t& flag : flags) flag = flag != 0 ? 1 : 0;
  } else {
    std::ranges::transform(numbers<float>(), flags.begin(),
                           [](float value) { return static_cast<std::uint8_t>(value != 0.0F ? 1 : 0); });
  }
  return flags;
}
template std::vector<std::int32_t> StoredArray::numbers() const;

StoredAttribute::StoredAttribute(hid_t id, std::string what)
    : id_(id), what_(std::move(what)), type_(H5Aget_type(id), H5Tclose, "read the type of " + what_) {
  const Handle space(H5Aget_space(id), H5Sclose, "describe " + what_);
  const hssize_t values = H5Sget_simple_extent_npoints(space);
  require(values == 1, what_, " holds ", values, " values; expected one");
}

void StoredAttribute::read(hid_t as, void* value) const {
  check_hdf5(H5Aread(id_, as, value), "read " + what_);
}

void StoredAttribute::refuse(const char* expected) const {
  throw Error(cat(what_, ": expected ", expected, ", found ", describe_type(type_)));
}

std::string StoredAttribute::text() const {
  if (H5Tget_class(type_) != H5T_STRING) refuse("a text");
  if (H5Tis_variable_str(type_) > 0) {  // as h5py writes them
    char* content = nullptr;
    read(type_, static_cast<void*>(&content));
    std::string text(content != nullptr ? content : "");
    H5free_memory(content);
    return text;
  }
  std::string text(H5Tget_size(type_), '\0');
  read(type_, text.data());
  return unpadded(text.data(), text.size(), H5Tget_strpad(type_));
}

std::int64_t StoredAttribute::integer() const {
  if (!is_whole(type_)) refuse("a whole number of 64 bits");
  if (is_wide_unsigned(type_)) {
    std::uint64_t value = 0;
    read(native_type<std::uint64_t>(), &value);
    require(std::in_range<std::int64_t>(value), what_, ": expected a whole number of 64 bits with a sign, found ",
            value);
    return static_cast<std::int64_t>(value);
  }
  std::int64_t value = 0;
  read(native_type<std::int64_t>(), &value);
  return value;
}

double StoredAttribute::real() const {
  if (!is_number(type_)) refuse("a number");
  double value = 0;
  read(native_type<double>(), &value);
  return value;
}

std::string member_name(hid_t type, unsigned index) {
  char* raw = H5Tget_member_name(type, index);
  require(raw != nullptr, "HDF5: cannot read the name of a column", hdf5_reason());
  std::string name(raw);
  H5free_memory(raw);
  return name;
}

std::string unpadded(const char* text, std::size_t width, H5T_str_t padding) {
  std::string found(text, strnlen(text, width));
  if (padding == H5T_STR_SPACEPAD) found.resize(found.find_last_not_of(' ') + 1);
  return found;
}

}  // namespace fleet
