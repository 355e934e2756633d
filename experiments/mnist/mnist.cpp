#include "mnist/mnist.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "comm/shared_array.hpp"
#include "data_complaint.hpp"
#include "io/content_cache.hpp"
#include "io/fetch.hpp"
#include "io/idx.hpp"
#include "loaded_data.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

constexpr int kClasses = 10;
constexpr std::int64_t kMostPixels = std::int64_t{1} << 24U;  // of an image: 4096 x 4096
constexpr std::int64_t kMostImages = std::numeric_limits<std::int32_t>::max();
constexpr const char* kData = "run.data";

/// Data sets in MNIST's format, with the mean and deviation of a pixel over their training images.
struct Images {
  std::string_view name;
  float mean;
  float deviation;
};
constexpr std::array kImages = {Images{"mnist", 0.1307F, 0.3081F}, Images{"fashion-mnist", 0.2860F, 0.3530F}};

/// What one cell asks for.
struct Options {
  const Images* images = &kImages.front();
  std::filesystem::path directory;
  bool standardize = true;  ///< pixels to mean 0 and deviation 1, rather than to [0, 1]
  PartitionOptions partition;
  TrainingOptions training;
};

Options read_options(SettingsReader& settings) {
  Options options;
  std::array<std::string_view, kImages.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kImages[i].name;
  std::string name(kImages.front().name);
  settings.read("data.dataset", name, names, "Which of the published data sets is learned.");
  for (const Images& images : kImages) {
    if (images.name == name) options.images = &images;
  }
  std::string directory = (default_data_directory() / name).string();
  settings.read(kData, directory, "Folder with the four IDX files of images and labels, plain or .gz.");
  options.directory = directory;
  settings.read("data.standardize", options.standardize,
                "Whether pixels have mean 0 and deviation 1, or lie between 0 and 1.");
  options.partition = read_partition_options(settings, true);
  settings.read("data.samples", options.partition.samples, at_least(0),
                "Training images in use, of all robots together; 0: all there are.");
  options.training = read_training_options(settings);
  return options;
}

/// The four files of a data set.
template <class File>
struct Files {
  File train_images;
  File train_labels;
  File test_images;
  File test_labels;
};
constexpr Files<std::string_view> kStems = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                            "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

template <class Make>
auto for_each_stem(Make make) -> Files<decltype(make(kStems.train_images))> {
  return {make(kStems.train_images), make(kStems.train_labels), make(kStems.test_images), make(kStems.test_labels)};
}

/// What a network sees of images of this size.
NetworkShape shape_of_images(int height, int width) {
  return {.inputs = height * width,
          .outputs = kClasses,
          .input = NetworkShape::Input::kImage,
          .height = height,
          .width = width};
}

/// What is in the files, all of which have been read, and that it goes together.
class Extent {
 public:
  Extent(const std::filesystem::path& directory, ContentCache& cache)
      : files_(for_each_stem([&](std::string_view stem) { return scan_idx(find_idx(directory, stem), cache); })) {
    const std::string where = directory.string();
    const std::vector<std::int64_t>& train = files_.train_images.shape;
    const std::vector<std::int64_t>& test = files_.test_images.shape;
    require(train.size() == 3 && test.size() == 3, where, ": the image files need three dimensions each");
    require(train[1] == test[1] && train[2] == test[2], where, ": training images are ", train[1], " x ", train[2],
            ", test images ", test[1], " x ", test[2]);
    require(train[1] * train[2] <= kMostPixels, where, ": images are ", train[1], " x ", train[2],
            ", expected at most ", kMostPixels, " pixels");
    require(std::max(train[0], test[0]) <= kMostImages, where, ": there are ", std::max(train[0], test[0]),
            " images, expected at most ", kMostImages);
    require(files_.train_labels.shape == std::vector{train[0]} && files_.test_labels.shape == std::vector{test[0]},
            where, ": there are not as many labels as images");
    for (const IdxContent* labels : {&files_.train_labels, &files_.test_labels}) {
      require(labels->largest < kClasses, where, ": the ", labels == &files_.train_labels ? "training" : "test",
              " labels hold a label ", int{labels->largest}, "; there are ", kClasses, " classes, 0 to ", kClasses - 1);
    }
  }

