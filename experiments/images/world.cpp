#include "images/world.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/fetch.hpp"
#include "data/split_file.hpp"
#include "data_complaint.hpp"
#include "images/images.hpp"
#include "loaded_data.hpp"
#include "torch/supervised.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

constexpr const char* kData = "run.data";
constexpr const char* kSplit = "run.split";

constexpr std::array kIdxSets = {
    ImageSet{"mnist", "mnist", IdxNames{}, 10, {0.1307F}, {0.3081F}},
    ImageSet{"fashion-mnist", "fashion-mnist", IdxNames{}, 10, {0.2860F}, {0.3530F}},
    ImageSet{"kmnist", "", IdxNames{}, 10},
    ImageSet{"emnist-balanced", "", IdxNames{"emnist-balanced-", "test"}},
    ImageSet{"emnist-byclass", "", IdxNames{"emnist-byclass-", "test"}},
    ImageSet{"emnist-bymerge", "", IdxNames{"emnist-bymerge-", "test"}},
    ImageSet{"emnist-digits", "", IdxNames{"emnist-digits-", "test"}},
    ImageSet{"emnist-letters", "", IdxNames{"emnist-letters-", "test"}},
    ImageSet{"emnist-mnist", "", IdxNames{"emnist-mnist-", "test"}},
    ImageSet{"qmnist", "", IdxNames{"qmnist-", "test", IdxPart::kFirstColumn}, 10},
    ImageSet{"idx", "", IdxNames{}},
};

constexpr std::array<std::string_view, 5> kCifar10Train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                           "data_batch_4.bin", "data_batch_5.bin"};
constexpr std::array<std::string_view, 1> kCifar100Train = {"train.bin"};
// Means and deviations of the training images.
constexpr std::array kCifar10Sets = {ImageSet{"cifar10",
                                              "cifar10",
                                              CifarNames{"cifar-10-batches-bin", kCifar10Train, "test_batch.bin"},
                                              10,
                                              {0.4914F, 0.4822F, 0.4465F},
                                              {0.2470F, 0.2435F, 0.2616F}}};
constexpr std::array<float, 3> kCifar100Mean = {0.5071F, 0.4865F, 0.4409F};
constexpr std::array<float, 3> kCifar100Deviation = {0.2673F, 0.2564F, 0.2762F};
constexpr std::array kCifar100Sets = {
    ImageSet{"fine", "cifar100", CifarNames{"cifar-100-binary", kCifar100Train, "test.bin", {.count = 2, .wanted = 1}},
             100, kCifar100Mean, kCifar100Deviation},
    ImageSet{"coarse", "cifar100",
             CifarNames{"cifar-100-binary", kCifar100Train, "test.bin", {.count = 2, .wanted = 0}}, 20, kCifar100Mean,
             kCifar100Deviation}};

/// The data sets of a world, of which cells choose one.
struct Gallery {
  std::span<const ImageSet> sets;
  struct Choice {
    std::string_view key;
    Sentence about;
  };
  std::optional<Choice> choice;  ///< none where there is but one
  std::string_view files;        ///< that run.data names the folder of
  int side;                      ///< of their images, as a rule
  int channels;
};

/// What one cell asks for.
struct Options {
  const ImageSet* images = nullptr;
  std::filesystem::path directory;
  bool standardize = true;  ///< pixels to mean 0 and deviation 1, rather than to [0, 1]
  Variation variation;
  PartitionOptions partition;
  std::filesystem::path split;  ///< who has which images; empty: by `partition`
  TrainingOptions training;
  /// What the files are known by: a folder may hold several data sets.
  [[nodiscard]] std::filesystem::path key() const { return directory / images->name; }
};

/// How images are dealt, or what a split leaves to say of that.
void read_partition(SettingsReader& settings, Options& options) {
  if (options.split.empty()) {
    options.partition = read_partition_options(settings, true);
    settings.read("data.samples", options.partition.samples, at_least(0),
                  "Training images in use, of all robots together; 0: all there are.");
    return;
  }
  settings.read("fleet.robots", options.partition.robots, at_least(1), about::kRobots);
  for (const char* key : {"data.held_out", "data.samples", "fleet.partition", "fleet.alpha", "fleet.samples",
                          "fleet.size_exponent", "fleet.classes"}) {
    settings.rule_out(key, "the file of run.split says who has which images");
  }
}

