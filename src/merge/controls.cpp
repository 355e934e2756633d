#include "merge/controls.hpp"

#include <algorithm>
#include <cmath>

#include "merge/consensus.hpp"

namespace fleet {
namespace {

class RandomWeights final : public Merger {
 public:
  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout()), .iterations = 1};
    if (input.participants.size() == 1) {  // as other methods have it
      std::vector<const ParamVector*> vectors;
      for (const MergeRow& row : input.rows) vectors.push_back(row.weights);
      weighted_mean(input, vectors, row_weights(input, false), comm, outcome.merged);
      return outcome;
    }
    const std::vector<TensorSpec>& tensors = input.symmetry->layout()->tensors();
    std::vector<double> own;  // per participant of this rank and tensor: sum, sum of squares
    for (const MergeRow& row : input.rows) {
      for (std::size_t t = 0; row.participates && t < tensors.size(); ++t) {
        double sum = 0.0;
        double squares = 0.0;
        for (const double value : row.weights->tensor(t)) {
          sum += value;
          squares += value * value;
        }
        own.insert(own.end(), {sum, squares});
      }
    }
    const std::vector<double> all = comm.all_gather(own);
    charge(input, Cargo::kScalars, {.sent = 2 * tensors.size() * sizeof(double)});
    std::vector<bool> positive(tensors.size());  // variances, which are left at their mean
    for (const AffineMap& map : input.maps) {
      if (map.norm) positive[map.norm->variance] = true;
    }
    RandomStream stream(input.seed, Purpose::kMerge, 0, static_cast<std::uint64_t>(input.round));
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      double sum = 0.0;
      double squares = 0.0;
      for (std::size_t i = 2 * t; i < all.size(); i += 2 * tensors.size()) {
        sum += all[i];
        squares += all[i + 1];
      }
      const double count = static_cast<double>(input.participants.size() * tensors[t].size);
      const double mean = sum / count;
      const double deviation = positive[t] ? 0.0 : std::sqrt(std::max(0.0, squares / count - mean * mean));
      for (float& value : outcome.merged.tensor(t)) value = static_cast<float>(mean + deviation * stream.normal());
    }
    charge(input, Cargo::kWeights, {.received = model_bytes(input)});
    return outcome;
  }
};

class OneRobot final : public Merger {
 public:
  explicit OneRobot(int robot) : robot_(robot) {}

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    const auto next = std::ranges::lower_bound(input.participants, robot_);
    const int chosen = next != input.participants.end() ? *next : input.participants.front();
    return {.merged = weights_of(input, chosen, comm), .iterations = 1};
  }

 private:
  int robot_;
};

}  // namespace

std::unique_ptr<Merger> make_one_robot(SettingsReader& settings) {
  int robot = 0;
  settings.read("merge.one-robot.robot", robot, between(0, 1e6), "Whose weights everybody gets.");
  return std::make_unique<OneRobot>(robot);
}

std::unique_ptr<Merger> make_random_weights(SettingsReader& /*settings*/) {
  return std::make_unique<RandomWeights>();
}

}  // namespace fleet
