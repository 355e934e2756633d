#include "shakespeare/text_learner.hpp"

#include <numeric>

#include "base/error.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

/// The windows of a text, range by range, side by side: each with the character after it, which starts the next one.
/// What is left of a range, less than a window, is left out.
class Windows {
 public:
  explicit Windows(int size) : size_(size) {}

  /// Indices of the windows of `ranges`, which are added.
  std::vector<std::int32_t> add(std::span<const TextRange> ranges) {
    std::vector<std::int32_t> added;
    for (const TextRange& range : ranges) {
      for (std::int64_t start = range.begin; start + size_ < range.end; start += size_) {
        added.push_back(static_cast<std::int32_t>(starts_.size()));
        starts_.push_back(start);
      }
    }
    return added;
  }
  [[nodiscard]] std::shared_ptr<Samples> of(std::span<const std::uint8_t> codes) && {
    return make_samples(TextWindows{.symbols = codes, .starts = std::move(starts_), .window = size_});
  }

 private:
  int size_;
  std::vector<std::int64_t> starts_;
};

TrainingOptions read_options(SettingsReader& settings) {
  TrainingOptions options = read_training_options(settings);
  options.carry_state = true;
  settings.read("train.carry_state", options.carry_state,
                "Whether a recurrent network goes on from the state in which it left the window before.");
  return options;
}

TextNetwork find_network(SettingsReader& settings) {
  (void)read_options(settings);
  const std::shared_ptr<const Network> network = make_text_model(settings).network;
  return {.layout = layout_of(*network), .maps = maps_of(network)};
}

std::unique_ptr<Workload> make_workload(TextData data, SettingsReader& settings) {
  Windows train(data.window);
  Windows test(data.window);
  std::vector<Shard> shards;
  for (const TextShard& shard : data.partition.shards) {
    shards.push_back({.train = train.add(shard.train), .held_out = train.add(shard.held_out)});
  }
  TestGroups roles{.name = "role", .samples = {}};
  for (const RoleSplit& split : data.partition.roles) {
    std::vector<std::int32_t> windows = test.add(std::span(&split.test, 1));
    if (!windows.empty()) roles.samples.push_back(std::move(windows));
  }
  require(!roles.samples.empty(), "no role says enough for a test window of ", data.window, " characters");
  return make_supervised_workload({.train = std::move(train).of(data.codes),
                                   .test = std::move(test).of(data.codes),
                                   .groups = std::move(roles),
                                   .objective = ObjectiveKind::kNextCharacter,
                                   .shards = shards,
                                   .histogram = [characters = std::move(data.characters)](
                                                    int i) { return characters[static_cast<std::size_t>(i)]; },
                                   .network = make_text_model(settings).network,
                                   .options = read_options(settings)});
}

}  // namespace

TextModel make_text_model(SettingsReader& settings) {
  TextModel model;
  settings.read("data.window", model.window, between(1, kLongestWindow),
                "Characters from which the next one is predicted.");
  constexpr int kSymbols = static_cast<int>(kTextVocabulary.size());
  model.network = make_network(
      settings, {.inputs = kSymbols, .outputs = kSymbols, .input = NetworkShape::Input::kText, .steps = model.window});
  return model;
}

TextLearner text_learner() {
  return {.network = find_network, .make = make_workload};
}

}  // namespace fleet
