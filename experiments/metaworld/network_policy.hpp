// Networks as policies: what they see of an observation, and how they act in an episode.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "metaworld/cloning.hpp"
#include "metaworld/rollout.hpp"
#include "torch/policy.hpp"

namespace fleet::metaworld {

/// What a network sees of an observation: itself, scaled, and with `marked` tasks (ids) a one for the task at hand and
/// zeros for the others.
class ObservationEncoder {
 public:
  ObservationEncoder(const ObservationScaling& scaling, std::vector<int> marked)
      : scaling_(scaling), marked_(std::move(marked)) {}

  /// Place of a task among the marked ones; 0 if none is marked. ConfigError if it is not among them.
  [[nodiscard]] std::size_t mark_of(const TaskSpec& task) const;
  void encode(std::span<const float, kObservationSize> observation, std::size_t mark, std::span<float> into) const;

  [[nodiscard]] const ObservationScaling& scaling() const { return scaling_; }

 private:
  ObservationScaling scaling_;
  std::vector<int> marked_;
};

/// A network that acts, with one set of weights after another.
class NetworkPolicy {
 public:
  /// Of a network made for `shape`.
  NetworkPolicy(std::shared_ptr<const ObservationEncoder> encoder, std::shared_ptr<const Network> network,
                const NetworkShape& shape)
      : encoder_(std::move(encoder)),
        runner_(make_policy_runner(std::move(network), shape)),
        input_(static_cast<std::size_t>(shape.inputs)) {}

  /// Acts by these weights from now on; they are not copied and must outlive that.
  void use(const ParamVector& weights) { runner_->use(weights); }
  /// Refers to this object.
  [[nodiscard]] Policy policy();

 private:
  Action act(const Observation& observation);

  std::shared_ptr<const ObservationEncoder> encoder_;
  std::unique_ptr<PolicyRunner> runner_;
  std::size_t mark_ = 0;  // of the task of the episode
  std::vector<float> input_;
};

/// The policy of a model that a sweep saved; it owns what it needs. Error naming the file if it is none, ConfigError if
/// it is of another workload.
[[nodiscard]] Policy load_policy(const std::filesystem::path& model);

}  // namespace fleet::metaworld
