#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_array.hpp"
#include "io/hdf5_library.hpp"
#include "io/hdf5_seal.hpp"

namespace fleet {
namespace {

/// One column of a table while it is read: where it lies in a row in memory.
struct Member {
  enum class Kind { kInteger, kLong, kUnsignedLong, kReal, kText, kLongText };
  std::string name;
  Kind kind;
  Handle type;  ///< in memory
  std::size_t width;
  std::size_t offset = 0;
  H5T_str_t padding = H5T_STR_NULLTERM;
};

Handle copy_of(hid_t type) {
  return {H5Tcopy(type), H5Tclose, "make a type"};
}

Member integer_member(std::string name, hid_t type, const std::string& what) {
  const std::size_t bits = 8 * H5Tget_size(type);
  const bool negative = H5Tget_sign(type) != H5T_SGN_NONE;
  require(bits <= 64, "column ", name, " of ", what, " holds ", describe_type(type), "; expected 64 bits at most");
  if (bits < 32 || (negative && bits == 32)) {
    return {std::move(name), Member::Kind::kInteger, copy_of(native_type<std::int32_t>()), sizeof(std::int32_t)};
  }
  if (negative || bits < 64) {
    return {std::move(name), Member::Kind::kLong, copy_of(native_type<std::int64_t>()), sizeof(std::int64_t)};
  }
  return {std::move(name), Member::Kind::kUnsignedLong, copy_of(native_type<std::uint64_t>()), sizeof(std::uint64_t)};
}

Member member_of(hid_t table, unsigned index, const std::string& what) {
  std::string name = member_name(table, index);
  const Handle type(H5Tget_member_type(table, index), H5Tclose, "read the type of column " + name);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_ENUM:
      return integer_member(std::move(name), type, what);
    case H5T_FLOAT:
      return {std::move(name), Member::Kind::kReal, copy_of(native_type<double>()), sizeof(double)};
    case H5T_STRING:
      if (H5Tis_variable_str(type) > 0) {
        return {std::move(name), Member::Kind::kLongText, copy_of(type), sizeof(char*)};
      }
      return {.name = std::move(name),
              .kind = Member::Kind::kText,
              .type = copy_of(type),
              .width = H5Tget_size(type),
              .padding = H5Tget_strpad(type)};
    default:
      throw Error(cat("column ", name, " of ", what, " holds ", describe_type(type),
                      "; expected whole numbers, reals or texts"));
  }
}

template <class T>
std::vector<T> unpack(const std::vector<char>& rows, const Member& member, std::size_t row_bytes) {
  std::vector<T> values;
  values.reserve(rows.size() / row_bytes);
  for (std::size_t at = member.offset; at < rows.size(); at += row_bytes) {
    T value;
    std::memcpy(&value, rows.data() + at, sizeof(T));
    values.push_back(value);
  }
  return values;
}

std::vector<std::string> unpack_texts(const std::vector<char>& rows, const Member& member, std::size_t row_bytes) {
  std::vector<std::string> texts;
  if (member.kind == Member::Kind::kLongText) {
    for (const char* text : unpack<const char*>(rows, member, row_bytes)) texts.emplace_back(text ? text : "");
    return texts;
  }
  for (std::size_t at = member.offset; at < rows.size(); at += row_bytes) {
    texts.push_back(unpadded(rows.data() + at, member.width, member.padding));
  }
  return texts;
}

Table::Column unpack_column(const std::vector<char>& rows, const Member& member, std::size_t row_bytes,
                            const std::string& what) {
  switch (member.kind) {
    case Member::Kind::kInteger:
      return unpack<std::int32_t>(rows, member, row_bytes);
    case Member::Kind::kLong:
      return unpack<std::int64_t>(rows, member, row_bytes);
    case Member::Kind::kReal:
      return unpack<double>(rows, member, row_bytes);
    case Member::Kind::kUnsignedLong: {
      std::vector<std::int64_t> values;
      for (const std::uint64_t value : unpack<std::uint64_t>(rows, member, row_bytes)) {
        require(std::in_range<std::int64_t>(value), "column ", member.name, " of ", what, " holds ", value,
                "; expected whole numbers of 64 bits with a sign");
        values.push_back(static_cast<std::int64_t>(value));
      }
      return values;
    }
    default:
      return unpack_texts(rows, member, row_bytes);
  }
}

/// The rows of a table in memory, whose texts of any length go with them.
class RowBytes {
 public:
  RowBytes(const StoredArray& array, const std::vector<Member>& members, std::size_t row_bytes)
      : array_(&array),
        type_(H5Tcreate(H5T_COMPOUND, row_bytes), H5Tclose, "make a table type"),
        bytes_(array.allocate<char>(array.size() * row_bytes)) {
    for (const Member& member : members) {
      check_hdf5(H5Tinsert(type_, member.name.c_str(), member.offset, member.type), "take column " + member.name);
    }
    has_long_texts_ =
        std::ranges::any_of(members, [](const Member& member) { return member.kind == Member::Kind::kLongText; });
    array.read(type_, bytes_.data());
  }
  RowBytes(const RowBytes&) = delete;
  RowBytes& operator=(const RowBytes&) = delete;
  ~RowBytes() {
    if (has_long_texts_ && !bytes_.empty()) H5Dvlen_reclaim(type_, array_->space(), H5P_DEFAULT, bytes_.data());
  }
  [[nodiscard]] const std::vector<char>& bytes() const { return bytes_; }

