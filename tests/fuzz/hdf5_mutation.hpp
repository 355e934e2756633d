// HDF5 files as somebody makes them who means harm and has the library: whole for it, and sealed, but holding whatever
// the fuzzer likes. Bytes that the library itself would choke on are not the readers' matter; the seals keep them away.
#pragma once

#include <hdf5.h>
#include <stdlib.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace fleet {

/// What the fuzzer says, to be asked for piece by piece; zeros when it has no more to say.
class FuzzChoices {
 public:
  FuzzChoices(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  [[nodiscard]] bool any() const { return !rest_.empty(); }
  std::uint8_t byte() { return number<std::uint8_t>(); }
  template <class T>
  T number() {
    T value{};
    const std::span<const std::uint8_t> taken = take(sizeof(T));
    std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  std::span<const std::uint8_t> take(std::size_t size) {
    const auto taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  template <class T>
  const T& one_of(const std::vector<T>& options) {
    return options[number<std::uint16_t>() % options.size()];
  }

 private:
  std::span<const std::uint8_t> rest_;
};

/// The bytes of a file that `write` makes under the path it is given, without the seal behind them.
template <class Write>
std::string bytes_made_by(Write write) {
  std::string folder = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) __builtin_trap();
  const std::filesystem::path path = std::filesystem::path(folder) / "sample.h5";
  write(path);
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::filesystem::remove_all(folder);
  return bytes.substr(0, bytes.rfind("fleet CRC-32 "));
}

/// A file in memory that is changed as the fuzzer says.
class MutatedFile {
 public:
  MutatedFile(std::string bytes, FuzzChoices& choices);
  MutatedFile(const MutatedFile&) = delete;
  MutatedFile& operator=(const MutatedFile&) = delete;
  ~MutatedFile() {
    for (const hid_t id : owned_) H5Idec_ref(id);
    H5Fclose(file_);
  }
  /// With a seal.
  [[nodiscard]] std::string bytes() const;

 private:
  /// `id`, which is closed with the file.
  hid_t own(hid_t id) {
    if (id >= 0) owned_.push_back(id);
    return id;
  }
  void mutate(FuzzChoices& choices);
  void overwrite(const std::string& name, FuzzChoices& choices);
  void replace(const std::string& name, hid_t type, const std::vector<hsize_t>& extents, FuzzChoices& choices);
  void set_attribute(const std::string& name, FuzzChoices& choices);
  [[nodiscard]] hid_t some_type(FuzzChoices& choices, int depth = 0);

  hid_t file_ = -1;
  std::vector<hid_t> owned_;
  std::vector<std::string> names_;
};

inline MutatedFile::MutatedFile(std::string bytes, FuzzChoices& choices) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1U << 16U, 0);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  H5Pset_file_image(access, bytes.data(), bytes.size());
  file_ = H5Fopen("fuzz", H5F_ACC_RDWR, access);
  H5Pclose(access);
  if (file_ < 0) __builtin_trap();
  const auto keep = [](hid_t, const char* name, const H5O_info_t*, void* names) -> herr_t {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name[0] == '.' ? "/" : name);
    return 0;
  };
  H5Ovisit(file_, H5_INDEX_NAME, H5_ITER_INC, keep, &names_);
  constexpr int kMost = 6;
  for (int i = 0; i < kMost && choices.any(); ++i) mutate(choices);
}

inline std::string MutatedFile::bytes() const {
  H5Fflush(file_, H5F_SCOPE_GLOBAL);
  std::string image(static_cast<std::size_t>(std::max<ssize_t>(0, H5Fget_file_image(file_, nullptr, 0))), '\0');
  H5Fget_file_image(file_, image.data(), image.size());
  char seal[64];
  std::snprintf(seal, sizeof seal, "fleet CRC-32 %08lx\n",
                crc32_z(0, reinterpret_cast<const Bytef*>(image.data()), image.size()));  // NOLINT
  return image + seal;
}

inline hid_t MutatedFile::some_type(FuzzChoices& choices, int depth) {
  const hsize_t two = 2;
  const hid_t text = own(H5Tcopy(H5T_C_S1));
  switch (choices.byte() % 12) {
    case 0:
      return own(H5Tcopy(H5T_STD_U8LE));
    case 1:
      return own(H5Tcopy(H5T_STD_I32BE));
    case 2:
      return own(H5Tcopy(H5T_STD_I64LE));
    case 3:
      return own(H5Tcopy(H5T_STD_U64LE));
    case 4:
      return own(H5Tcopy(H5T_IEEE_F32LE));
    case 5:
      return own(H5Tcopy(H5T_IEEE_F64BE));
    case 6:
      H5Tset_size(text, 1U + choices.byte());
      H5Tset_strpad(text, choices.byte() % 2 == 0 ? H5T_STR_SPACEPAD : H5T_STR_NULLTERM);
      return text;
    case 7:
      H5Tset_size(text, H5T_VARIABLE);
      return text;
    case 8:
      return own(H5Tvlen_create(H5T_NATIVE_INT32));
    case 9:
      return own(H5Tarray_create2(H5T_NATIVE_FLOAT, 1, &two));
    default: {
      const hid_t member = depth < 2 ? some_type(choices, depth + 1) : own(H5Tcopy(H5T_NATIVE_INT32));
      const hid_t row = own(H5Tcreate(H5T_COMPOUND, H5Tget_size(member)));
      H5Tinsert(row, choices.byte() % 2 == 0 ? "name" : "cell", 0, member);
      return row;
    }
  }
}

