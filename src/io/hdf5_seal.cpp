#include "io/hdf5_seal.hpp"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <sstream>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::string_view kOuter = "fleet CRC-32 ";
constexpr std::size_t kDigits = 8;
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

/// Where the digits of the inner seal are; npos where there are none.
std::size_t find_inner_digits(std::string_view bytes) {
  const std::size_t at = bytes.find(kInner);
  return at == std::string::npos || bytes.size() - at < kOpenInnerSeal.size() ? std::string::npos : at + kInner.size();
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
  return seal == outer_seal(checksum) ? Seal::kIntact : seal.starts_with(kOuter) ? Seal::kBroken : Seal::kNone;
}

Seal read_inner_seal(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::size_t at = find_inner_digits(bytes);
  if (at == std::string::npos) return Seal::kNone;
  const std::string found = bytes.substr(at, kDigits);
  bytes.replace(at, kDigits, kOpenInnerSeal.substr(kInner.size()));
  return found == digits(checksum_of(bytes)) ? Seal::kIntact : Seal::kBroken;
}

}  // namespace fleet
