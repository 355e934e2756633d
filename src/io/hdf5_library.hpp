// What this layer needs of the HDF5 library: identifiers that close themselves, what the library says of a failure, and
// the way to an object of a file.
//
// Private to src/io/hdf5_*.cpp.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace fleet {

/// ": why", in the library's words, of the call that has just failed; "" where it gives no reason.
[[nodiscard]] std::string hdf5_reason();

/// An HDF5 identifier, closed by the function that goes with its kind.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
    if (id_ < 0) throw Error("HDF5: cannot " + what + hdf5_reason());
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

/// Error unless a call has succeeded.
void check_hdf5(herr_t status, const std::string& what);

template <class T>
[[nodiscard]] hid_t native_type();
template <>
[[nodiscard]] hid_t native_type<std::int32_t>();
template <>
[[nodiscard]] hid_t native_type<std::int64_t>();
template <>
[[nodiscard]] hid_t native_type<std::uint64_t>();
template <>
[[nodiscard]] hid_t native_type<float>();
template <>
[[nodiscard]] hid_t native_type<double>();

/// Fixed-length UTF-8.
[[nodiscard]] Handle text_type(std::size_t length);

/// "whole numbers", "a compound of columns" ...
[[nodiscard]] std::string describe_type(hid_t type);

/// Whether the file has an object of this name. Error, naming it, if the way there is a link, to another name or to
/// another file: links are not followed.
[[nodiscard]] bool object_exists(hid_t file, const std::filesystem::path& path, const std::string& name);

/// Opens the object; Error if there is none, naming what was `expected`.
[[nodiscard]] Handle open_object(hid_t file, const std::filesystem::path& path, const std::string& name,
                                 const char* expected);

/// Names of a group's members, in order.
[[nodiscard]] std::vector<std::string> member_names(hid_t group, const std::string& what);

}  // namespace fleet
