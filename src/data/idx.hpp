// Files in the IDX format, in which MNIST and its kin are published: two zero bytes, the type of
// the elements, the number of dimensions, the dimensions (32-bit, big-endian), then the elements.
//
// Hides the byte order, gzip, and the spellings under which the same file goes around. Whatever is
// wrong with a file (also a header that claims more than the file can hold, before anything of that
// size is allocated) is an Error which names it, what was found in it and what was expected. Called
// by the workloads that train on images, and by `fleet data fetch` to see what is already there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/content_cache.hpp"

namespace fleet {

/// What is read of a file.
enum class IdxPart {
  kBytes,        ///< all of an array of unsigned bytes
  kFirstColumn,  ///< of a table of 32-bit integers, each of which must fit into a byte (QMNIST's labels: the classes)
};

/// Unsigned bytes, as reading all of a file has shown.
struct IdxContent {
  std::vector<std::int64_t> shape;  ///< outermost dimension first; each is at least 1
  std::uint8_t largest = 0;         ///< of the bytes
  std::string digest;               ///< of shape and bytes, whatever file they come from: sixteen hexadecimal digits
  /// The product of the dimensions.
  [[nodiscard]] std::size_t bytes() const;
};

/// Reads what is asked for into `into`, whose size must be that of it, and to the end of the file: bytes missing,
/// bytes left over and a checksum of gzip's that does not match are errors. The file may be plain or compressed with
/// gzip; one that is called .gz must be compressed.
IdxContent read_idx(const std::filesystem::path& path, std::span<std::byte> into, IdxPart part = IdxPart::kBytes);

/// The same without keeping the payload.
[[nodiscard]] IdxContent scan_idx(const std::filesystem::path& path, IdxPart part = IdxPart::kBytes);
/// The same, by what `cache` remembers of a file that has not changed since it was scanned and found whole.
[[nodiscard]] IdxContent scan_idx(const std::filesystem::path& path, ContentCache& cache,
                                  IdxPart part = IdxPart::kBytes);
/// Has the file scanned anew the next time.
void forget_idx(const std::filesystem::path& path, ContentCache& cache, IdxPart part = IdxPart::kBytes);

/// The file in `directory` that holds `stem` ("train-images-idx3-ubyte"): the first that exists of
/// stem and stem.gz, then of both with the dot some unpackers write ("train-images.idx3-ubyte").
[[nodiscard]] std::optional<std::filesystem::path> locate_idx(const std::filesystem::path& directory,
                                                              std::string_view stem);

/// The same; that there is none is an Error naming the directory and the names tried.
[[nodiscard]] std::filesystem::path find_idx(const std::filesystem::path& directory, std::string_view stem);

}  // namespace fleet