  [[nodiscard]] const Files<IdxContent>& files() const { return files_; }
  [[nodiscard]] std::int64_t train() const { return files_.train_images.shape[0]; }
  [[nodiscard]] std::int64_t test() const { return files_.test_images.shape[0]; }
  [[nodiscard]] int height() const { return static_cast<int>(files_.train_images.shape[1]); }
  [[nodiscard]] int width() const { return static_cast<int>(files_.train_images.shape[2]); }
  [[nodiscard]] int features() const { return height() * width(); }
  [[nodiscard]] NetworkShape network_shape() const { return shape_of_images(height(), width()); }
  /// By which one data set is told from another.
  [[nodiscard]] std::string digest() const {
    Hash digest;
    for (const IdxContent* file :
         {&files_.train_images, &files_.train_labels, &files_.test_images, &files_.test_labels}) {
      digest.add(file->digest);
    }
    return digest.hex();
  }

 private:
  Files<IdxContent> files_;
};

std::span<const std::uint8_t> as_bytes(const SharedArray& array) {
  return {reinterpret_cast<const std::uint8_t*>(array.bytes().data()), array.bytes().size()};  // NOLINT
}

/// The files of one data set in shared memory, once per node.
class Dataset {
 public:
  /// Error unless they hold what the plan has found in them.
  Dataset(const Comm& node, const std::filesystem::path& directory, const Extent& planned, ContentCache& cache)
      : files_{load(node, directory, kStems.train_images, planned.files().train_images, cache),
               load(node, directory, kStems.train_labels, planned.files().train_labels, cache),
               load(node, directory, kStems.test_images, planned.files().test_images, cache),
               load(node, directory, kStems.test_labels, planned.files().test_labels, cache)} {}

  [[nodiscard]] const Files<SharedArray>& files() const { return files_; }

 private:
  static SharedArray load(const Comm& node, const std::filesystem::path& directory, std::string_view stem,
                          const IdxContent& planned, ContentCache& cache) {
    return {node, [&] { return planned.bytes(); },
            [&](std::span<std::byte> into) {
              const std::filesystem::path path = find_idx(directory, stem);
              if (read_idx(path, into).digest == planned.digest) return;
              forget_idx(path, cache);
              throw Error(cat(path.string(), " has changed since the sweep was planned"));
            }};
  }

  Files<SharedArray> files_;
};

