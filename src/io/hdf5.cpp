#include "io/hdf5.hpp"

#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <limits>
#include <numeric>
#include <sstream>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {
namespace {

/// An HDF5 identifier, closed by the function that goes with its kind.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
    require(id_ >= 0, "HDF5: cannot ", what);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }  // NOLINT: stands for the identifier everywhere

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void check(herr_t status, const std::string& what) {
  require(status >= 0, "HDF5: cannot ", what, system_reason());
}

template <class T>
hid_t native_type();
template <>
hid_t native_type<std::int32_t>() {
  return H5T_NATIVE_INT32;
}
template <>
hid_t native_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}

Handle text_type(std::size_t length) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  H5Tset_size(type, std::max<std::size_t>(length, 1));
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

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

template <class T>
std::vector<T> unpack(const std::vector<char>& rows, std::size_t offset, std::size_t width, std::size_t row_bytes) {
  std::vector<T> values;
  values.reserve(rows.size() / row_bytes);
  for (std::size_t at = offset; at < rows.size(); at += row_bytes) {
    if constexpr (std::is_same_v<T, std::string>) {
      values.emplace_back(rows.data() + at, strnlen(rows.data() + at, width));
    } else {
      T value;
      std::memcpy(&value, rows.data() + at, sizeof(T));
      values.push_back(value);
    }
  }
  return values;
}

template <class T>
T filler() {
  if constexpr (std::is_same_v<T, double>) return std::numeric_limits<double>::quiet_NaN();
  return T{};
}

/// Turns a column of 64-bit integers into one of reals.
void widen(Table::Column& column) {
  if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&column)) {
    column = std::vector<double>(whole->begin(), whole->end());
  }
}

/// HDF5 itself does not notice a flipped bit. What it reads ends where its own bookkeeping says: behind that there is
/// room for a checksum of the whole file, which other programs do not see.
constexpr std::string_view kSeal = "fleet CRC-32 ";

uLong checksum_of(std::string_view bytes, uLong before = 0) {
  return crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());  // NOLINT
}

std::string seal_of(uLong checksum) {
  std::ostringstream text;
  text << kSeal << std::hex << std::setw(8) << std::setfill('0') << checksum << '\n';
  return text.str();
}

enum class Seal { kIntact, kBroken, kNone };

