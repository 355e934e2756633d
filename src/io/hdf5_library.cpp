#include "io/hdf5_library.hpp"

#include <algorithm>

namespace fleet {
namespace {

herr_t keep_innermost(unsigned n, const H5E_error2_t* error, void* text) {
  if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

/// Where a link of a file leads.
std::string target_of(hid_t file, const std::string& name, const H5L_info_t& link) {
  if (link.type != H5L_TYPE_SOFT && link.type != H5L_TYPE_EXTERNAL) return "something else";
  std::string value(link.u.val_size + 1, '\0');
  check_hdf5(H5Lget_val(file, name.c_str(), value.data(), link.u.val_size, H5P_DEFAULT), "read the link " + name);
  if (link.type == H5L_TYPE_SOFT) return value.c_str();
  const char* other = nullptr;
  const char* object = nullptr;
  check_hdf5(H5Lunpack_elink_val(value.data(), link.u.val_size, nullptr, &other, &object), "read the link " + name);
  return cat(object, " of another file, ", other);
}

}  // namespace

std::string hdf5_reason() {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &reason);
  return reason.empty() ? "" : ": " + reason;
}

void check_hdf5(herr_t status, const std::string& what) {
  if (status < 0) throw Error("HDF5: cannot " + what + hdf5_reason());
}

template <>
hid_t native_type<std::int32_t>() {
  return H5T_NATIVE_INT32;
}
template <>
hid_t native_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
hid_t native_type<std::uint64_t>() {
  return H5T_NATIVE_UINT64;
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

std::string describe_type(hid_t type) {
  const std::size_t bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return cat("whole numbers of ", bits, " bits");
    case H5T_FLOAT:
      return cat("reals of ", bits, " bits");
    case H5T_STRING:
      return "texts";
    case H5T_ENUM:
      return "values of an enumeration";
    case H5T_COMPOUND:
      return "records with columns of their own";
    case H5T_ARRAY:
      return "arrays";
    case H5T_VLEN:
      return "lists of any length";
    case H5T_REFERENCE:
      return "references";
    default:
      return "bytes without a meaning";
  }
}

bool object_exists(hid_t file, const std::filesystem::path& path, const std::string& name) {
  if (name == "/") return true;
  // Every group on the way must be there before its child may be asked for.
  for (std::size_t at = 0; at != std::string::npos;) {
    at = name.find('/', at + 1);
    const std::string part = name.substr(0, at);
    if (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
    H5L_info_t link{};
    check_hdf5(H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT), cat("look at ", part, " of ", path.string()));
    if (link.type == H5L_TYPE_HARD) continue;
    throw Error(cat(part, " of ", path.string(), " is a link to ", target_of(file, part, link),
                    "; expected the thing itself: links are not followed"));
  }
  return true;
}

Handle open_object(hid_t file, const std::filesystem::path& path, const std::string& name, const char* expected) {
  require(object_exists(file, path, name), path.string(), " has no ", name, "; expected ", expected);
  return {H5Oopen(file, name.c_str(), H5P_DEFAULT), H5Oclose, cat("open ", name, " of ", path.string())};
}

std::vector<std::string> member_names(hid_t group, const std::string& what) {
  std::vector<std::string> names;
  const auto keep = [](hid_t, const char* name, const H5L_info_t*, void* kept) -> herr_t {
    static_cast<std::vector<std::string>*>(kept)->emplace_back(name);
    return 0;
  };
  check_hdf5(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, keep, &names), "list " + what);
  return names;
}

}  // namespace fleet
