// Robots that learn from labelled samples by gradient descent: the workload behind MNIST, text and cloned policies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "torch/device.hpp"
#include "torch/models.hpp"
#include "train/shards.hpp"
#include "train/workload.hpp"

namespace fleet {

class Objective;
class Samples;

/// How images are varied whenever robots train on them: moved by up to `shift` pixels each way, black where nothing is
/// left, and mirrored left to right or not.
struct Variation {
  int shift = 0;
  bool mirror = false;
  [[nodiscard]] bool any() const { return shift > 0 || mirror; }
};

/// Images of bytes with a class each; views into memory that outlives the samples.
struct LabelledBytes {
  std::span<const std::uint8_t> values;  ///< samples x features, channel by channel
  std::span<const std::uint8_t> labels;
  int features = 0;
  std::vector<float> mean{0.0F};  ///< network input = (byte / 255 - mean) / deviation; one entry a channel
  std::vector<float> deviation{1.0F};
  int width = 0;  ///< of an image's rows, where it is varied
  Variation variation = {};
};
[[nodiscard]] std::shared_ptr<Samples> make_samples(const LabelledBytes& images);

/// Windows of a text, to be continued: the symbols of a window are its inputs, each next symbol a target.
struct TextWindows {
  std::span<const std::uint8_t> symbols;  ///< of the whole text, each below the size of the vocabulary
  std::vector<std::int64_t> starts;       ///< of each window; window + 1 symbols follow
  int window = 80;
};
[[nodiscard]] std::shared_ptr<Samples> make_samples(TextWindows text);

/// Observations with the action that an expert took. A sample is known by its first row.
struct Demonstrations {
  std::span<const float> actions;  ///< rows x dimensions
  int features = 0;                ///< of the network's input
  int dimensions = 0;
  int window = 0;  ///< consecutive rows that make a sample of a sequence; 0: a sample is a row by itself
  /// Writes what the network is to see of a row's observation, `features` numbers.
  std::function<void(std::int32_t row, std::span<float> into)> observe;
};
[[nodiscard]] std::shared_ptr<Samples> make_samples(Demonstrations demonstrations);

enum class ObjectiveKind {
  kCrossEntropy,
  kNextCharacter,  ///< the same, with bits per character among the metrics
  kSquaredError,
  kMaskedSquaredError,  ///< over those dimensions of an action whose targets are numbers
};

struct TrainingOptions {
  int batch_size = 128;
  OptimizerOptions optimizer;
  RateSchedule schedule;               ///< over the steps of the whole cell, whatever merges come between
  double clip_norm = 0.0;              ///< longer gradients are shortened to it; 0 for no bound
  bool common_initialization = false;  ///< all robots start from the same weights
  double pull = 0.0;                   ///< weight of sum_l |W_l - W_l(start)| over the tensors l, added to the loss
  /// Recurrent networks go on from the state in which the sequence's last window left them: batches run through the
  /// shard in order, along batch_size places at once. Else every window starts from state zero, in random order.
  bool carry_state = false;
  std::uint64_t seed = 0;
  DeviceKind device = DeviceKind::kCpu;
};

/// Reads "train.batch_size", "train.optimizer", "train.learning_rate", "train.schedule" ..., "train.pull",
/// "fleet.initialization" and "run.device".
[[nodiscard]] TrainingOptions read_training_options(SettingsReader& settings);
/// All of these but "train.batch_size" and "train.pull", for robots that draw no batches from a shard.
[[nodiscard]] TrainingOptions read_descent_options(SettingsReader& settings);

/// Samples of the test set that are also scored by themselves, e.g. what one role says.
struct TestGroups {
  std::string name;  ///< of one, e.g. "role"
  std::vector<std::vector<std::int32_t>> samples;
};

/// LocalData::trials() of a robot.
using TrialRunner = std::function<Score(int robot, const ParamVector& weights, int episodes, std::uint64_t draw)>;

struct SupervisedProblem {
  std::shared_ptr<Samples> train;
  std::shared_ptr<Samples> test;
  TestGroups groups;  ///< of `test`; none: all of it counts together
  ObjectiveKind objective = ObjectiveKind::kCrossEntropy;
  Shards shards;                                            ///< of `train`
  std::function<std::vector<std::int64_t>(int)> histogram;  ///< Workload::histogram()
  std::shared_ptr<const Network> network;
  TrainingOptions options;
  TrialRunner trials;                                  ///< none where policies cannot act
  std::shared_ptr<const ParamVector> start = nullptr;  ///< all robots' first weights; none: they are drawn
};

/// With groups there are two more values, the first metric's mean and 10th percentile over them:
/// "<metric>_<group>_mean" and "<metric>_<group>_p10".
[[nodiscard]] std::unique_ptr<Workload> make_supervised_workload(SupervisedProblem problem);

}  // namespace fleet
