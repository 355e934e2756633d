#include "mnist/mnist.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/fetch.hpp"
#include "data/split_file.hpp"
#include "data_complaint.hpp"
#include "loaded_data.hpp"
#include "mnist/images.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

constexpr const char* kData = "run.data";
constexpr const char* kSplit = "run.split";

/// What one cell asks for.
struct Options {
  const ImageSet* images = &kImageSets.front();
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
  std::array<std::string_view, kImageSets.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kImageSets[i].name;
  std::string name(kImageSets.front().name);
  settings.read("data.dataset", name, names, "Which of the published data sets is learned.");
  for (const ImageSet& images : kImageSets) {
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

/// What a network sees of images of this size.
NetworkShape shape_of_images(int height, int width, int classes) {
  return {.inputs = height * width,
          .outputs = classes,
          .input = NetworkShape::Input::kImage,
          .height = height,
          .width = width};
}

NetworkShape shape_of(const ImageExtent& extent) {
  return shape_of_images(extent.height(), extent.width(), extent.classes());
}

class Mnist final : public World {
 public:
  void survey(SettingsReader& settings) override {
    (void)read_options(settings);
    constexpr int kSide = 28;
    (void)make_network(settings, shape_of_images(kSide, kSide, kImageSets.front().classes));
  }
  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const ImageExtent& extent = extent_of(options, settings);
    const SampleCounts counts = check_enough(options, extent, settings);
    const std::shared_ptr<const Network> network = make_network(settings, shape_of(extent));
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .layout = layout_of(*network),
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
    const ImageData& dataset = datasets_.at(options.key());
    const ImageExtent& extent = extent_of(options, settings);
    const auto images = [&](std::span<const std::uint8_t> values, std::span<const std::uint8_t> labels) {
      return make_samples(LabelledBytes{.values = values,
                                        .labels = labels,
                                        .features = extent.features(),
                                        .mean = options.standardize ? dataset.mean() : 0.0F,
                                        .deviation = options.standardize ? dataset.deviation() : 1.0F});
    };
    const std::span<const std::uint8_t> labels = dataset.train_labels();
    const int classes = extent.classes();
    Shards shards;
    TestGroups tests;
    if (options.split.empty()) {
      shards = share_out(labels, classes, options.partition, options.training.seed);
    } else {
      const SplitFile& split = split_of(options, settings);
      const auto robots = options.partition.robots;
      shards = std::vector(split.shards.begin(), split.shards.begin() + robots);
      for (int i = 0; i < robots; ++i) {
        const std::vector<std::int32_t>& own = split.test[static_cast<std::size_t>(i)];
        if (!own.empty()) tests.samples.push_back(own);
      }
      if (!tests.samples.empty()) tests.name = "robot";
    }
    return make_supervised_workload({.train = images(dataset.train_images(), labels),
                                     .test = images(dataset.test_images(), dataset.test_labels()),
                                     .groups = std::move(tests),
                                     .shards = shards,
                                     .histogram = [=](int i) { return histogram_of(shards.of(i), labels, classes); },
                                     .network = make_network(settings, shape_of(extent)),
                                     .options = options.training});
  }

 private:
  const ImageExtent& extent_of(const Options& options, const SettingsReader& settings) {
    const auto known = extents_.find(options.key());
    if (known != extents_.end()) return known->second;
    try {
      return extents_.try_emplace(options.key(), options.directory, *options.images, cache_).first->second;
    } catch (const Error& error) {
      const bool is_published = options.images->deviation > 0.0F;
      reject_data(settings, kData, error.what(),
                  is_published ? cat("Fetch it with `fleet data fetch ", options.images->name,
                                     "`, or name the directory that holds the four files in run.data.")
                               : "Name the directory that holds the four files in run.data.");
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

  SampleCounts count_split(const Options& options, const ImageExtent& extent, const SettingsReader& settings) {
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
  SampleCounts check_enough(const Options& options, const ImageExtent& extent, const SettingsReader& settings) {
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
  std::span<const std::uint8_t> train_labels(const Options& options, const ImageExtent& extent) {
    const auto known = labels_.find(options.key());
    if (known != labels_.end()) return known->second;
    std::vector<std::uint8_t> labels(static_cast<std::size_t>(extent.train()));
    read_idx(find_idx(options.directory, stems_of(*options.images).train_labels),
             std::as_writable_bytes(std::span(labels)));
    return labels_.emplace(options.key(), std::move(labels)).first->second;
  }

  ContentCache cache_;
  std::map<std::filesystem::path, SplitFile> splits_;
  std::map<std::filesystem::path, ImageExtent> extents_;               // by Options::key()
  std::map<std::filesystem::path, std::vector<std::uint8_t>> labels_;  // of the training images
  LoadedData<std::filesystem::path, ImageData> datasets_;
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
