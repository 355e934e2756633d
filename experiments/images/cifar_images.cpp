#include <algorithm>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "images/images.hpp"

namespace fleet {
namespace {

class CifarImages final : public ImageFiles {
 public:
  CifarImages(const CifarNames& names, int classes, const std::filesystem::path& directory, ContentCache& cache)
      : directory_(directory), names_(names) {
    Hash digest;
    const auto open = [&](std::string_view name) {
      const CifarContent content = scan_cifar(find_cifar(directory, names.folder, name), names.labels, cache);
      digest.add(content.digest);
      return content;
    };
    extent_ = {.channels = kCifarPlanes, .height = kCifarSide, .width = kCifarSide, .classes = classes};
    digest.add(static_cast<std::uint64_t>(names.labels.wanted));
    for (const std::string_view name : names.train) {
      train_.push_back(open(name));
      extent_.train += train_.back().images;
      check_labels(directory, Half::kTrain, train_.back().largest);
    }
    test_ = open(names.test);
    extent_.test = test_.images;
    check_labels(directory, Half::kTest, test_.largest);
    extent_.digest = digest.hex();
  }

  void read(Half half, std::span<std::byte> labels, std::span<std::byte> pixels, ContentCache& cache) const override {
    if (half == Half::kTest) return read_file(names_.test, test_, labels, pixels, cache);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < train_.size(); ++i) {
      const auto images = static_cast<std::size_t>(train_[i].images);
      read_file(names_.train[i], train_[i], labels.subspan(begin, images),
                pixels.empty() ? pixels : pixels.subspan(begin * kCifarPixels, images * kCifarPixels), cache);
      begin += images;
    }
  }

 private:
  void read_file(std::string_view name, const CifarContent& planned, std::span<std::byte> labels,
                 std::span<std::byte> pixels, ContentCache& cache) const {
    const std::filesystem::path path = find_cifar(directory_, names_.folder, name);
    if (read_cifar(path, names_.labels, labels, pixels).digest == planned.digest) return;
    forget_cifar(path, names_.labels, cache);
    throw Error(cat(path.string(), " has changed since the sweep was planned"));
  }

  std::filesystem::path directory_;
  CifarNames names_;
  std::vector<CifarContent> train_;
  CifarContent test_;
};

}  // namespace

std::unique_ptr<ImageFiles> open_cifar_images(const CifarNames& names, int classes,
                                              const std::filesystem::path& directory, ContentCache& cache) {
  return std::make_unique<CifarImages>(names, classes, directory, cache);
}

}  // namespace fleet