Options read_options(const Gallery& gallery, SettingsReader& settings) {
  Options options{.images = &gallery.sets.front()};
  if (gallery.choice) {
    std::vector<std::string_view> names;
    for (const ImageSet& set : gallery.sets) names.push_back(set.name);
    std::string name(names.front());
    settings.read(gallery.choice->key, name, names, gallery.choice->about);
    options.images = &*std::ranges::find(gallery.sets, name, &ImageSet::name);
  }
  const ImageSet& set = *options.images;
  std::string directory = (default_data_directory() / (set.published.empty() ? set.name : set.published)).string();
  settings.read(kData, directory, "Folder with the data set's files, plain or .gz.");
  options.directory = directory;
  settings.read("data.standardize", options.standardize,
                "Whether pixels have mean 0 and deviation 1, or lie between 0 and 1.");
  settings.read("train.shift", options.variation.shift, between(0, 1000),
                "Pixels by which training images are moved at random, at most; black fills what is left.");
  settings.read("train.mirror", options.variation.mirror,
                "Whether training images are mirrored left to right at random.");
  std::string split;
  settings.read(kSplit, split, "A CSV or HDF5 file that says which robot has which images.");
  options.split = split;
  read_partition(settings, options);
  options.training = read_training_options(settings);
  return options;
}

/// What a network sees of images of this size.
NetworkShape shape_of(const ImageExtent& extent) {
  return {.inputs = extent.features(),
          .outputs = extent.classes,
          .input = NetworkShape::Input::kImage,
          .channels = extent.channels,
          .height = extent.height,
          .width = extent.width};
}

class Images final : public World {
 public:
  explicit Images(const Gallery& gallery) : gallery_(gallery) {}

