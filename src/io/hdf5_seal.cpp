#include "io/hdf5_seal.hpp"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <optional>
#include <sstream>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::string_view kOuter = "fleet CRC-32 ";
constexpr std::size_t kDigits = 8;
constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";  // that HDF5 files of ours begin with
constexpr std::string_view kInner = kOpenInnerSeal.substr(0, kOpenInnerSeal.size() - kDigits);

uLong checksum_of(std::string_view bytes, uLong before = 0) {
  return crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());  // NOLINT
}

std::string digits(uLong checksum) {
  std::ostringstream text;
  text << std::hex << std::setw(kDigits) << std::setfill('0') << checksum;
  return text.str();
}

std::string outer_seal(uLong checksum) {
  return cat(kOuter, digits(checksum), '\n');
}

/// Calls `use` with the next `bytes` of a file, part by part, until it returns false. Whether all were read.
template <class Use>
bool for_each_block(std::ifstream& in, std::uintmax_t bytes, Use use) {
  std::string block(std::size_t{1} << 20U, '\0');
  for (std::uintmax_t left = bytes; left > 0;) {
    block.resize(std::min<std::uintmax_t>(block.size(), left));
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    if (!in.good()) return false;
    if (!use(block)) return true;
    left -= block.size();
  }
  return true;
}

/// Where the digits of the inner seal are; npos where there are none.
std::size_t find_inner_digits(std::string_view bytes) {
  const std::size_t at = bytes.find(kInner);
  return at == std::string::npos || bytes.size() - at < kOpenInnerSeal.size() ? std::string::npos : at + kInner.size();
}

/// The same in a file of `size` bytes, which need not fit into memory.
std::optional<std::uintmax_t> find_inner_digits(std::ifstream& in, std::uintmax_t size) {
  std::optional<std::uintmax_t> found;
  std::string window;  // the last block, and as much of the one before as the seal may have begun in
  std::uintmax_t begin = 0;
  in.seekg(0);
  for_each_block(in, size, [&](std::string_view block) {
    window += block;
    if (const std::size_t at = find_inner_digits(window); at != std::string::npos) found = begin + at;
    const std::size_t used = window.size() - std::min(window.size(), kOpenInnerSeal.size() - 1);
    window.erase(0, used);
    begin += used;
    return !found;
  });
  return found;
}

}  // namespace

void close_inner_seal(std::string& bytes) {
  const std::size_t at = find_inner_digits(bytes);
  require(at != std::string::npos && bytes.compare(at, kDigits, kOpenInnerSeal.substr(kInner.size())) == 0,
          "the attribute ", kInnerSeal, " is not the first to hold \"", kInner, '"');
  bytes.replace(at, kDigits, digits(checksum_of(bytes)));
}

std::string outer_seal_of(std::string_view bytes) {
  return outer_seal(checksum_of(bytes));
}

Seal read_outer_seal(const std::filesystem::path& path) {
  const std::size_t length = outer_seal(0).size();
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size < length) return Seal::kNone;
  std::ifstream in(path, std::ios::binary);
  std::string seal(length, '\0');
  in.seekg(static_cast<std::streamoff>(size - length));
  in.read(seal.data(), static_cast<std::streamsize>(length));
  if (!in.good()) return Seal::kBroken;
  if (!seal.starts_with(kOuter)) return Seal::kNone;
  uLong checksum = 0;
  in.seekg(0);
  const bool whole = for_each_block(in, size - length, [&](std::string_view block) {
    checksum = checksum_of(block, checksum);
    return true;
  });
  return whole && seal == outer_seal(checksum) ? Seal::kIntact : Seal::kBroken;
}

Seal read_inner_seal(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  std::string signature(kSignature.size(), '\0');
  in.read(signature.data(), static_cast<std::streamsize>(signature.size()));
  if (error || signature != kSignature) return Seal::kNone;
  const std::optional<std::uintmax_t> at = find_inner_digits(in, size);
  if (!at) return Seal::kNone;
  std::string found(kDigits, '\0');
  uLong checksum = 0;
  const auto add = [&](std::string_view block) {
    checksum = checksum_of(block, checksum);
    return true;
  };
  in.clear();
  in.seekg(0);
  const bool before = for_each_block(in, *at, add);
  in.read(found.data(), static_cast<std::streamsize>(kDigits));
  add(kOpenInnerSeal.substr(kInner.size()));
  const bool after = for_each_block(in, size - *at - kDigits, add);
  return before && after && found == digits(checksum) ? Seal::kIntact : Seal::kBroken;
}

}  // namespace fleet