class Mnist final : public World {
 public:
  void survey(SettingsReader& settings) override {
    (void)read_options(settings);
    constexpr int kSide = 28;
    (void)make_network(settings, shape_of_images(kSide, kSide));
  }
  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const Extent& extent = extent_of(options, settings);
    const SampleCounts counts = check_enough(options, extent, settings);
    const std::shared_ptr<const Network> network = make_network(settings, extent.network_shape());
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .train_samples = counts.train,
            .dataset_bytes = (extent.train() + extent.test()) * (extent.features() + 1),
            .held_out = counts.held_out > 0,
            .gpu = options.training.device == DeviceKind::kCuda,
            .data = extent.digest()};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(settings);
      datasets_.load(options.directory, node, options.directory, extent_of(options, settings), cache_);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const Files<SharedArray>& files = datasets_.at(options.directory).files();
    const Extent& extent = extent_of(options, settings);
    const auto images = [&](const SharedArray& values, const SharedArray& labels) {
      return make_samples(LabelledBytes{.values = as_bytes(values),
                                        .labels = as_bytes(labels),
                                        .features = extent.features(),
                                        .mean = options.standardize ? options.images->mean : 0.0F,
                                        .deviation = options.standardize ? options.images->deviation : 1.0F});
    };
    const std::span<const std::uint8_t> labels = as_bytes(files.train_labels);
    const Shards shards = share_out(labels, kClasses, options.partition, options.training.seed);
    return make_supervised_workload({.train = images(files.train_images, files.train_labels),
                                     .test = images(files.test_images, files.test_labels),
                                     .shards = shards,
                                     .histogram = [=](int i) { return histogram_of(shards.of(i), labels, kClasses); },
                                     .network = make_network(settings, extent.network_shape()),
                                     .options = options.training});
  }

 private:
  const Extent& extent_of(const Options& options, const SettingsReader& settings) {
    const auto known = extents_.find(options.directory);
    if (known != extents_.end()) return known->second;
    try {
      return extents_.try_emplace(options.directory, options.directory, cache_).first->second;
    } catch (const Error& error) {
      reject_data(settings, kData, error.what(),
                  cat("Fetch it with `fleet data fetch ", options.images->name,
                      "`, or name the directory that holds the four files in run.data."));
    }
  }

  /// What the robots share out, to the sample where it is scarce. ConfigError if there is not enough.
  SampleCounts check_enough(const Options& options, const Extent& extent, const SettingsReader& settings) {
    const PartitionOptions& partition = options.partition;
    if (partition.samples > extent.train()) {
      reject_read(settings, "data.samples",
                  cat("there are ", extent.train(), " training images in ", options.directory.string()));
    }
    const std::int64_t used = partition.samples > 0 ? partition.samples : extent.train();
    const auto held_out = static_cast<std::int64_t>(static_cast<double>(used) * partition.held_out);
    SampleCounts counts{.train = used - held_out, .held_out = held_out};
    if (partition.kind == PartitionOptions::Kind::kDrawn) {
      if (used < 100 * kClasses) {
        counts = count_samples(train_labels(options, extent), kClasses, partition, options.training.seed);
      }
      if (counts.train == 0) {
        reject_read(settings, "data.held_out", cat("of ", used, " images all are held out, and none to train on"));
      }
      const SampleCounts each = drawn_each(counts, partition);
      return {.train = each.train * partition.robots, .held_out = each.held_out * partition.robots};
    }
    const bool scarce =
        std::min(counts.train, held_out > 0 ? held_out : used) < std::int64_t{partition.robots} + kClasses;
    if (scarce && partition.robots <= used) {
      counts = count_samples(train_labels(options, extent), kClasses, partition, options.training.seed);
    }
    if (counts.train < partition.robots) {
      const std::string kept = counts.train < used ? cat(", of which ", used - counts.train, " are held out") : "";
      if (partition.samples > 0) {
        reject_read(settings, "data.samples",
                    cat(partition.robots, " robots (fleet.robots) share out ", used, " images", kept,
                        ": expected at least one to train on for each"));
      }
      reject_read(settings, "fleet.robots",
                  cat("there are ", used, " training images in ", options.directory.string(), kept,
                      ": expected at most ", counts.train, " robots"));
    }
    // A mixture gives every robot as many, so that with less than one each nobody has any.
    const bool none = partition.kind == PartitionOptions::Kind::kMixture && counts.held_out < partition.robots;
    if (none) counts.held_out = 0;
    return counts;
  }

  /// Read when they are first asked for: by cells that have few samples.
  std::span<const std::uint8_t> train_labels(const Options& options, const Extent& extent) {
    const auto known = labels_.find(options.directory);
    if (known != labels_.end()) return known->second;
    std::vector<std::uint8_t> labels(static_cast<std::size_t>(extent.train()));
    read_idx(find_idx(options.directory, kStems.train_labels), std::as_writable_bytes(std::span(labels)));
    return labels_.emplace(options.directory, std::move(labels)).first->second;
  }

  ContentCache cache_;
  std::map<std::filesystem::path, Extent> extents_;
  std::map<std::filesystem::path, std::vector<std::uint8_t>> labels_;  // of the training images
  LoadedData<std::filesystem::path, Dataset> datasets_;
};

}  // namespace

WorldEntry mnist_world() {
  return {.name = "mnist",
          .summary = "handwritten digits (or Fashion-MNIST), sharded by class (Appendix F)",
          .make = []() -> std::unique_ptr<World> { return std::make_unique<Mnist>(); }};
}

}  // namespace fleet