inline void MutatedFile::replace(const std::string& name, hid_t type, const std::vector<hsize_t>& extents,
                                 FuzzChoices& choices) {
  hsize_t values = 1;
  for (const hsize_t extent : extents) values = std::min<hsize_t>(values * extent, 1U << 20U);
  const std::size_t bytes = H5Tget_size(type) * values;
  const bool pointers = H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tdetect_class(type, H5T_STRING) > 0;
  const hid_t creation = own(H5Pcreate(H5P_DATASET_CREATE));
  const bool large = bytes > (1U << 16U);
  std::vector<hsize_t> chunk = extents;
  for (hsize_t& side : chunk) side = std::clamp<hsize_t>(side, 1, 16);
  if (large) H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  const hid_t space =
      own(extents.empty() ? H5Screate(choices.byte() % 4 == 0 ? H5S_NULL : H5S_SCALAR)
                          : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
  H5Ldelete(file_, name.c_str(), H5P_DEFAULT);
  const hid_t set = own(H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  if (set >= 0 && !large && !pointers) {
    std::vector<std::uint8_t> content(bytes + 1);
    const auto said = choices.take(bytes);
    std::copy(said.begin(), said.end(), content.begin());
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content.data());
  }
}

inline void MutatedFile::overwrite(const std::string& name, FuzzChoices& choices) {
  const hid_t set = own(H5Dopen2(file_, name.c_str(), H5P_DEFAULT));
  if (set < 0) return;
  const hid_t type = own(H5Dget_type(set));
  const auto bytes = static_cast<std::size_t>(H5Sget_simple_extent_npoints(own(H5Dget_space(set)))) * H5Tget_size(type);
  if (H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tis_variable_str(type) > 0 || bytes == 0 || bytes > (1U << 16U)) return;
  std::vector<std::uint8_t> content(bytes);
  if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content.data()) < 0) return;
  if (H5Tget_class(type) == H5T_COMPOUND && choices.byte() % 4 != 0) {  // one value of a table, most often a small one
    const auto column = static_cast<unsigned>(choices.byte() % H5Tget_nmembers(type));
    const std::size_t row = choices.byte() % (bytes / H5Tget_size(type));
    const std::size_t at = row * H5Tget_size(type) + H5Tget_member_offset(type, column);
    const std::size_t width = H5Tget_size(own(H5Tget_member_type(type, column)));
    const std::int64_t value = choices.byte() % 4 != 0 ? choices.byte() % 8 - 2 : choices.number<std::int64_t>();
    std::memcpy(content.data() + at, &value, std::min(width, sizeof(value)));
  } else {
    const std::size_t at = choices.number<std::uint16_t>() % bytes;
    const auto said = choices.take(std::min<std::size_t>(bytes - at, choices.byte()));
    std::copy(said.begin(), said.end(), content.begin() + static_cast<std::ptrdiff_t>(at));
  }
  H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content.data());
}

inline void MutatedFile::set_attribute(const std::string& name, FuzzChoices& choices) {
  const hid_t object = own(H5Oopen(file_, name.c_str(), H5P_DEFAULT));
  H5O_info_t info{};
  if (object < 0 || H5Oget_info(object, &info) < 0 || info.num_attrs == 0) return;
  const hsize_t index = choices.byte() % info.num_attrs;
  std::string key(64, '\0');
  H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, index, key.data(), key.size(), H5P_DEFAULT);
  H5Adelete(object, key.c_str());
  if (choices.byte() % 8 == 0) return;
  const auto text = choices.take(choices.number<std::uint16_t>() % 512);
  const hid_t type = choices.byte() % 2 == 0 ? some_type(choices) : own(H5Tcopy(H5T_C_S1));
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) <= 0) H5Tset_size(type, text.size() + 1);
  const hsize_t two = 2;
  const hid_t space = own(choices.byte() % 4 == 0 ? H5Screate_simple(1, &two, nullptr) : H5Screate(H5S_SCALAR));
  const hid_t id = own(H5Acreate2(object, key.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT));
  if (id < 0 || H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tis_variable_str(type) > 0) return;
  std::vector<std::uint8_t> content(2 * H5Tget_size(type) + text.size());
  std::copy(text.begin(), text.end(), content.begin());
  H5Awrite(id, type, content.data());
}

inline void MutatedFile::mutate(FuzzChoices& choices) {
  const std::string name = choices.one_of(names_);
  const std::uint8_t kind = choices.byte() % 16;
  if (kind < 6) {
    overwrite(name, choices);
  } else if (kind < 9) {
    set_attribute(name, choices);
  } else if (name == "/") {
    return;
  } else if (kind == 9) {
    H5Ldelete(file_, name.c_str(), H5P_DEFAULT);
  } else if (kind == 10) {
    H5Ldelete(file_, name.c_str(), H5P_DEFAULT);
    own(H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  } else if (kind == 11) {
    const std::string other = choices.one_of(names_);
    H5Ldelete(file_, name.c_str(), H5P_DEFAULT);
    if (choices.byte() % 2 == 0) {
      H5Lcreate_soft(other.c_str(), file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    } else {
      H5Lcreate_external("/nowhere.h5", other.c_str(), file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  } else {
    std::vector<hsize_t> extents(choices.byte() % 8);
    for (hsize_t& extent : extents) extent = choices.byte() % 16 == 0 ? choices.number<hsize_t>() : choices.byte() % 8;
    const hid_t set = kind == 12 ? own(H5Dopen2(file_, name.c_str(), H5P_DEFAULT)) : -1;  // other rows of the same type
    replace(name, set >= 0 ? own(H5Dget_type(set)) : some_type(choices), extents, choices);
  }
}

}  // namespace fleet
