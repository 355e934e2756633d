// Classification of fixed-size samples by a network: the workload behind MNIST and its like.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "torch/models.hpp"
#include "train/partition.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Samples of bytes with a class each; views into memory that outlives the workload.
struct LabelledBytes {
  std::span<const std::uint8_t> values;  ///< samples x features
  std::span<const std::uint8_t> labels;
};

struct SupervisedData {
  LabelledBytes train;
  LabelledBytes test;
  int features = 0;
  int classes = 0;
  float mean = 0.0F;  ///< network input = (byte / 255 - mean) / deviation
  float deviation = 1.0F;
};

struct TrainingOptions {
  int batch_size = 128;
  OptimizerOptions optimizer;
  bool common_initialization = false;  ///< all robots start from the same weights
  std::uint64_t seed = 0;
};

/// Reads "train.batch_size", "train.optimizer", "train.learning_rate" ... and "fleet.initialization".
[[nodiscard]] TrainingOptions read_training_options(SettingsReader& settings);

/// Robots that train `network` on cross-entropy, each on its shard of `data.train`.
[[nodiscard]] std::unique_ptr<Workload> make_supervised_workload(const SupervisedData& data, std::vector<Shard> shards,
                                                                 std::shared_ptr<const Network> network,
                                                                 const TrainingOptions& options);

}  // namespace fleet
