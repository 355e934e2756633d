// Files in the IDX format, in which MNIST and its kin are published: two zero bytes, the type of
// the elements, the number of dimensions, the dimensions (32-bit, big-endian), then the elements.
//
// Hides the byte order, gzip, and the spellings under which the same file goes around. Whatever is
// wrong with a file is an Error which names it, what was found in it and what was expected. Called
// by the workloads that train on images, and by `fleet data fetch` to see what is already there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fleet {

/// The dimensions of an array of unsigned bytes, outermost first; each is at least 1.
struct IdxHeader {
  std::vector<std::int64_t> shape;
  /// Size of the payload: the product of the dimensions.
  [[nodiscard]] std::size_t bytes() const;
};

/// Reads the header only: a payload that does not fit it is noticed by read_idx. The file may be
/// plain or compressed with gzip; one that is called .gz must be compressed.
[[nodiscard]] IdxHeader read_idx_header(const std::filesystem::path& path);

/// Reads the payload into `into`, whose size must be the header's bytes(), and to the end of the
/// file: bytes missing, bytes left over and a checksum of gzip's that does not match are errors.
void read_idx(const std::filesystem::path& path, std::span<std::byte> into);

/// The file in `directory` that holds `stem` ("train-images-idx3-ubyte"): the first that exists of
/// stem and stem.gz, then of both with the dot some unpackers write ("train-images.idx3-ubyte").
[[nodiscard]] std::optional<std::filesystem::path> locate_idx(const std::filesystem::path& directory,
                                                              std::string_view stem);

/// The same; that there is none is an Error naming the directory and the names tried.
[[nodiscard]] std::filesystem::path find_idx(const std::filesystem::path& directory, std::string_view stem);

}  // namespace fleet
