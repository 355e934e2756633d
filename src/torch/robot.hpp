// A robot that trains a network on its shard of labelled samples. Seen only inside src/torch.
#pragma once

#include <map>

#include "torch/classroom.hpp"

namespace fleet {

class SupervisedRobot final : public Robot {
 public:
  /// `samples`: to train on. `find_shard` finds the shard, as often as it is asked.
  SupervisedRobot(Classroom& classroom, int index, std::int64_t samples, std::function<Shard()> find_shard)
      : classroom_(classroom), index_(index), samples_(samples), find_shard_(std::move(find_shard)) {}

  void initialize(ParamVector& weights) const override;
  std::int64_t samples() const override { return samples_; }
  void expect(std::int64_t total_steps) override { total_steps_ = total_steps; }
  double train(ParamVector& weights, Optimizer& optimizer, std::int64_t steps,
               const std::function<bool()>& stop) override;
  void follow(const GradientTerm* term) override { term_ = term; }
  void rest() override;
  void save(StateWriter& state) override;
  void load(StateReader& state) override;

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override;
  bool is_quadratic() const override { return classroom_.objective->is_quadratic(); }
  Score held_out_score(const ParamVector& at) override;
  Score held_out_loss(const ParamVector& at) override;
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override;
  OutputSums output_sums(const ParamVector& at, std::size_t map) override;
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override;
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override;
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override;
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override;

 private:
  const Shard& shard();
  [[nodiscard]] std::size_t batches_per_epoch() const;
  std::vector<Score> held_out_scores(const ParamVector& at);
  /// Loads the batch that the step alone decides: epoch e visits the shard in the order that (seed, robot, e) shuffles
  /// or, with state carried, in lanes from its beginning to its end.
  void load_next_batch();
  /// Of the losses of the last training steps, which are forgotten. Error if one is not finite.
  double sum_of(std::vector<torch::Tensor>& losses) const;

  Classroom& classroom_;
  int index_;
  std::int64_t samples_;
  std::function<Shard()> find_shard_;
  std::optional<Shard> shard_;       // since it was last asked for
  std::vector<std::int32_t> order_;  // of the samples in epoch ordered_epoch_
  std::int64_t ordered_epoch_ = -1;
  std::vector<std::int32_t> picked_;
  std::vector<torch::Tensor> state_;  // after the last training step, within an epoch
  std::int64_t step_ = 0;
  std::int64_t total_steps_ = 0;
  const GradientTerm* term_ = nullptr;              // that training adds to the loss's gradient
  std::map<std::size_t, MapMoments> data_moments_;  // of what enters maps that see the data, by map
};

}  // namespace fleet
