#include "mnist/mnist.hpp"

#include <algorithm>
#include <array>
#include <cmath>
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
#include "io/split_file.hpp"
#include "loaded_data.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 24U;  // of an image: 4096 x 4096
constexpr std::int64_t kMostImages = std::numeric_limits<std::int32_t>::max();
constexpr const char* kData = "run.data";
constexpr const char* kSplit = "run.split";

/// Data sets in MNIST's format.
struct Images {
  std::string_view name;
  int classes = 0;                 ///< 0: as many as there are labels
  float mean = 0.0F;               ///< of a pixel over the training images, and its deviation;
  float deviation = 0.0F;          ///< 0: found in the files
  std::string_view prefix;         ///< of the files' names
  std::string_view test = "t10k";  ///< what they call the test set
};
constexpr std::array kImages = {
    Images{"mnist", 10, 0.1307F, 0.3081F},
    Images{"fashion-mnist", 10, 0.2860F, 0.3530F},
    Images{"kmnist", 10},
    Images{.name = "emnist-balanced", .prefix = "emnist-balanced-", .test = "test"},
    Images{.name = "emnist-byclass", .prefix = "emnist-byclass-", .test = "test"},
    Images{.name = "emnist-bymerge", .prefix = "emnist-bymerge-", .test = "test"},
    Images{.name = "emnist-digits", .prefix = "emnist-digits-", .test = "test"},
    Images{.name = "emnist-letters", .prefix = "emnist-letters-", .test = "test"},
    Images{.name = "emnist-mnist", .prefix = "emnist-mnist-", .test = "test"},
    Images{.name = "idx"},
};

/// What one cell asks for.
struct Options {
  const Images* images = &kImages.front();
  std::filesystem::path directory;
  bool standardize = true;  ///< pixels to mean 0 and deviation 1, rather than to [0, 1]
  PartitionOptions partition;
  std::filesystem::path split;  ///< who has which images; empty: by `partition`
  TrainingOptions training;
  /// What the files are known by: a folder may hold several data sets.
  [[nodiscard]] std::filesystem::path key() const { return directory / images->name; }
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
  std::string split;
  settings.read(kSplit, split, "A CSV or HDF5 file that says which robot has which images.");
  options.split = split;
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
Files<std::string> stems_of(const Images& images) {
  const auto stem = [&](std::string_view set, std::string_view content) { return cat(images.prefix, set, content); };
  constexpr std::string_view kValues = "-images-idx3-ubyte";
  constexpr std::string_view kLabels = "-labels-idx1-ubyte";
  return {stem("train", kValues), stem("train", kLabels), stem(images.test, kValues), stem(images.test, kLabels)};
}

/// What a network sees of images of this size.
NetworkShape shape_of_images(int height, int width, int classes) {
  return {.inputs = height * width,
          .outputs = classes,
          .input = NetworkShape::Input::kImage,
          .height = height,
          .width = width};
}

/// What is in the files, all of which have been read, and that it goes together.
class Extent {
 public:
  Extent(const std::filesystem::path& directory, const Images& images, ContentCache& cache)
      : files_(scan(directory, stems_of(images), cache)),
        classes_(images.classes > 0 ? images.classes
                                    : 1 + std::max(files_.train_labels.largest, files_.test_labels.largest)) {
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
      require(labels->largest < classes_, where, ": the ", labels == &files_.train_labels ? "training" : "test",
              " labels hold a label ", int{labels->largest}, "; there are ", classes_, " classes, 0 to ", classes_ - 1);
    }
  }

  [[nodiscard]] const Files<IdxContent>& files() const { return files_; }
  [[nodiscard]] std::int64_t train() const { return files_.train_images.shape[0]; }
  [[nodiscard]] std::int64_t test() const { return files_.test_images.shape[0]; }
  [[nodiscard]] int height() const { return static_cast<int>(files_.train_images.shape[1]); }
  [[nodiscard]] int width() const { return static_cast<int>(files_.train_images.shape[2]); }
  [[nodiscard]] int features() const { return height() * width(); }
  [[nodiscard]] int classes() const { return classes_; }
  [[nodiscard]] NetworkShape network_shape() const { return shape_of_images(height(), width(), classes_); }
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
  static Files<IdxContent> scan(const std::filesystem::path& directory, const Files<std::string>& stems,
                                ContentCache& cache) {
    const auto file = [&](const std::string& stem) { return scan_idx(find_idx(directory, stem), cache); };
    return {file(stems.train_images), file(stems.train_labels), file(stems.test_images), file(stems.test_labels)};
  }

  Files<IdxContent> files_;
  int classes_;
};

std::span<const std::uint8_t> as_bytes(const SharedArray& array) {
  return {reinterpret_cast<const std::uint8_t*>(array.bytes().data()), array.bytes().size()};  // NOLINT
}

