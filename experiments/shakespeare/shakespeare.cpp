#include "shakespeare/shakespeare.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <tuple>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "comm/shared_array.hpp"
#include "data/fetch.hpp"
#include "data/idx.hpp"
#include "data/plain_text.hpp"
#include "data/role_text.hpp"
#include "data_complaint.hpp"
#include "loaded_data.hpp"
#include "torch/device.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kData = "run.data";

/// Published data sets of one text each.
constexpr std::array<std::string_view, 3> kTexts = {"shakespeare", "complete-works", "tiny-shakespeare"};

/// What one cell asks for.
struct Options {
  std::string dataset{kTexts.front()};
  fs::path path;  ///< the text, or the directory that holds the data set's file
  bool line_ends = true;
  TextPartitionOptions partition;
  std::uint64_t seed = 0;
};

using Kind = TextPartitionOptions::Kind;
constexpr std::array<std::pair<std::string_view, Kind>, 5> kPartitions{{{"natural", Kind::kLargest},
                                                                        {"grouped", Kind::kGrouped},
                                                                        {"dirichlet-plays", Kind::kDirichletPlays},
                                                                        {"dirichlet-roles", Kind::kDirichletRoles},
                                                                        {"contiguous", Kind::kContiguous}}};

Options read_options(SettingsReader& settings) {
  Options options;
  settings.read("data.dataset", options.dataset, kTexts, "Which of the published data sets is learned.");
  std::string path = (default_data_directory() / options.dataset).string();
  settings.read(kData, path, "The text, or the folder that holds the data set's.");
  options.path = path;
  settings.read("data.line_ends", options.line_ends,
                "Whether line ends are kept; else lines are joined by spaces, as LEAF does.");
  TextPartitionOptions& partition = options.partition;
  settings.read("data.window", partition.window, between(1, kLongestWindow),
                "Characters from which the next one is predicted.");
  settings.read("data.min_lines", partition.min_lines, at_least(1), "Roles that say fewer lines are left out.");
  settings.read("data.min_samples", partition.min_samples, at_least(1), "Roles with fewer windows are left out.");
  settings.read("data.train", partition.train, between(0.01, 0.99),
                "Share of each role's windows, the first in time, that is not for its test.");
  settings.read("data.held_out", partition.held_out, between(0, 0.9),
                "Share of what a robot gets of each role that it does not train on.");
  settings.read("fleet.robots", partition.robots, at_least(1), about::kRobots);
  settings.read("fleet.partition", partition.kind, Names<Kind>(kPartitions), "How the data are dealt to the robots.");
  settings.read("fleet.alpha", partition.alpha, above(0), about::kAlpha);
  settings.read("seed", options.seed, about::kSeed);
  return options;
}

/// The file that run.data names: itself, or the data set's in that directory.
fs::path locate_text(const Options& options) {
  std::error_code absent;
  if (!fs::is_directory(options.path, absent)) return options.path;
  for (const PublishedDataset& dataset : published_datasets()) {
    if (dataset.name == options.dataset) return find_idx(options.path, dataset.files.front().stem);
  }
  throw ConfigError(cat(options.path.string(), ": no text called ", options.dataset, " is known"));
}

/// A text, and its name by content: of every byte of its file, decompressed, and of what is made of them.
struct NamedText {
  RoleText gathered;
  std::string digest;
};

NamedText read_text(const Options& options) {
  const fs::path path = locate_text(options);
  const std::string bytes = read_file(path);
  NamedText text{.gathered = gather_roles(parse_plays(bytes, path.string()), options.line_ends), .digest = {}};
  Hash digest;
  digest.add(bytes).add(text.gathered.text);
  for (const TextRole& role : text.gathered.roles) {
    digest.add(role.name).add(static_cast<std::uint64_t>(role.play));
    digest.add(static_cast<std::uint64_t>(role.text.end)).add(static_cast<std::uint64_t>(role.lines));
  }
  text.digest = digest.hex();
  return text;
}

/// A text as every rank knows it: all but its characters.
struct Index {
  std::vector<std::string> plays;
  std::vector<TextRole> roles;
  std::string digest;
  [[nodiscard]] std::int64_t characters() const { return roles.back().text.end; }
};

/// The text once per node, as codes. Error unless it is the one of which the plan knows the digest.
SharedArray load_codes(const Comm& node, const Options& options, const std::string& planned) {
  std::string text;  // of the node's root, between the two calls
  return {node,
          [&] {
            NamedText read = read_text(options);
            require(read.digest == planned, options.path.string(), " has changed since the sweep was planned");
            text = std::move(read.gathered.text);
            return text.size();
          },
          [&](std::span<std::byte> into) {
            std::transform(text.begin(), text.end(), into.begin(), [](char c) { return std::byte{code_of(c)}; });
          }};
}

