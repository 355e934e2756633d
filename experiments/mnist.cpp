#include "mnist.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "comm/shared_array.hpp"
#include "io/fetch.hpp"
#include "io/idx.hpp"
#include "loaded_data.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

constexpr int kClasses = 10;

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
  settings.read("data.dataset", name, names);
  for (const Images& images : kImages) {
    if (images.name == name) options.images = &images;
  }
  std::string directory = (default_data_directory() / name).string();
  settings.read("run.data", directory);
  options.directory = directory;
  settings.read("data.standardize", options.standardize);
  options.partition = read_partition_options(settings);
  settings.read("data.samples", options.partition.samples, at_least(0));
  options.training = read_training_options(settings);
  return options;
}

/// One of the four files, once per node.
SharedArray load_file(const Comm& node, const std::filesystem::path& directory, std::string_view stem) {
  return {node, [&] { return read_idx_header(find_idx(directory, stem)).bytes(); },
          [&](std::span<std::byte> into) { read_idx(find_idx(directory, stem), into); }};
}

std::span<const std::uint8_t> as_bytes(const SharedArray& array) {
  return {reinterpret_cast<const std::uint8_t*>(array.bytes().data()), array.bytes().size()};  // NOLINT
}

/// The files of one data set in shared memory.
struct Dataset {
  Dataset(const Comm& node, const std::filesystem::path& directory)
      : train_images(load_file(node, directory, "train-images-idx3-ubyte")),
        train_labels(load_file(node, directory, "train-labels-idx1-ubyte")),
        test_images(load_file(node, directory, "t10k-images-idx3-ubyte")),
        test_labels(load_file(node, directory, "t10k-labels-idx1-ubyte")) {
    for (const SharedArray* labels : {&train_labels, &test_labels}) {
      const std::span<const std::uint8_t> values = as_bytes(*labels);
      const std::uint8_t largest = *std::max_element(values.begin(), values.end());
      require(largest < kClasses, directory.string(), ": the ", labels == &train_labels ? "training" : "test",
              " labels hold a label ", int{largest}, "; there are ", kClasses, " classes");
    }
  }

  SharedArray train_images;
  SharedArray train_labels;
  SharedArray test_images;
  SharedArray test_labels;
};

/// What the headers say, checked against each other.
struct Extent {
  std::int64_t train = 0;
  std::int64_t test = 0;
  int height = 0;
  int width = 0;
  std::string digest;  ///< of the training labels, by which one data set is told from another

  [[nodiscard]] int features() const { return height * width; }
  [[nodiscard]] NetworkShape network_shape() const {
    return {.inputs = features(),
            .outputs = kClasses,
            .input = NetworkShape::Input::kImage,
            .height = height,
            .width = width};
  }
};

Extent read_extent(const std::filesystem::path& directory) {
  const auto shape = [&](std::string_view stem) { return read_idx_header(find_idx(directory, stem)).shape; };
  const std::vector<std::int64_t> train = shape("train-images-idx3-ubyte");
  const std::vector<std::int64_t> test = shape("t10k-images-idx3-ubyte");
  const auto where = directory.string();
  require(train.size() == 3 && test.size() == 3, where, ": the image files need three dimensions each");
  require(train[1] == test[1] && train[2] == test[2], where, ": training images are ", train[1], " x ", train[2],
          ", test images ", test[1], " x ", test[2]);
  require(shape("train-labels-idx1-ubyte") == std::vector{train[0]} &&
              shape("t10k-labels-idx1-ubyte") == std::vector{test[0]},
          where, ": there are not as many labels as images");
  std::string labels(static_cast<std::size_t>(train[0]), '\0');
  read_idx(find_idx(directory, "train-labels-idx1-ubyte"), std::as_writable_bytes(std::span(labels)));
  return {train[0], test[0], static_cast<int>(train[1]), static_cast<int>(train[2]), Hash().add(labels).hex()};
}

class Mnist final : public World {
 public:
  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const Extent& extent = extent_of(options);
    if (options.partition.samples > extent.train) {
      reject("data.samples", settings.resolved().at("data.samples"),
             cat("there are ", extent.train, " training images in ", options.directory.string()));
    }
    const std::shared_ptr<const Network> network = make_network(settings, extent.network_shape());
    const std::int64_t used = options.partition.samples > 0 ? options.partition.samples : extent.train;
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .train_samples = static_cast<std::int64_t>(static_cast<double>(used) * (1.0 - options.partition.held_out)),
            .dataset_bytes = (extent.train + extent.test) * (extent.features() + 1),
            .held_out = options.partition.held_out > 0.0,
            .gpu = options.training.device == DeviceKind::kCuda,
            .data = extent.digest};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const std::filesystem::path directory = read_options(settings).directory;
      datasets_.load(directory, node, directory);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const Dataset& dataset = datasets_.at(options.directory);
    const Extent& extent = extent_of(options);
    const auto images = [&](const SharedArray& values, const SharedArray& labels) {
      return make_samples(LabelledBytes{.values = as_bytes(values),
                                        .labels = as_bytes(labels),
                                        .features = extent.features(),
                                        .mean = options.standardize ? options.images->mean : 0.0F,
                                        .deviation = options.standardize ? options.images->deviation : 1.0F});
    };
    const std::span<const std::uint8_t> labels = as_bytes(dataset.train_labels);
    std::vector<Shard> shards = partition(labels, kClasses, options.partition, options.training.seed);
    std::vector<std::vector<std::int64_t>> histograms = histograms_of(shards, labels, kClasses);
    return make_supervised_workload({.train = images(dataset.train_images, dataset.train_labels),
                                     .test = images(dataset.test_images, dataset.test_labels),
                                     .shards = std::move(shards),
                                     .histograms = std::move(histograms),
                                     .network = make_network(settings, extent.network_shape()),
                                     .options = options.training});
  }

 private:
  const Extent& extent_of(const Options& options) {
    const auto known = extents_.find(options.directory);
    if (known != extents_.end()) return known->second;
    try {
      return extents_.emplace(options.directory, read_extent(options.directory)).first->second;
    } catch (const Error& error) {
      throw ConfigError(cat(error.what(), "\nFetch it with `fleet data fetch ", options.images->name,
                            "`, or name the directory that holds the four files in run.data."));
    }
  }

  std::map<std::filesystem::path, Extent> extents_;
  LoadedData<std::filesystem::path, Dataset> datasets_;
};

}  // namespace

std::unique_ptr<World> make_mnist() {
  return std::make_unique<Mnist>();
}

}  // namespace fleet
