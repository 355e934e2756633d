#include "io/hdf5_seal.hpp"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <set>
#include <sstream>
#include <vector>

#include "io/hdf5_array.hpp"

namespace fleet {
namespace {

constexpr std::string_view kSeal = "fleet CRC-32 ";
constexpr int kDeepest = 16;  // groups within groups; this program's files have three

uLong checksum_of(std::string_view bytes, uLong before = 0) {
  return crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());  // NOLINT
}

std::string digits(uLong checksum) {
  std::ostringstream text;
  text << std::hex << std::setw(8) << std::setfill('0') << checksum;
  return text.str();
}

std::string seal_with(uLong checksum) {
  return cat(kSeal, digits(checksum), '\n');
}

/// As numpy writes the types that this program's files have.
std::string type_text(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  const char order = bytes == 1 ? '|' : H5Tget_order(type) == H5T_ORDER_LE ? '<' : '>';
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return cat(order, H5Tget_sign(type) == H5T_SGN_NONE ? 'u' : 'i', bytes);
    case H5T_FLOAT:
      return cat(order, 'f', bytes);
    case H5T_STRING:
      if (H5Tis_variable_str(type) <= 0) return cat("|S", bytes);
      break;
    case H5T_ENUM:
      if (bytes == 1) return "|b1";
      break;
    default:
      break;
  }
  throw Error("it holds " + describe_type(type));
}

std::string row_text(hid_t type) {
  if (H5Tget_class(type) != H5T_COMPOUND) return type_text(type);
  std::string text;
  for (int i = 0; i < H5Tget_nmembers(type); ++i) {
    const auto index = static_cast<unsigned>(i);
    const Handle member(H5Tget_member_type(type, index), H5Tclose, "read the type of a column");
    text += cat(text.empty() ? "" : ";", member_name(type, index), ' ', type_text(member));
  }
  return text;
}

/// Writes down what is in a file.
class Inventory {
 public:
  Inventory(hid_t file, const std::filesystem::path& path) : file_(file), path_(&path) {
    const Handle root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose, "open " + path.string());
    add_group(root, "/", 0);
  }
  [[nodiscard]] std::string checksum() {
    std::sort(lines_.begin(), lines_.end());
    uLong sum = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) sum = checksum_of((i > 0 ? "\n" : "") + lines_[i], sum);
    return digits(sum);
  }

 private:
  void add_group(hid_t group, const std::string& name, int depth) {
    require(depth <= kDeepest, "it holds groups within groups, ", depth, " deep");
    lines_.push_back(name);
    add_attributes(group, name);
    for (const std::string& member : member_names(group, name)) add(name == "/" ? member : name + "/" + member, depth);
  }

  void add(const std::string& name, int depth) {
    const Handle object = open_object(file_, *path_, name, "what it lists");
    H5O_info_t info{};
    check_hdf5(H5Oget_info(object, &info), "look at " + name);
    if (!seen_.insert(info.addr).second) return;  // another name of the same
    if (info.type == H5O_TYPE_GROUP) {
      add_group(object, name, depth + 1);
      return;
    }
    require(info.type == H5O_TYPE_DATASET, "it holds a type of its own, ", name);
    const StoredArray array(file_, *path_, name, "an array");
    std::string extents;
    for (const std::size_t extent : array.shape()) extents += cat(extents.empty() ? "" : "x", extent);
    std::vector<char> bytes = array.allocate<char>(array.size() * H5Tget_size(array.type()));
    const std::string type = row_text(array.type());  // and nothing that is a pointer in memory
    if (!bytes.empty()) array.read(array.type(), bytes.data());
    lines_.push_back(cat(name, ' ', type, ' ', extents, ' ', digits(checksum_of({bytes.data(), bytes.size()}))));
    add_attributes(object, name);
  }

  void add_attributes(hid_t object, const std::string& name) {
    H5O_info_t info{};
    check_hdf5(H5Oget_info(object, &info), "look at " + name);
    for (hsize_t i = 0; i < info.num_attrs; ++i) {
      const Handle id(H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                      cat("read an attribute of ", name));
      const StoredAttribute attribute(id, cat("an attribute of ", name));
      if (name == "/" && attribute.name() == kContentChecksum) continue;
      const std::string type = type_text(attribute.type());
      std::string bytes(H5Tget_size(attribute.type()), '\0');
      attribute.read(attribute.type(), bytes.data());
      const bool text = H5Tget_class(attribute.type()) == H5T_STRING;
      if (text) bytes.resize(bytes.find_last_not_of('\0') + 1);
      lines_.push_back(cat(name, '@', attribute.name(), ' ', text ? "S" : type, ' ', digits(checksum_of(bytes))));
    }
  }

  hid_t file_;
  const std::filesystem::path* path_;
  std::set<haddr_t> seen_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string seal_of(std::string_view bytes) {
  return seal_with(checksum_of(bytes));
}

Seal read_seal(const std::filesystem::path& path) {
  const std::size_t length = seal_with(0).size();
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
  return seal == seal_with(checksum) ? Seal::kIntact : seal.starts_with(kSeal) ? Seal::kBroken : Seal::kNone;
}

std::string content_checksum(hid_t file, const std::filesystem::path& path) {
  return Inventory(file, path).checksum();
}

}  // namespace fleet
