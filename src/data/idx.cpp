#include "data/idx.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <string>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/packed_file.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

// Far above any data set of bytes, far below what a random header claims or a product overflows at.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 36;
constexpr unsigned kUnsignedByte = 0x08;
constexpr unsigned kInteger = 0x0C;
constexpr std::size_t kIntegerBytes = 4;

/// Of a cache; the number is that of to_text().
const char* question(IdxPart part) {
  return part == IdxPart::kBytes ? "idx 1" : "idx column 1";
}

std::size_t product(const std::vector<std::int64_t>& shape) {
  std::size_t bytes = 1;
  for (const std::int64_t extent : shape) bytes *= static_cast<std::size_t>(extent);
  return bytes;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += cat(text.empty() ? "" : " x ", extent);
  return text;
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kHexadecimal = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    if (!text.empty()) text += ' ';
    text += {kHexadecimal[value >> 4U], kHexadecimal[value & 0xfU]};
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
    case kInteger:
      return "32-bit integer";
    case 0x0D:
      return "32-bit float";
    case 0x0E:
      return "64-bit float";
    default:
      return "unknown";
  }
}

/// What comes out of a file, one after another.
class IdxFile {
 public:
  IdxFile(const fs::path& path, IdxPart part) : file_(path), must_be_gzip_(path.extension() == ".gz"), part_(part) {
    read_header();
  }

  /// Of what is read.
  [[nodiscard]] std::vector<std::int64_t> shape() const {
    return part_ == IdxPart::kBytes ? shape_ : std::vector{shape_.front()};
  }
  /// The next bytes of what is read, all of them.
  void read(std::span<std::byte> into) {
    if (part_ == IdxPart::kBytes) return read_payload(into);
    std::vector<std::byte> row(payload() / static_cast<std::size_t>(shape_.front()));
    for (std::byte& each : into) {
      read_payload(row);
      require(row[0] == std::byte{0} && row[1] == std::byte{0} && row[2] == std::byte{0}, name(), ": row ",
              read_ / row.size() - 1, " begins with ", hex(std::span(row).first(kIntegerBytes)),
              ", expected an integer from 0 to 255");
      each = row[kIntegerBytes - 1];
    }
  }
  void expect_end() {
    // Reads on even when nothing is expected: gzip's checksum stands behind the last byte.
    std::array<std::byte, 1> extra{};
    require(file_.read(extra) == 0, name(), ": trailing bytes: found more than the ", payload(), " expected (",
            shape_text(shape_), ")");
  }
  [[nodiscard]] const std::string& name() const { return file_.name(); }

 private:
  [[nodiscard]] std::size_t payload() const { return product(shape_) * (part_ == IdxPart::kBytes ? 1 : kIntegerBytes); }
  void read_payload(std::span<std::byte> into) {
    const std::size_t found = file_.read(into);
    if (found < into.size()) complain_of_end(std::to_string(read_ + found));
    read_ += found;
  }

  void read_header() {
    const bool bytes = part_ == IdxPart::kBytes;
    const unsigned wanted = bytes ? kUnsignedByte : kInteger;
    std::array<std::byte, 4> magic{};
    const std::size_t found = file_.read(magic);
    // zlib has looked at the first bytes only now, and passes through what is not compressed.
    require(!must_be_gzip_ || file_.is_compressed(), name(), ": plain bytes, expected gzip as its name ends in .gz");
    require(found == magic.size(), name(), ": truncated header: found ", found, " bytes, expected at least 8");
    const auto type = std::to_integer<unsigned>(magic[2]);
    const auto dimensions = std::to_integer<std::size_t>(magic[3]);
    require(magic[0] == std::byte{0} && magic[1] == std::byte{0}, name(), ": not an IDX file: it begins with ",
            hex(magic), ", expected 00 00 ", bytes ? "08" : "0c", " and the number of dimensions");
    require(type == wanted, name(), ": elements of type ", hex({&magic[2], 1}), " (", type_name(type), "), expected ",
            bytes ? "08" : "0c", " (", type_name(wanted), ")");
    require(bytes ? dimensions >= 1 : dimensions == 2, name(), ": found ", dimensions, " dimensions, expected ",
            bytes ? "at least 1" : "2");
    read_dimensions(dimensions);
    // A header may claim anything: nobody is to allocate what the file cannot hold.
    const std::size_t header = magic.size() + 4 * dimensions;
    const std::uint64_t most = file_.most_bytes() - std::min<std::uint64_t>(header, file_.most_bytes());
    if (most >= payload()) return;
    complain_of_end(file_.is_compressed()
                        ? cat("at most ", most, ", as ", file_.size(), " compressed bytes hold no more")
                        : std::to_string(most));
  }