/// The files of one data set in shared memory, once per node.
class Dataset {
 public:
  /// Error unless they hold what the plan has found in them.
  Dataset(const Comm& node, const std::filesystem::path& directory, const Images& images, const Extent& planned,
          ContentCache& cache)
      : Dataset(node, directory, stems_of(images), planned.files(), cache) {
    mean_ = images.mean;
    deviation_ = images.deviation;
    if (deviation_ == 0.0F) find_moments();
  }

  [[nodiscard]] const Files<SharedArray>& files() const { return files_; }
  /// Of a pixel over the training images.
  [[nodiscard]] float mean() const { return mean_; }
  [[nodiscard]] float deviation() const { return deviation_; }

 private:
  Dataset(const Comm& node, const std::filesystem::path& directory, const Files<std::string>& stems,
          const Files<IdxContent>& planned, ContentCache& cache)
      : files_{load(node, directory, stems.train_images, planned.train_images, cache),
               load(node, directory, stems.train_labels, planned.train_labels, cache),
               load(node, directory, stems.test_images, planned.test_images, cache),
               load(node, directory, stems.test_labels, planned.test_labels, cache)} {}

  /// By whole numbers, which every rank adds up to the same. A single grey is left as it is.
  void find_moments() {
    const std::span<const std::uint8_t> pixels = as_bytes(files_.train_images);
    std::uint64_t sum = 0;
    std::uint64_t squares = 0;
    for (const std::uint8_t pixel : pixels) {
      sum += pixel;
      squares += std::uint64_t{pixel} * pixel;
    }
    constexpr double kWhite = 255.0;
    const auto count = static_cast<double>(pixels.size());
    const double mean = static_cast<double>(sum) / count;
    const double variance = static_cast<double>(squares) / count - mean * mean;
    mean_ = static_cast<float>(mean / kWhite);
    deviation_ = variance > 0.0 ? static_cast<float>(std::sqrt(variance) / kWhite) : 1.0F;
  }

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
  float mean_ = 0.0F;
  float deviation_ = 1.0F;
};

