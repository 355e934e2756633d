#include "io/idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/error.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

// Far above any data set of bytes, far below what a random header claims or a product overflows at.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 36;
constexpr unsigned kUnsignedByte = 0x08;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += cat(text.empty() ? "" : " x ", extent);
  return text;
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    if (!text.empty()) text += ' ';
    text += {kDigits[value >> 4U], kDigits[value & 0xfU]};
  }
  return text;
}

std::string_view type_name(unsigned type) {
  switch (type) {
    case kUnsignedByte:
      return "unsigned byte";
    case 0x09:
      return "signed byte";
    case 0x0B:
      return "16-bit integer";
    case 0x0C:
      return "32-bit integer";
    case 0x0D:
      return "32-bit float";
    case 0x0E:
      return "64-bit float";
    default:
      return "unknown";
  }
}

/// A file read from its beginning to its end, decompressed on the way if it is compressed.
class IdxFile {
 public:
  explicit IdxFile(const fs::path& path) : name_(path.string()), must_be_gzip_(path.extension() == ".gz") {
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rb"));
    require(file_ != nullptr, name_, ": cannot be opened: ", errno != 0 ? std::strerror(errno) : "out of memory");
    gzbuffer(file_.get(), 1U << 17U);
  }

  IdxHeader read_header() {
    std::array<std::byte, 4> magic{};
    const std::size_t found = read(magic);
    // zlib has looked at the first bytes only now, and passes through what is not compressed.
    require(!must_be_gzip_ || gzdirect(file_.get()) == 0, name_,
            ": plain bytes, expected gzip as its name ends in .gz");
    require(found == magic.size(), name_, ": truncated header: found ", found, " bytes, expected at least 8");
    const auto type = std::to_integer<unsigned>(magic[2]);
    const auto dimensions = std::to_integer<std::size_t>(magic[3]);
    require(magic[0] == std::byte{0} && magic[1] == std::byte{0}, name_, ": not an IDX file: it begins with ",
            hex(magic), ", expected 00 00 08 and the number of dimensions");
    require(type == kUnsignedByte, name_, ": elements of type ", hex({&magic[2], 1}), " (", type_name(type),
            "), expected 08 (", type_name(kUnsignedByte), ")");
    require(dimensions >= 1, name_, ": found 0 dimensions, expected at least 1");
    return read_dimensions(dimensions);
  }

  void read_payload(const IdxHeader& header, std::span<std::byte> into) {
    const std::string shape = shape_text(header.shape);
    require(into.size() == header.bytes(), name_, ": holds ", header.bytes(), " bytes (", shape, "), expected ",
            into.size());
    const std::size_t found = read(into);
    require(found == into.size(), name_, ": truncated payload: found ", found, " bytes, expected ", into.size(), " (",
            shape, ")");
    // Reads on even when nothing is expected: gzip's checksum stands behind the last byte.
    std::array<std::byte, 1> extra{};
    require(read(extra) == 0, name_, ": trailing bytes: found more than the ", into.size(), " expected (", shape, ")");
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  IdxHeader read_dimensions(std::size_t dimensions) {
    std::vector<std::byte> words(4 * dimensions);
    const std::size_t found = read(words);
    require(found == words.size(), name_, ": truncated header: found ", 4 + found, " bytes, expected ",
            4 + words.size(), " for ", dimensions, " dimensions");
    IdxHeader header;
    std::int64_t bytes = 1;
    for (std::size_t first = 0; first < words.size(); first += 4) {
      std::int64_t extent = 0;
      for (std::size_t i = first; i < first + 4; ++i) {
        extent = extent << 8U | std::to_integer<std::int64_t>(words[i]);
      }
      header.shape.push_back(extent);
      require(extent >= 1 && extent <= kMostBytes / bytes, name_, ": absurd dimensions: found ",
              shape_text(header.shape), first + 4 < words.size() ? " x ..." : "",
              ", expected each at least 1 and a product of at most ", kMostBytes);
      bytes *= extent;
    }
    return header;
  }

  /// Fills `into` as far as the file goes; the number of bytes read.
  std::size_t read(std::span<std::byte> into) {
    constexpr std::size_t kChunk = std::size_t{1} << 24U;
    std::size_t filled = 0;
    bool asked_again = false;
    while (filled < into.size()) {
      const auto wanted = static_cast<unsigned>(std::min(kChunk, into.size() - filled));
      const int got = gzread(file_.get(), &into[filled], wanted);
      int code = Z_OK;
      const char* const message = gzerror(file_.get(), &code);
      require(code != Z_BUF_ERROR, name_, ": truncated gzip: the compressed data break off");
      // zlib puts the path before its messages, unless it has no memory for that.
      require(got >= 0, code == Z_MEM_ERROR ? name_ + ": " : "", message);
      filled += static_cast<std::size_t>(got);
      if (got > 0) continue;
      if (asked_again) break;
      // When the input ends just where an earlier read was satisfied, zlib takes that for a clean
      // end even inside a compressed stream. Asked again, it looks.
      gzclearerr(file_.get());
      asked_again = true;
    }
    return filled;
  }

  std::string name_;
  bool must_be_gzip_;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace

std::size_t IdxHeader::bytes() const {
  std::size_t product = 1;
  for (const std::int64_t extent : shape) product *= static_cast<std::size_t>(extent);
  return product;
}

IdxHeader read_idx_header(const fs::path& path) {
  return IdxFile(path).read_header();
}

void read_idx(const fs::path& path, std::span<std::byte> into) {
  IdxFile file(path);
  file.read_payload(file.read_header(), into);
}

namespace {

/// The names under which `stem` is looked for, in order.
std::vector<std::string> spellings(std::string_view stem) {
  std::vector<std::string> names{std::string(stem), cat(stem, ".gz")};
  if (const std::size_t dash = stem.rfind("-idx"); dash != std::string_view::npos) {
    std::string dotted(stem);
    dotted[dash] = '.';
    names.push_back(dotted);
    names.push_back(dotted + ".gz");
  }
  return names;
}

}  // namespace

std::optional<fs::path> locate_idx(const fs::path& directory, std::string_view stem) {
  for (const std::string& name : spellings(stem)) {
    std::error_code absent;  // some archives unpack to a folder of the file's name: not that one
    if (fs::is_regular_file(directory / name, absent)) return directory / name;
  }
  return std::nullopt;
}

fs::path find_idx(const fs::path& directory, std::string_view stem) {
  const std::optional<fs::path> found = locate_idx(directory, stem);
  if (found) return *found;
  std::string names;
  for (const std::string& name : spellings(stem)) names += (names.empty() ? "" : ", ") + name;
  throw Error(cat(directory.string(), ": no such file in this directory: looked for ", names));
}

}  // namespace fleet
