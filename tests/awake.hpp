// Robots as tests handle them: one with its weights and its optimiser, as if they were one.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "train/workload.hpp"

namespace fleet {

class Awake final : public LocalData {
 public:
  explicit Awake(AwakeRobot robot) : own_(std::move(robot)) {}

  ParamVector& weights() { return own_.weights; }
  double train(std::int64_t steps, const std::function<bool()>& stop) { return own_.train(steps, stop); }
  [[nodiscard]] std::int64_t samples() const { return own_.robot->samples(); }
  void rest() { own_.robot->rest(); }
  void follow(const GradientTerm* term) { own_.robot->follow(term); }

  void save(StateWriter& state) {
    state.write_all(std::span<const float>(own_.weights.flat()));
    own_.optimizer.save(state);
    own_.robot->save(state);
  }
  void load(StateReader& state) {
    state.read_into(own_.weights.flat());
    own_.optimizer.load(state);
    own_.robot->load(state);
  }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return own_.robot->loss_gradient(at, batch, stream, gradient);
  }
  bool is_quadratic() const override { return own_.robot->is_quadratic(); }
  Score held_out_score(const ParamVector& at) override { return own_.robot->held_out_score(at); }
  Score held_out_loss(const ParamVector& at) override { return own_.robot->held_out_loss(at); }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    return own_.robot->map_moments(features, targets, map);
  }
  OutputSums output_sums(const ParamVector& at, std::size_t map) override { return own_.robot->output_sums(at, map); }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override { return own_.robot->head_data(body); }
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override {
    return own_.robot->take_steps(start, steps, draw, term);
  }
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override { return own_.robot->curvature(at, draw); }

 private:
  AwakeRobot own_;
};

inline std::vector<float> values(Awake& robot) {
  return {robot.weights().flat().begin(), robot.weights().flat().end()};
}

/// Whether to stop: no.
inline bool never() {
  return false;
}

/// Robot `index` of a workload.
inline std::unique_ptr<Awake> awake(Workload& workload, int index) {
  return std::make_unique<Awake>(
      AwakeRobot(workload.make_robot(index), workload.symmetry().layout(), workload.optimizer()));
}

/// A robot that was never interrupted, and one that went on from what another had saved after `first` steps: both have
/// trained as many.
struct Resumed {
  std::unique_ptr<Awake> whole;
  std::unique_ptr<Awake> resumed;
};
inline Resumed interrupted(Workload& workload, int index, std::int64_t first, std::int64_t more) {
  Resumed robots{.whole = awake(workload, index), .resumed = awake(workload, index)};
  robots.whole->train(first + more, never);
  const std::unique_ptr<Awake> begun = awake(workload, index);
  begun->train(first, never);
  StateWriter saved;
  begun->save(saved);
  StateReader state(saved.bytes());
  robots.resumed->load(state);
  robots.resumed->train(more, never);
  return robots;
}

}  // namespace fleet
