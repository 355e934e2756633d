// How a file of this program is known to be whole, since HDF5 itself does not notice a flipped bit, and its library
// crashes on some: two checksums, looked at before the library sees a byte.
//
// The outer seal is of every byte. What HDF5 reads ends where its own bookkeeping says, and behind that lies the seal,
// which other programs do not see. One that opens the file for writing cuts it off, even if it changes nothing. Then
// the inner seal tells: a text attribute of the file with the checksum of the other bytes.
//
// Private to src/io/hdf5_*.cpp.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fleet {

/// The attribute that is the inner seal, and what it holds until close_inner_seal(): the first "fleet bytes CRC-32 " in
/// the file, followed by eight hexadecimal digits.
inline constexpr const char* kInnerSeal = "bytes_crc32";
inline constexpr std::string_view kOpenInnerSeal = "fleet bytes CRC-32 00000000";

/// Puts the digits in place: the CRC-32 of the bytes as they are before, with zeros for digits.
void close_inner_seal(std::string& bytes);

/// The line that goes behind the bytes of a file.
[[nodiscard]] std::string outer_seal_of(std::string_view bytes);

enum class Seal { kIntact, kBroken, kNone };
/// Whether the file ends in the outer seal of what is before it.
[[nodiscard]] Seal read_outer_seal(const std::filesystem::path& path);
/// Whether the file, which ends without one, has the inner seal of its bytes.
[[nodiscard]] Seal read_inner_seal(const std::filesystem::path& path);

}  // namespace fleet