struct Text {
  Text(const Comm& node, const Options& options, const std::string& planned)
      : codes(load_codes(node, options, planned)) {}
  [[nodiscard]] std::span<const std::uint8_t> view() const {
    return {reinterpret_cast<const std::uint8_t*>(codes.bytes().data()), codes.bytes().size()};  // NOLINT
  }
  SharedArray codes;
};

class TextWorld final : public World {
 public:
  explicit TextWorld(TextLearner learner) : learner_(std::move(learner)) {}

  void survey(SettingsReader& settings) override {
    (void)read_options(settings);
    (void)learner_.network(settings);
    (void)read_device(settings);
  }

  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const Index& index = index_of(options, settings);
    const TextNetwork network = learner_.network(settings);
    return {.parameters = static_cast<std::int64_t>(network.layout->size()),
            .layout = network.layout,
            .maps = network.maps,
            .train_samples = training_characters(options, index, settings),
            .dataset_bytes = index.characters(),
            .held_out = options.partition.held_out > 0.0,
            .gpu = read_device(settings) == DeviceKind::kCuda,
            .data = index.digest};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(settings);
      texts_.load(key_of(options), node, options, index_of(options, settings).digest);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const Index& index = index_of(options, settings);
    TextData data{.codes = texts_.at(key_of(options)).view(),
                  .window = options.partition.window,
                  .partition = share_out(options, index, settings),
                  .roles = {},
                  .characters = {}};
    for (const RoleSplit& split : data.partition.roles) {
      const TextRole& role = index.roles[static_cast<std::size_t>(split.role)];
      data.roles.push_back(cat(index.plays[static_cast<std::size_t>(role.play)], ": ", role.name));
    }
    data.characters = characters_by_play(data.partition, index.roles);
    return learner_.make(std::move(data), settings);
  }

 private:
  using Key = std::pair<fs::path, bool>;
  /// What decides who gets which part of a text: its key and the options of the partition.
  using Sharing = std::tuple<Key, Kind, int, int, std::int64_t, std::int64_t, double, double, double, std::uint64_t>;
  static Key key_of(const Options& options) { return {options.path / options.dataset, options.line_ends}; }

  static TextPartition share_out(const Options& options, const Index& index, const SettingsReader& settings) {
    try {
      return partition_text(index.roles, options.partition, options.seed);
    } catch (const TooManyRobots& error) {
      reject_read(settings, "fleet.robots", cat(options.path.string(), ": ", error.what()));
    } catch (const Error& error) {
      reject_data(settings, kData, cat(options.path.string(), ": ", error.what()), advice(options));
    }
  }

  /// Of all robots. Cells that share out the text alike, of which a sweep has many, do it once.
  std::int64_t training_characters(const Options& options, const Index& index, const SettingsReader& settings) {
    const TextPartitionOptions& partition = options.partition;
    const bool drawn = partition.kind == Kind::kDirichletPlays || partition.kind == Kind::kDirichletRoles;
    const Sharing sharing{key_of(options),         partition.kind,      partition.robots,
                          partition.window,        partition.min_lines, partition.min_samples,
                          partition.train,         partition.held_out,  drawn ? partition.alpha : 0.0,
                          drawn ? options.seed : 0};
    const auto known = characters_.find(sharing);
    if (known != characters_.end()) return known->second;
    std::int64_t characters = 0;
    for (const TextShard& shard : share_out(options, index, settings).shards) {
      for (const TextRange& range : shard.train) characters += range.size();
    }
    return characters_.emplace(sharing, characters).first->second;
  }

  const Index& index_of(const Options& options, const SettingsReader& settings) {
    const Key key = key_of(options);
    const auto known = indices_.find(key);
    if (known != indices_.end()) return known->second;
    try {
      NamedText text = read_text(options);
      Index index{std::move(text.gathered.plays), std::move(text.gathered.roles), text.digest};
      return indices_.emplace(key, std::move(index)).first->second;
    } catch (const Error& error) {
      reject_data(settings, kData, error.what(), advice(options));
    }
  }

  static std::string advice(const Options& options) {
    return cat("Fetch a text with `fleet data fetch ", options.dataset, "`, or name a file with plays in run.data.");
  }

  TextLearner learner_;
  std::map<Key, Index> indices_;
  std::map<Sharing, std::int64_t> characters_;
  LoadedData<Key, Text> texts_;
};

}  // namespace

std::unique_ptr<World> make_text_world(TextLearner learner) {
  return std::make_unique<TextWorld>(std::move(learner));
}

}  // namespace fleet