 private:
  const StoredArray* array_;
  Handle type_;
  bool has_long_texts_ = false;
  std::vector<char> bytes_;
};

}  // namespace

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path, Origin origin) : path_(path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  require(std::filesystem::exists(path), "there is no file ", path.string());
  require(std::filesystem::is_regular_file(path), path.string(), " is a folder or a device; expected an HDF5 file");
  Seal seal = read_outer_seal(path);
  require(seal != Seal::kBroken, path.string(), " is not an HDF5 file of this program, or is damaged");
  if (seal == Seal::kNone) seal = read_inner_seal(path);
  own_ = seal == Seal::kIntact;
  if (!own_ && origin == Origin::kFleet) refuse(seal == Seal::kBroken);
  file_ = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file_ >= 0) return;
  const std::string reason = hdf5_reason();
  const bool locked = reason.find("lock file") != std::string::npos;
  throw Error(locked ? cat(path.string(), " cannot be read now, as another program has it open for writing", reason)
                     : cat(path.string(), " is not an HDF5 file, or is damaged", reason));
}

void Hdf5Reader::refuse(bool changed) const {
  require(H5Fis_hdf5(path_.c_str()) > 0, path_.string(), " is not an HDF5 file of this program, or is damaged");
  require(!changed, path_.string(),
          " has been changed by another program since it was written, or is damaged: its bytes are not those of its "
          "checksum");
  throw Error(cat(path_.string(),
                  " is not an HDF5 file of this program, or another has opened it for writing since an earlier version "
                  "wrote it: it has no checksum, and whether it is whole cannot be known"));
}

Hdf5Reader::~Hdf5Reader() {
  H5Fclose(file_);
}

bool Hdf5Reader::has(const std::string& name) const {
  return object_exists(file_, path_, name);
}

bool Hdf5Reader::is_group(const std::string& name) const {
  return has(name) && H5Iget_type(open_object(file_, path_, name, "a group")) == H5I_GROUP;
}

Table Hdf5Reader::read_table(const std::string& name, std::span<const ColumnSpec> wanted) const {
  const StoredArray array(file_, path_, name, "a table");
  require(H5Tget_class(array.type()) == H5T_COMPOUND, array.what(), " holds ", describe_type(array.type()),
          "; expected a table, whose rows have columns");
  require(array.shape().size() == 1, array.what(), " has ", array.shape().size(),
          " dimensions; expected a table, which has one");
  std::vector<Member> members;
  std::size_t row_bytes = 0;
  for (int i = 0; i < H5Tget_nmembers(array.type()); ++i) {
    Member& member = members.emplace_back(member_of(array.type(), static_cast<unsigned>(i), array.what()));
    constexpr std::size_t kAligned = alignof(double);
    member.offset = row_bytes;
    row_bytes += (member.width + kAligned - 1) / kAligned * kAligned;
  }
  const RowBytes rows(array, members, row_bytes);
  Table table;
  for (const Member& member : members) {
    table.add(member.name, unpack_column(rows.bytes(), member, row_bytes, array.what()));
  }
  try {
    for (const ColumnSpec& column : wanted) table.convert(column);
  } catch (const Error& error) {
    throw Error(cat(array.what(), ": ", error.what()));
  }
  return table;
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& name) const {
  return has(object) && H5Aexists_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5Reader::names_in(const std::string& group) const {
  if (!has(group)) return {};
  require(is_group(group), group, " of ", path_.string(), " is an array; expected a group");
  const Handle handle = open_object(file_, path_, group, "a group");
  return member_names(handle, cat(group, " of ", path_.string()));
}

std::vector<float> Hdf5Reader::read_floats(const std::string& name, std::vector<std::size_t>& shape) const {
  const StoredArray array(file_, path_, name, "an array of numbers");
  shape = array.shape();
  return array.numbers<float>();
}

std::vector<std::int32_t> Hdf5Reader::read_integers(const std::string& name, std::vector<std::size_t>& shape) const {
  const StoredArray array(file_, path_, name, "an array of whole numbers");
  shape = array.shape();
  return array.numbers<std::int32_t>();
}

std::vector<std::uint8_t> Hdf5Reader::read_flags(const std::string& name, std::vector<std::size_t>& shape) const {
  const StoredArray array(file_, path_, name, "an array of truth values");
  shape = array.shape();
  return array.flags();
}

template <class Read>
auto Hdf5Reader::read_attribute(const std::string& object, const std::string& name, Read read) const {
  const std::string what = cat("attribute ", name, " of ", object, " in ", path_.string());
  require(has_attribute(object, name), "there is no ", what);
  const Handle id(H5Aopen_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                  "read " + what);
  return read(StoredAttribute(id, what));
}

std::string Hdf5Reader::read_text_attribute(const std::string& object, const std::string& name) const {
  return read_attribute(object, name, [](const StoredAttribute& attribute) { return attribute.text(); });
}

std::int64_t Hdf5Reader::read_integer_attribute(const std::string& object, const std::string& name) const {
  return read_attribute(object, name, [](const StoredAttribute& attribute) { return attribute.integer(); });
}

double Hdf5Reader::read_real_attribute(const std::string& object, const std::string& name) const {
  return read_attribute(object, name, [](const StoredAttribute& attribute) { return attribute.real(); });
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return cat(major, '.', minor, '.', release);
}

}  // namespace fleet