  void survey(SettingsReader& settings) override {
    (void)read_options(gallery_, settings);
    (void)make_network(settings, shape_of({.channels = gallery_.channels,
                                           .height = gallery_.side,
                                           .width = gallery_.side,
                                           .classes = gallery_.sets.front().classes}));
  }
  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(gallery_, settings);
    const ImageExtent& extent = files_of(options, settings).extent();
    const SampleCounts counts = check_enough(options, extent, settings);
    const std::shared_ptr<const Network> network = make_network(settings, shape_of(extent));
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .layout = layout_of(*network),
            .maps = maps_of(network),
            .train_samples = counts.train,
            .dataset_bytes = (extent.train + extent.test) * (extent.features() + 1),
            .held_out = counts.held_out > 0,
            .gpu = options.training.device == DeviceKind::kCuda,
            .data = options.split.empty() ? extent.digest
                                          : Hash().add(extent.digest).add(split_of(options, settings).digest).hex()};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(gallery_, settings);
      datasets_.load(options.key(), node, *options.images, files_of(options, settings), cache_);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(gallery_, settings);
    const ImageData& dataset = datasets_.at(options.key());
    const ImageExtent& extent = files_of(options, settings).extent();
    const std::vector<float> zeros(static_cast<std::size_t>(extent.channels), 0.0F);
    const std::vector<float> ones(zeros.size(), 1.0F);
    const auto images = [&](Half half) {
      return make_samples(LabelledBytes{.values = dataset.pixels(half),
                                        .labels = dataset.labels(half),
                                        .features = extent.features(),
                                        .mean = options.standardize ? dataset.mean() : zeros,
                                        .deviation = options.standardize ? dataset.deviation() : ones,
                                        .width = extent.width,
                                        .variation = options.variation});
    };
    const std::span<const std::uint8_t> labels = dataset.labels(Half::kTrain);
    const int classes = extent.classes;
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
    return make_supervised_workload({.train = images(Half::kTrain),
                                     .test = images(Half::kTest),
                                     .groups = std::move(tests),
                                     .shards = shards,
                                     .histogram = [=](int i) { return histogram_of(shards.of(i), labels, classes); },
                                     .network = make_network(settings, shape_of(extent)),
                                     .options = options.training});
  }

 private:
  const ImageFiles& files_of(const Options& options, const SettingsReader& settings) {
    const auto known = files_.find(options.key());
    if (known != files_.end()) return *known->second;
    try {
      return *files_.emplace(options.key(), open_images(*options.images, options.directory, cache_)).first->second;
    } catch (const Error& error) {
      const std::string_view published = options.images->published;
      reject_data(settings, kData, error.what(),
                  published.empty() ? cat("Name the directory that holds ", gallery_.files, " in run.data.")
                                    : cat("Fetch it with `fleet data fetch ", published,
                                          "`, or name the directory that holds ", gallery_.files, " in run.data."));
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
    check(split.largest_sample, extent.train, "training");
    check(split.largest_test, extent.test, "test");
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
    const int classes = extent.classes;
    if (partition.samples > extent.train) {
      reject_read(settings, "data.samples",
                  cat("there are ", extent.train, " training images in ", options.directory.string()));
    }
    const std::int64_t used = partition.samples > 0 ? partition.samples : extent.train;
    const auto held_out = static_cast<std::int64_t>(static_cast<double>(used) * partition.held_out);
    SampleCounts counts{.train = used - held_out, .held_out = held_out};
    if (partition.kind == PartitionOptions::Kind::kDrawn) {
      if (used < 100 * classes) {
        counts = count_samples(train_labels(options, settings), classes, partition, options.training.seed);
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
      counts = count_samples(train_labels(options, settings), classes, partition, options.training.seed);
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
  std::span<const std::uint8_t> train_labels(const Options& options, const SettingsReader& settings) {
    const auto known = labels_.find(options.key());
    if (known != labels_.end()) return known->second;
    const ImageFiles& files = files_of(options, settings);
    std::vector<std::uint8_t> labels(static_cast<std::size_t>(files.extent().train));
    files.read(Half::kTrain, std::as_writable_bytes(std::span(labels)), {}, cache_);
    return labels_.emplace(options.key(), std::move(labels)).first->second;
  }

  const Gallery& gallery_;
  ContentCache cache_;
  std::map<std::filesystem::path, SplitFile> splits_;
  std::map<std::filesystem::path, std::unique_ptr<ImageFiles>> files_;  // by Options::key()
  std::map<std::filesystem::path, std::vector<std::uint8_t>> labels_;   // of the training images
  LoadedData<std::filesystem::path, ImageData> datasets_;
};

const Gallery kMnist{.sets = kIdxSets,
                     .choice = Gallery::Choice{"data.dataset", "Which of the published data sets is learned."},
                     .files = "the four files",
                     .side = 28,
                     .channels = 1};
const Gallery kCifar10{.sets = kCifar10Sets,
                       .choice = std::nullopt,
                       .files = "data_batch_1.bin to data_batch_5.bin and test_batch.bin",
                       .side = kCifarSide,
                       .channels = kCifarPlanes};
const Gallery kCifar100{
    .sets = kCifar100Sets,
    .choice = Gallery::Choice{"data.labels", "Which labels are learned: 100 classes, or the 20 superclasses."},
    .files = "train.bin and test.bin",
    .side = kCifarSide,
    .channels = kCifarPlanes};

template <const Gallery& gallery>
std::unique_ptr<World> make_world() {
  return std::make_unique<Images>(gallery);
}

constexpr std::string_view kStartOfMnist = R"(# The images: fleet data fetch mnist

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

constexpr std::string_view kStartOfCifar = R"(# The images: fleet data fetch cifar10 (or cifar100)

[data]
samples = 10000
held_out = 0.1

[fleet]
robots = 5
partition = "mixture"

[model]
kind = "resnet"
channels = [16, 32, 64]

[train]
epochs = 2
batch_size = 64
learning_rate = 1e-3
shift = 4
mirror = true

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
          .make = make_world<kMnist>,
          .start = kStartOfMnist};
}

WorldEntry cifar10_world() {
  return {.name = "cifar10",
          .summary = "small photographs of ten classes, sharded by class (Appendix F)",
          .make = make_world<kCifar10>,
          .start = kStartOfCifar};
}

WorldEntry cifar100_world() {
  return {.name = "cifar100",
          .summary = "small photographs of a hundred classes, or of twenty superclasses",
          .make = make_world<kCifar100>,
          .start = kStartOfCifar};
}

}  // namespace fleet