class Mnist final : public World {
 public:
  void survey(SettingsReader& settings) override {
    (void)read_options(settings);
    constexpr int kSide = 28;
    (void)make_network(settings, shape_of_images(kSide, kSide, kImages.front().classes));
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
            .data = options.split.empty() ? extent.digest()
                                          : Hash().add(extent.digest()).add(split_of(options, settings).digest).hex()};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(settings);
      datasets_.load(options.key(), node, options.directory, *options.images, extent_of(options, settings), cache_);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const Dataset& dataset = datasets_.at(options.key());
    const Files<SharedArray>& files = dataset.files();
    const Extent& extent = extent_of(options, settings);
    const auto images = [&](const SharedArray& values, const SharedArray& labels) {
      return make_samples(LabelledBytes{.values = as_bytes(values),
                                        .labels = as_bytes(labels),
                                        .features = extent.features(),
                                        .mean = options.standardize ? dataset.mean() : 0.0F,
                                        .deviation = options.standardize ? dataset.deviation() : 1.0F});
    };
    const std::span<const std::uint8_t> labels = as_bytes(files.train_labels);
    const int classes = extent.classes();
    Shards shards;
    TestGroups tests;
    if (options.split.empty()) {
      shards = share_out(labels, classes, options.partition, options.training.seed);
    } else {
      const SplitFile& split = split_of(options, settings);
      const auto robots = options.partition.robots;
      shards = std::vector(split.shards.begin(), split.shards.begin() + robots);
      if (split.largest_test >= 0) tests.name = "robot";
      for (int i = 0; split.largest_test >= 0 && i < robots; ++i) {
        const std::vector<std::int32_t>& own = split.test[static_cast<std::size_t>(i)];
        if (!own.empty()) tests.samples.push_back(own);
      }
    }
    return make_supervised_workload({.train = images(files.train_images, files.train_labels),
                                     .test = images(files.test_images, files.test_labels),
                                     .groups = std::move(tests),
                                     .shards = shards,
                                     .histogram = [=](int i) { return histogram_of(shards.of(i), labels, classes); },
                                     .network = make_network(settings, extent.network_shape()),
                                     .options = options.training});
  }

 private:
  const Extent& extent_of(const Options& options, const SettingsReader& settings) {
    const auto known = extents_.find(options.key());
    if (known != extents_.end()) return known->second;
    try {
      return extents_.try_emplace(options.key(), options.directory, *options.images, cache_).first->second;
    } catch (const Error& error) {
      reject_data(settings, kData, error.what(),
                  cat("Fetch it with `fleet data fetch ", options.images->name,
                      "`, or name the directory that holds the four files in run.data."));
    }
  }

  /// The user's own split, of images that there are. ConfigError if it does not fit.
  const SplitFile& split_of(const Options& options, const SettingsReader& settings) {
    const auto known = splits_.find(options.split);
    if (known != splits_.end()) return known->second;
    try {
      return splits_.emplace(options.split, read_split(options.split)).first->second;
    } catch (const Error& error) {
      reject_read(settings, kSplit, error.what());
    }
  }

  SampleCounts count_split(const Options& options, const Extent& extent, const SettingsReader& settings) {
    const SplitFile& split = split_of(options, settings);
    const auto check = [&](std::int32_t largest, std::int64_t images, const char* what) {
      if (largest < images) return;
      reject_read(settings, kSplit, cat("it names ", what, " image ", largest, ", but there are ", images));
    };
    check(split.largest_sample, extent.train(), "training");
    check(split.largest_test, extent.test(), "test");
    const auto robots = static_cast<std::size_t>(options.partition.robots);
    if (robots > split.shards.size()) {
      reject_read(settings, "fleet.robots",
                  cat("there are ", split.shards.size(), " robots in ", options.split.string()));
    }
    SampleCounts counts;
    for (std::size_t i = 0; i < robots; ++i) {
      counts.train += std::ssize(split.shards[i].train);
      counts.held_out += std::ssize(split.shards[i].held_out);
    }
    if (counts.train == 0) reject_read(settings, kSplit, cat("its first ", robots, " robots have nothing to train on"));
    return counts;
  }

  /// What the robots share out, to the sample where it is scarce. ConfigError if there is not enough.
  SampleCounts check_enough(const Options& options, const Extent& extent, const SettingsReader& settings) {
    const PartitionOptions& partition = options.partition;
    if (!options.split.empty()) return count_split(options, extent, settings);
    const int classes = extent.classes();
    if (partition.samples > extent.train()) {
      reject_read(settings, "data.samples",
                  cat("there are ", extent.train(), " training images in ", options.directory.string()));
    }
    const std::int64_t used = partition.samples > 0 ? partition.samples : extent.train();
    const auto held_out = static_cast<std::int64_t>(static_cast<double>(used) * partition.held_out);
    SampleCounts counts{.train = used - held_out, .held_out = held_out};
    if (partition.kind == PartitionOptions::Kind::kDrawn) {
      if (used < 100 * classes) {
        counts = count_samples(train_labels(options, extent), classes, partition, options.training.seed);
      }
      if (counts.train == 0) {
        reject_read(settings, "data.held_out", cat("of ", used, " images all are held out, and none to train on"));
      }
      SampleCounts drawn;
      for (int i = 0; i < partition.robots; ++i) {
        const SampleCounts own = drawn_samples(counts, partition, options.training.seed, i);
        drawn.train += own.train;
        drawn.held_out += own.held_out;
      }
      return drawn;
    }
    const bool scarce =
        std::min(counts.train, held_out > 0 ? held_out : used) < std::int64_t{partition.robots} + classes;
    if (scarce && partition.robots <= used) {
      counts = count_samples(train_labels(options, extent), classes, partition, options.training.seed);
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
    const auto known = labels_.find(options.key());
    if (known != labels_.end()) return known->second;
    std::vector<std::uint8_t> labels(static_cast<std::size_t>(extent.train()));
    read_idx(find_idx(options.directory, stems_of(*options.images).train_labels),
             std::as_writable_bytes(std::span(labels)));
    return labels_.emplace(options.key(), std::move(labels)).first->second;
  }

  ContentCache cache_;
  std::map<std::filesystem::path, SplitFile> splits_;
  std::map<std::filesystem::path, Extent> extents_;                    // by Options::key()
  std::map<std::filesystem::path, std::vector<std::uint8_t>> labels_;  // of the training images
  LoadedData<std::filesystem::path, Dataset> datasets_;
};

constexpr std::string_view kStart = R"(# The images: fleet data fetch mnist

[data]
samples = 2000
held_out = 0.1

[fleet]
robots = 5
partition = "mixture"

[model]
kind = "mlp"
hidden = [64, 64]

[train]
epochs = 2
batch_size = 32
learning_rate = 1e-3

[merge]
every_epochs = 0

# Every combination of these is a cell.
[sweep.grid]
merge.method = ["average", "git-rebasin", "regression"]
fleet.alpha = [0.1, 10.0]
seed = [0, 1]
)";

}  // namespace

WorldEntry mnist_world() {
  return {.name = "mnist",
          .summary = "handwritten digits (or Fashion-MNIST), sharded by class (Appendix F)",
          .make = []() -> std::unique_ptr<World> { return std::make_unique<Mnist>(); },
          .start = kStart};
}

}  // namespace fleet
