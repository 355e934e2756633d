// Networks as policies: what they see of an observation, and how they act in an episode.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "simulation/cloning.hpp"
#include "simulation/rollout.hpp"
#include "torch/policy.hpp"

namespace fleet::simulation {

/// What a network sees of an observation: itself, scaled, and with `marked` tasks (ids) a one for the task at hand and
/// zeros for the others.
class ObservationEncoder {
 public:
  ObservationEncoder(std::shared_ptr<const Suite> suite, const ObservationScaling& scaling, std::vector<int> marked)
      : suite_(std::move(suite)), scaling_(scaling), marked_(std::move(marked)) {}

  /// Place of a task among the marked ones; 0 if none is marked. ConfigError if it is not among them.
  [[nodiscard]] std::size_t mark_of(int task) const;
  void encode(std::span<const float> observation, std::size_t mark, std::span<float> into) const;

  [[nodiscard]] const Suite& suite() const { return *suite_; }
  [[nodiscard]] const ObservationScaling& scaling() const { return scaling_; }

 private:
  std::shared_ptr<const Suite> suite_;
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
        observation_(encoder_->scaling().size()),
        input_(static_cast<std::size_t>(shape.inputs)) {}

  /// Acts by these weights from now on; they are not copied and must outlive that.
  void use(const ParamVector& weights) { runner_->use(weights); }
  /// Refers to this object.
  [[nodiscard]] Policy policy();

 private:
  void act(std::span<const double> observation, std::span<float> action);

  std::shared_ptr<const ObservationEncoder> encoder_;
  std::unique_ptr<PolicyRunner> runner_;
  std::size_t mark_ = 0;            // of the task of the episode
  bool chooses_ = false;            // Task::chooses
  std::vector<float> observation_;  // in single precision
  std::vector<float> input_;
};

/// The policy of a model that a sweep saved, in the suite that it was trained in; it owns what it needs.
struct SavedPolicy {
  std::shared_ptr<const Suite> suite;
  Policy policy;
  /// Those that it was trained on, where each task has observations and actions of its own: it can act in no others.
  /// Empty where all tasks have the same.
  std::vector<int> only = {};
};
/// Of a model of this world. `files` as SuiteEntry::make() takes them; `encoder`: where the file that it sees through
/// lies now, if elsewhere. Error naming the file if it is none, ConfigError if it is of another workload.
[[nodiscard]] SavedPolicy load_policy(const std::filesystem::path& model, const SuiteEntry& world,
                                      const std::filesystem::path& files = {},
                                      const std::filesystem::path& encoder = {});

}  // namespace fleet::simulation