  void read_dimensions(std::size_t dimensions) {
    std::vector<std::byte> words(4 * dimensions);
    const std::size_t found = file_.read(words);
    require(found == words.size(), name(), ": truncated header: found ", 4 + found, " bytes, expected ",
            4 + words.size(), " for ", dimensions, " dimensions");
    std::int64_t bytes = 1;
    for (std::size_t first = 0; first < words.size(); first += 4) {
      std::int64_t extent = 0;
      for (std::size_t i = first; i < first + 4; ++i) {
        extent = extent << 8U | std::to_integer<std::int64_t>(words[i]);
      }
      shape_.push_back(extent);
      require(extent >= 1 && extent <= kMostBytes / bytes, name(), ": absurd dimensions: found ", shape_text(shape_),
              first + 4 < words.size() ? " x ..." : "", ", expected each at least 1 and a product of at most ",
              kMostBytes);
      bytes *= extent;
    }
  }

  [[noreturn]] void complain_of_end(const std::string& found) const {
    throw Error(cat(name(), ": truncated payload: found ", found, " bytes, expected ", payload(), " (",
                    shape_text(shape_), ")"));
  }

  PackedFile file_;
  bool must_be_gzip_;
  IdxPart part_;
  std::vector<std::int64_t> shape_;
  std::size_t read_ = 0;  // of the payload
};

/// Reads the payload to the end of the file, piece by piece: into `into`, or to forget it where that is empty.
IdxContent read_content(IdxFile& file, std::span<std::byte> into) {
  constexpr std::size_t kPiece = std::size_t{1} << 20U;  // part of the digest, as Hash tells where a piece ends
  IdxContent content{.shape = file.shape()};
  Hash digest;
  for (const std::int64_t extent : content.shape) digest.add(static_cast<std::uint64_t>(extent));
  const std::size_t bytes = content.bytes();
  std::vector<std::byte> kept(into.empty() ? std::min(kPiece, bytes) : 0);
  for (std::size_t at = 0; at < bytes; at += kPiece) {
    const std::size_t size = std::min(kPiece, bytes - at);
    const std::span<std::byte> piece = into.empty() ? std::span(kept).first(size) : into.subspan(at, size);
    file.read(piece);
    content.largest =
        std::max(content.largest, std::to_integer<std::uint8_t>(*std::max_element(piece.begin(), piece.end())));
    digest.add(std::string_view(reinterpret_cast<const char*>(piece.data()), size));  // NOLINT
  }
  file.expect_end();
  content.digest = digest.hex();
  return content;
}

/// "0123456789abcdef 255 600 8 8": what is remembered of a file.
std::string to_text(const IdxContent& content) {
  std::string text = cat(content.digest, ' ', int{content.largest});
  for (const std::int64_t extent : content.shape) text += cat(' ', extent);
  return text;
}

IdxContent from_text(const std::string& text) {
  IdxContent content;
  int largest = 0;
  std::istringstream in(text);
  in >> content.digest >> largest;
  content.largest = static_cast<std::uint8_t>(largest);
  for (std::int64_t extent = 0; in >> extent;) content.shape.push_back(extent);
  return content;
}

}  // namespace

std::size_t IdxContent::bytes() const {
  return product(shape);
}

IdxContent scan_idx(const fs::path& path, IdxPart part) {
  IdxFile file(path, part);
  return read_content(file, {});
}

IdxContent scan_idx(const fs::path& path, ContentCache& cache, IdxPart part) {
  return from_text(cache.answer(path, question(part), [&] { return to_text(scan_idx(path, part)); }));
}

void forget_idx(const fs::path& path, ContentCache& cache, IdxPart part) {
  cache.forget(path, question(part));
}

IdxContent read_idx(const fs::path& path, std::span<std::byte> into, IdxPart part) {
  IdxFile file(path, part);
  const std::size_t bytes = product(file.shape());
  require(into.size() == bytes, file.name(), ": holds ", bytes, " bytes (", shape_text(file.shape()), "), expected ",
          into.size());
  return read_content(file, into);
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
