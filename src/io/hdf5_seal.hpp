// How a file of this program is known to be whole: two checksums, since HDF5 itself does not notice a flipped bit.
//
// The seal is of every byte. What HDF5 reads ends where its own bookkeeping says, and behind that lies the seal, which
// other programs do not see; one that opens the file for writing cuts it off, even if it changes nothing. Such a file
// is judged by the checksum of its contents, an attribute inside, which knows nothing of where the bytes lie.
//
// Private to src/io/hdf5_*.cpp.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "io/hdf5_library.hpp"

namespace fleet {

/// The line that goes behind the bytes of a file.
[[nodiscard]] std::string seal_of(std::string_view bytes);

enum class Seal { kIntact, kBroken, kNone };
/// Whether the file ends in the seal of what is before it.
[[nodiscard]] Seal read_seal(const std::filesystem::path& path);

/// Attribute of the file that holds content_checksum().
inline constexpr const char* kContentChecksum = "content_crc32";

/// Eight hexadecimal digits that stand for all names, types, shapes and values in the file, except those of the
/// attribute kContentChecksum itself. The CRC-32 of lines, in the order of their bytes, with '\n' between them:
///   "NAME" of each group, "/" being the file; "NAME TYPE SHAPE CRC" of each dataset, with NAME as in "weights/0/w",
///   TYPE as numpy writes it ("<f4", "|S5", "|b1"; of a table "cell <i4;id |S16"), SHAPE as in "3x4", CRC-32 of its
///   bytes; "NAME@ATTRIBUTE TYPE CRC" of each attribute, a text's TYPE being "S" and its bytes those before the
///   padding.
/// Error for a file that holds what this program does not write.
[[nodiscard]] std::string content_checksum(hid_t file, const std::filesystem::path& path);

}  // namespace fleet
