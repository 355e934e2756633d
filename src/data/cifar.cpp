#include "data/cifar.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <sstream>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/packed_file.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostImages = std::numeric_limits<std::int32_t>::max();

/// Calls `take` for each record, its label and its pixels.
CifarContent read_records(const fs::path& path, CifarLabels labels,
                          const std::function<void(std::byte label, std::span<const std::byte> pixels)>& take) {
  constexpr std::size_t kAtOnce = 256;  // part of the digest, as Hash tells where a piece ends
  const std::size_t record = static_cast<std::size_t>(labels.count) + kCifarPixels;
  PackedFile file(path);
  std::vector<std::byte> buffer(kAtOnce * record);
  CifarContent content;
  Hash digest;
  while (const std::size_t found = file.read(buffer)) {
    require(found % record == 0, file.name(), ": truncated record: found ", found % record, " bytes behind ",
            content.images + static_cast<std::int64_t>(found / record), " records of ", record, " bytes (",
            labels.count == 1 ? "a label" : cat(labels.count, " labels"), " and ", kCifarPixels,
            " pixels), expected none");
    digest.add(std::string_view(reinterpret_cast<const char*>(buffer.data()), found));  // NOLINT
    for (std::size_t at = 0; at < found; at += record) {
      const std::span<const std::byte> bytes(&buffer[at], record);
      const std::byte label = bytes[static_cast<std::size_t>(labels.wanted)];
      content.largest = std::max(content.largest, std::to_integer<std::uint8_t>(label));
      take(label, bytes.subspan(static_cast<std::size_t>(labels.count)));
    }
    content.images += static_cast<std::int64_t>(found / record);
    require(content.images <= kMostImages, file.name(), ": holds more than ", kMostImages, " images");
  }
  require(content.images > 0, file.name(), ": is empty; expected records of ", record, " bytes");
  content.digest = digest.hex();
  return content;
}

std::string question(CifarLabels labels) {
  return cat("cifar 1 ", labels.count, ' ', labels.wanted);  // the number is that of the answer's form
}

}  // namespace

CifarContent scan_cifar(const fs::path& path, CifarLabels labels) {
  return read_records(path, labels, [](std::byte /*label*/, std::span<const std::byte> /*pixels*/) {});
}

CifarContent scan_cifar(const fs::path& path, CifarLabels labels, ContentCache& cache) {
  const std::string answer = cache.answer(path, question(labels), [&] {
    const CifarContent content = scan_cifar(path, labels);
    return cat(content.digest, ' ', int{content.largest}, ' ', content.images);
  });
  CifarContent content;
  int largest = 0;
  std::istringstream in(answer);
  in >> content.digest >> largest >> content.images;
  content.largest = static_cast<std::uint8_t>(largest);
  return content;
}

void forget_cifar(const fs::path& path, CifarLabels labels, ContentCache& cache) {
  cache.forget(path, question(labels));
}

CifarContent read_cifar(const fs::path& path, CifarLabels labels, std::span<std::byte> into,
                        std::span<std::byte> pixels) {
  std::size_t image = 0;
  const CifarContent content = read_records(path, labels, [&](std::byte label, std::span<const std::byte> bytes) {
    require(image < into.size(), path.string(), ": holds more images than the ", into.size(), " expected");
    into[image] = label;
    if (!pixels.empty()) std::ranges::copy(bytes, pixels.subspan(image * kCifarPixels).begin());
    ++image;
  });
  require(image == into.size(), path.string(), ": holds ", image, " images, expected ", into.size());
  return content;
}

fs::path find_cifar(const fs::path& directory, std::string_view folder, std::string_view name) {
  for (const fs::path& place : {directory, directory / folder}) {
    for (const std::string& spelling : {std::string(name), cat(name, ".gz")}) {
      std::error_code absent;
      if (fs::is_regular_file(place / spelling, absent)) return place / spelling;
    }
  }
  throw Error(cat(directory.string(), ": no such file in this directory: looked for ", name, ", ", name,
                  ".gz, and both in ", folder));
}

}  // namespace fleet