/// Whether the file ends in the seal of what is before it.
Seal read_seal(const std::filesystem::path& path) {
  const std::size_t length = seal_of(0).size();
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);  // of a directory, an error
  if (error || size < length) return Seal::kNone;
  std::ifstream in(path, std::ios::binary);
  std::string block(std::size_t{1} << 20U, '\0');
  uLong checksum = 0;
  for (std::uintmax_t left = size - length; left > 0 && in.good();) {
    block.resize(std::min<std::uintmax_t>(block.size(), left));
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    checksum = checksum_of(block, checksum);
    left -= block.size();
  }
  std::string seal(length, '\0');
  in.read(seal.data(), static_cast<std::streamsize>(length));
  if (!in.good()) return Seal::kBroken;
  return seal == seal_of(checksum) ? Seal::kIntact : seal.starts_with(kSeal) ? Seal::kBroken : Seal::kNone;
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
                   "create " + name + system_reason());
  check(H5Dwrite(set, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write " + name);
}

template <class T>
std::vector<T> read_values(hid_t file, const std::filesystem::path& path, const std::string& name,
                           std::vector<std::size_t>& shape) {
  const std::string what = cat(name, " of ", path.string());
  const Handle set(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, "open " + what);
  const Handle space(H5Dget_space(set), H5Sclose, "describe " + what);
  std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  shape.assign(extents.begin(), extents.end());
  std::vector<T> values(std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>()));
  check(H5Dread(set, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read " + what);
  return values;
}

/// An attribute that holds a single thing: HDF5 writes as many as there are, whatever there is room for.
class Attribute {
 public:
  Attribute(hid_t file, const std::filesystem::path& path, const std::string& object, const std::string& name)
      : what_(cat("attribute ", name, " of ", object, " in ", path.string())),
        id_(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, "read " + what_),
        type_(H5Aget_type(id_), H5Tclose, "read the type of " + what_) {
    const Handle space(H5Aget_space(id_), H5Sclose, "describe " + what_);
    const hssize_t values = H5Sget_simple_extent_npoints(space);
    require(values == 1, what_, " holds ", values, " values; expected one");
  }
  [[nodiscard]] hid_t type() const { return type_; }
  /// Error, which says what was `expected`, unless its values are of one of the classes.
  void expect(std::initializer_list<H5T_class_t> classes, const char* expected) const {
    require(std::find(classes.begin(), classes.end(), H5Tget_class(type_)) != classes.end(), what_, ": expected ",
            expected);
  }
  void read(hid_t as, void* value) const { check(H5Aread(id_, as, value), "read " + what_); }

 private:
  std::string what_;
  Handle id_;
  Handle type_;
};

template <class T>
T read_number(const Attribute& attribute) {
  attribute.expect({H5T_INTEGER, H5T_FLOAT}, "a number");
  T value{};
  attribute.read(native_type<T>(), &value);
  return value;
}

}  // namespace

void Table::add(std::string name, Column values) {
  for (const auto& [taken, column] : columns_) {
    require(taken != name, "a table has two columns called ", name);
  }
  columns_.emplace_back(std::move(name), std::move(values));
}

template <class T>
const std::vector<T>& Table::column(const std::string& name) const {
  for (const auto& [known, column] : columns_) {
    if (known != name) continue;
    const auto* values = std::get_if<std::vector<T>>(&column);
    require(values != nullptr, "column ", name, " has another type");
    return *values;
  }
  throw Error(cat("there is no column ", name));
}
template const std::vector<std::int32_t>& Table::column(const std::string&) const;
template const std::vector<std::int64_t>& Table::column(const std::string&) const;
template const std::vector<double>& Table::column(const std::string&) const;
template const std::vector<std::string>& Table::column(const std::string&) const;

std::size_t Table::rows() const {
  if (columns_.empty()) return 0;
  return std::visit([](const auto& values) { return values.size(); }, columns_.front().second);
}

void Table::fill(const std::string& name, std::int32_t value) {
  for (auto& [known, column] : columns_) {
    if (known != name) continue;
    auto& values = std::get<std::vector<std::int32_t>>(column);
    std::fill(values.begin(), values.end(), value);
  }
}

void Table::append(const Table& other) {
  const std::size_t before = rows();
  const std::size_t added = other.rows();
  for (const auto& column : other.columns_) {
    const std::string& name = column.first;  // clang before 16 lets no lambda capture a structured binding
    auto mine = std::find_if(columns_.begin(), columns_.end(), [&](const auto& c) { return c.first == name; });
    Column theirs = column.second;
    if (mine != columns_.end()) {  // whole numbers beside reals are reals
      if (std::holds_alternative<std::vector<double>>(theirs)) widen(mine->second);
      if (std::holds_alternative<std::vector<double>>(mine->second)) widen(theirs);
    }
    std::visit(
        [&](const auto& values) {
          using Values = std::decay_t<decltype(values)>;
          if (mine == columns_.end()) {
            columns_.emplace_back(name, Values(before, filler<typename Values::value_type>()));
            mine = std::prev(columns_.end());
          }
          auto* own = std::get_if<Values>(&mine->second);
          require(own != nullptr, "column ", name, " has different types in the tables to be joined");
          own->insert(own->end(), values.begin(), values.end());
        },
        theirs);
  }
  for (auto& [name, column] : columns_) {
    std::visit(
        [&](auto& values) {
          using T = typename std::decay_t<decltype(values)>::value_type;
          values.resize(before + added, filler<T>());
        },
        column);
  }
}

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
    check(H5Tinsert(type, column_name.c_str(), offset, member), "add column " + column_name);
    pack(column, offset, row_bytes, rows);
    offset += width;
  }
  const hsize_t extent = table.rows();
  const Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose, "describe " + name);
  const Handle links = link_creation();
  const Handle creation = dataset_creation(table.rows(), row_bytes);
  const Handle set(H5Dcreate2(file_, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose,
                   "create " + name + system_reason());
  if (extent > 0) check(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), "write " + name);
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
  check(H5Tenum_insert(type, "FALSE", &kValues[0]), "make a type of truth values");
  check(H5Tenum_insert(type, "TRUE", &kValues[1]), "make a type of truth values");
  const hsize_t extent = values.size();
  const Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose, "describe " + name);
  const Handle links = link_creation();
  const Handle creation = plain_creation();
  const Handle set(H5Dcreate2(file_, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose,
                   "create " + name + system_reason());
  check(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write " + name);
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
  check(H5Awrite(attribute, type, padded.data()), "write attribute " + name);
}

template <class T>
void Hdf5Writer::write_number(const std::string& object, const std::string& name, T value) {
  ensure_object(object);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "describe " + name);
  const Handle attribute(H5Acreate_by_name(file_, object.c_str(), name.c_str(), native_type<T>(), space, H5P_DEFAULT,
                                           H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, "create attribute " + name);
  check(H5Awrite(attribute, native_type<T>(), &value), "write attribute " + name);
}

void Hdf5Writer::write_attribute(const std::string& object, const std::string& name, std::int64_t value) {
  write_number(object, name, value);
}

void Hdf5Writer::write_real_attribute(const std::string& object, const std::string& name, double value) {
  write_number(object, name, value);
}

void Hdf5Writer::commit() {
  check(H5Fflush(static_cast<hid_t>(file_), H5F_SCOPE_GLOBAL), "close " + path_.string());
  const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
  std::string image(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
  check(H5Fget_file_image(file_, image.data(), image.size()) == size && size > 0 ? 0 : -1, "close " + path_.string());
  H5Fclose(std::exchange(file_, -1));
  image += seal_of(checksum_of(image));
  temporary_.write(image);
  temporary_.sync();
  temporary_.commit();
  sync_directory(path_.parent_path());
}

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path, Origin origin) : path_(path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  require(std::filesystem::exists(path), "there is no file ", path.string());
  const Seal seal = read_seal(path);
  require(seal == Seal::kIntact || (seal == Seal::kNone && origin == Origin::kAnywhere), path.string(),
          " is not an HDF5 file of this program, or is damaged");
  sealed_ = seal == Seal::kIntact;
  file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  require(file_ >= 0, path.string(), " is not an HDF5 file, or is damaged");
}

Hdf5Reader::~Hdf5Reader() {
  H5Fclose(file_);
}

bool Hdf5Reader::has(const std::string& name) const {
  // Every group on the way must exist before its child may be asked for.
  for (std::size_t at = name.find('/', 1); at != std::string::npos; at = name.find('/', at + 1)) {
    if (H5Lexists(file_, name.substr(0, at).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0;
}

Table Hdf5Reader::read_table(const std::string& name) const {
  require(has(name), path_.string(), " has no table ", name);
  const Handle set(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose, "open " + name);
  const Handle type(H5Dget_type(set), H5Tclose, "read the type of " + name);
  const Handle space(H5Dget_space(set), H5Sclose, "describe " + name);
  require(H5Tget_class(type) == H5T_COMPOUND, path_.string(), ": ", name, " is not a table");
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space));
  const std::size_t row_bytes = H5Tget_size(type);
  std::vector<char> rows(count * row_bytes);
  if (count > 0) check(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), "read " + name);

  Table table;
  for (int i = 0; i < H5Tget_nmembers(type); ++i) {
    const auto index = static_cast<unsigned>(i);
    char* raw = H5Tget_member_name(type, index);
    const std::string column(raw);
    H5free_memory(raw);
    const Handle member(H5Tget_member_type(type, index), H5Tclose, "read the type of " + column);
    const std::size_t offset = H5Tget_member_offset(type, index);
    const std::size_t width = H5Tget_size(member);
    if (H5Tget_class(member) == H5T_STRING) {
      table.add(column, unpack<std::string>(rows, offset, width, row_bytes));
    } else if (H5Tget_class(member) == H5T_FLOAT) {
      table.add(column, unpack<double>(rows, offset, width, row_bytes));
    } else if (width == sizeof(std::int32_t)) {
      table.add(column, unpack<std::int32_t>(rows, offset, width, row_bytes));
    } else {
      table.add(column, unpack<std::int64_t>(rows, offset, width, row_bytes));
    }
  }
  return table;
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& name) const {
  return has(object) && H5Aexists_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5Reader::names_in(const std::string& group) const {
  std::vector<std::string> names;
  if (!has(group)) return names;
  const Handle handle(H5Gopen2(file_, group.c_str(), H5P_DEFAULT), H5Gclose, "open " + group);
  H5G_info_t info{};
  check(H5Gget_info(handle, &info), "list " + group);
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const ssize_t length = H5Lget_name_by_idx(handle, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    std::string name(static_cast<std::size_t>(std::max<ssize_t>(length, 0)), '\0');
    H5Lget_name_by_idx(handle, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size() + 1, H5P_DEFAULT);
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<float> Hdf5Reader::read_floats(const std::string& name, std::vector<std::size_t>& shape) const {
  return read_values<float>(file_, path_, name, shape);
}

std::vector<std::int32_t> Hdf5Reader::read_integers(const std::string& name, std::vector<std::size_t>& shape) const {
  return read_values<std::int32_t>(file_, path_, name, shape);
}

std::string Hdf5Reader::read_text_attribute(const std::string& object, const std::string& name) const {
  const Attribute attribute(file_, path_, object, name);
  attribute.expect({H5T_STRING}, "a text");
  if (H5Tis_variable_str(attribute.type()) > 0) {  // as h5py writes them
    char* content = nullptr;
    attribute.read(attribute.type(), static_cast<void*>(&content));
    std::string text(content != nullptr ? content : "");
    H5free_memory(content);
    return text;
  }
  std::string text(H5Tget_size(attribute.type()), '\0');
  attribute.read(attribute.type(), text.data());
  text.resize(strnlen(text.data(), text.size()));
  return text;
}

std::int64_t Hdf5Reader::read_integer_attribute(const std::string& object, const std::string& name) const {
  return read_number<std::int64_t>(Attribute(file_, path_, object, name));
}

double Hdf5Reader::read_real_attribute(const std::string& object, const std::string& name) const {
  return read_number<double>(Attribute(file_, path_, object, name));
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return cat(major, '.', minor, '.', release);
}

}  // namespace fleet
