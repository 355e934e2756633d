// A small world without LibTorch: two-layer tanh networks that fit their robot's own random points by squared error.
// Real enough for every merger and for the round loop, quick enough for every rank count.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "comm/placement.hpp"
#include "train/workload.hpp"

namespace fleet::toy {

inline constexpr int kInputs = 3;
inline constexpr int kHidden = 6;
inline constexpr int kOutputs = 4;

inline SymmetrySpec symmetry() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("layers.0.weight", {kHidden, kInputs});
  layout->add("layers.0.bias", {kHidden});
  layout->add("layers.1.weight", {kOutputs, kHidden});
  return {layout,
          {{"hidden", kHidden}},
          {{.tensor = 0, .axis = 0, .group = 0},
           {.tensor = 1, .axis = 0, .group = 0},
           {.tensor = 2, .axis = 1, .group = 0}}};
}

/// Whether a method can merge toys, whose units can only be permuted.
inline bool suits(const MergerEntry& entry) {
  const Settings none;
  SettingsReader defaults(none);
  const std::unique_ptr<Merger> merger = entry.make(defaults);
  return merger == nullptr || merger->needs().symmetry == GroupKind::kPermutation;
}

inline constexpr std::uint64_t kSeed = 5;

inline std::vector<AffineMap> maps() {
  return {{.name = "layers.0", .weights = {0}, .bias = 1, .sees_data = true},
          {.name = "layers.1", .weights = {2}, .bias = {}}};
}

using Vector = Eigen::VectorXf;

/// y = V tanh(W x + b), and its loss |y - target|^2 / 2 with gradient.
struct Network {
  static Vector hidden(const ParamVector& at, const Vector& x) {
    const ConstMatrixView w(at.tensor(0).data(), kHidden, kInputs);
    const Eigen::Map<const Vector> b(at.tensor(1).data(), kHidden);
    return (w * x + b).array().tanh();
  }
  static Vector output(const ParamVector& at, const Vector& x) {
    return ConstMatrixView(at.tensor(2).data(), kOutputs, kHidden) * hidden(at, x);
  }
  static double add_gradient(const ParamVector& at, const Vector& x, const Vector& target, ParamVector& gradient) {
    const Vector h = hidden(at, x);
    const ConstMatrixView v(at.tensor(2).data(), kOutputs, kHidden);
    const Vector error = v * h - target;
    const Vector back = (v.transpose() * error).array() * (1.0F - h.array().square());
    MatrixView(gradient.tensor(2).data(), kOutputs, kHidden) += error * h.transpose();
    MatrixView(gradient.tensor(0).data(), kHidden, kInputs) += back * x.transpose();
    Eigen::Map<Vector>(gradient.tensor(1).data(), kHidden) += back;
    return 0.5 * static_cast<double>(error.squaredNorm());
  }
};

class ToyRobot : public Robot {
 public:
  /// Its points lie around `place`.
  ToyRobot(std::shared_ptr<const ParamLayout> layout, int index, int samples, int place, RateSchedule schedule = {})
      : index_(index), schedule_(schedule), first_(layout->size()), gradient_(std::move(layout)) {
    RandomStream stream(kSeed, Purpose::kInitialization, static_cast<std::uint64_t>(index));
    for (float& w : first_) w = static_cast<float>(stream.normal());
    for (int i = 0; i < samples; ++i) {
      Vector x(kInputs);
      for (float& value : x) value = static_cast<float>(stream.normal() + place);
      points_.emplace_back(x, Vector::Constant(kOutputs, std::sin(x.sum())));
    }
  }

  void initialize(ParamVector& weights) const override { std::ranges::copy(first_, weights.flat().begin()); }
  std::int64_t samples() const override { return static_cast<std::int64_t>(points_.size()); }

  void expect(std::int64_t total_steps) override { total_steps_ = total_steps; }
  void follow(const GradientTerm* term) override { term_ = term; }

  double train(ParamVector& weights, Optimizer& optimizer, std::int64_t steps,
               const std::function<bool()>& stop) override {
    double loss = 0.0;
    for (std::int64_t i = 0; i < steps && !stop(); ++i) {
      const double factor = schedule_.factor(step_, total_steps_);
      const auto& [x, target] = points_[static_cast<std::size_t>(step_++) % points_.size()];
      std::fill(gradient_.flat().begin(), gradient_.flat().end(), 0.0F);
      loss = Network::add_gradient(weights, x, target, gradient_);
      require(std::isfinite(loss), "robot ", index_, ": the loss became ", loss);
      if (term_ != nullptr) term_->add_to(weights, gradient_);
      optimizer.step(weights.flat(), gradient_.flat(), factor);
    }
    return loss;
  }

  void save(StateWriter& state) override { state.write(step_); }
  void load(StateReader& state) override { step_ = state.read<std::int64_t>(); }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    std::fill(gradient.flat().begin(), gradient.flat().end(), 0.0F);
    double loss = 0.0;
    for (int i = 0; i < batch; ++i) {
      const auto& [x, target] = points_[stream.below(points_.size())];
      loss += Network::add_gradient(at, x, target, gradient) / batch;
    }
    for (float& g : gradient.flat()) g /= static_cast<float>(batch);
    return loss;
  }

  Score held_out_score(const ParamVector& at) override {
    Score score;
    for (const auto& [x, target] : points_) {
      score.sum -= static_cast<double>((Network::output(at, x) - target).squaredNorm());
      score.samples += 1.0;
    }
    return score;
  }

  Score held_out_loss(const ParamVector& at) override {
    const Score score = held_out_score(at);
    return {-0.5 * score.sum, score.samples};
  }

  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    const int inputs = map == 0 ? kInputs + 1 : kHidden;
    const int outputs = map == 0 ? kHidden : kOutputs;
    MapMoments moments{DoubleMatrix::Zero(inputs, inputs), DoubleMatrix::Zero(outputs, inputs)};
    for (const auto& [x, label] : points_) {
      const Vector h = entering(features, x, map);
      const Vector t = maps()[map].matrix(targets) * entering(targets, x, map);
      moments.inputs += (h * h.transpose()).cast<double>();
      moments.targets += (t * h.transpose()).cast<double>();
      moments.samples += 1.0;
    }
    return moments;
  }

  /// A trial is one of the robot's points, come near enough.
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override {
    RandomStream stream(kSeed, Purpose::kTrial, static_cast<std::uint64_t>(index_), draw);
    Score score;
    for (int i = 0; i < episodes; ++i) {
      const auto& [x, target] = points_[stream.below(points_.size())];
      score.sum += (Network::output(at, x) - target).squaredNorm() < 4.0F ? 1.0 : 0.0;
      score.samples += 1.0;
    }
    return score;
  }

  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override {
    RandomStream stream(kSeed, Purpose::kLocalSteps, static_cast<std::uint64_t>(index_), draw);
    ParamVector weights = start;
    ParamVector gradient(start.shared_layout());
    Optimizer optimizer({.learning_rate = steps.learning_rate}, weights.flat().size());
    for (std::int64_t i = 0; i < steps.steps; ++i) {
      (void)loss_gradient(weights, 4, stream, gradient);
      if (term != nullptr) term->add_to(weights, gradient);
      optimizer.step(weights.flat(), gradient.flat(), steps.factor(i));
    }
    return weights;
  }

  /// Exact: of every output by itself, instead of one that is drawn.
  Curvature curvature(const ParamVector& at, std::uint64_t /*draw*/) override {
    Curvature curvature{.gradient = ParamVector(at.shared_layout()), .samples = static_cast<double>(points_.size())};
    for (std::size_t map = 0; map < 2; ++map) {
      const int outputs = map == 0 ? kHidden : kOutputs;
      curvature.maps.push_back(
          {map_moments(at, at, map).inputs, DoubleMatrix::Zero(outputs, outputs), curvature.samples});
    }
    const ConstMatrixView v(at.tensor(2).data(), kOutputs, kHidden);
    for (const auto& [x, target] : points_) {
      (void)Network::add_gradient(at, x, target, curvature.gradient);
      const Vector slope = 1.0F - Network::hidden(at, x).array().square();
      for (int k = 0; k < kOutputs; ++k) {
        const Vector back = v.row(k).transpose().cwiseProduct(slope);
        curvature.maps[0].outputs += (back * back.transpose()).cast<double>();
        curvature.maps[1].outputs(k, k) += 1.0;
      }
    }
    return curvature;
  }

  bool is_quadratic() const override { return true; }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override {
    struct Head final : HeadData {
      std::vector<std::pair<Vector, Vector>> points;
      MapMoments moments() const override {
        MapMoments sum{DoubleMatrix::Zero(kHidden, kHidden), DoubleMatrix::Zero(kOutputs, kHidden),
                       static_cast<double>(points.size())};
        for (const auto& [h, target] : points) {
          sum.inputs += (h * h.transpose()).cast<double>();
          sum.targets += (target * h.transpose()).cast<double>();
        }
        return sum;
      }
      void change_basis(const Eigen::MatrixXd& lower) override {
        for (auto& [h, target] : points) {
          h = lower.triangularView<Eigen::Lower>().solve(h.cast<double>()).cast<float>();
        }
      }
      void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
        for (const auto& [h, target] : points) gradient += (head * h - target) * h.transpose();
      }
      double curvature() const override { return 1.0; }
    };
    auto head = std::make_unique<Head>();
    for (const auto& [x, target] : points_) head->points.emplace_back(Network::hidden(body, x), target);
    return head;
  }

 private:
  /// What the matrix of map `map` multiplies.
  static Vector entering(const ParamVector& at, const Vector& x, std::size_t map) {
    if (map == 1) return Network::hidden(at, x);
    Vector extended(kInputs + 1);
    extended << x, 1.0F;
    return extended;
  }

  int index_;
  RateSchedule schedule_;
  std::vector<float> first_;  // weights
  ParamVector gradient_;
  std::vector<std::pair<Vector, Vector>> points_;
  std::int64_t step_ = 0;
  std::int64_t total_steps_ = 0;
  const GradientTerm* term_ = nullptr;
};

/// A robot with weights of its own and a learning rate.
inline AwakeRobot awake(std::unique_ptr<Robot> robot, double learning_rate = 0.01) {
  return {std::move(robot), symmetry().layout(), {.learning_rate = learning_rate}};
}

/// Robot i has samples[i] points; the test set is a handful of fixed points in several parts. The learning rate of who
/// finetunes comes down along a cosine.
class ToyWorkload : public Workload {
 public:
  explicit ToyWorkload(std::vector<int> samples, double learning_rate = 0.01)
      : symmetry_(toy::symmetry()), learning_rate_(learning_rate), samples_(std::move(samples)) {}

  const SymmetrySpec& symmetry() const override { return symmetry_; }
  std::span<const AffineMap> maps() const override { return maps_; }
  OptimizerOptions optimizer() const override { return {.learning_rate = learning_rate_}; }
  std::vector<std::int64_t> histogram(int robot) const override { return {steps_per_epoch(robot)}; }
  std::int64_t steps_per_epoch(int robot) const override { return samples_[static_cast<std::size_t>(robot)]; }
  std::unique_ptr<Robot> make_robot(int robot) override {
    return std::make_unique<ToyRobot>(symmetry_.layout(), robot, static_cast<int>(steps_per_epoch(robot)), robot);
  }
  std::unique_ptr<Robot> make_joint_robot() override {
    return std::make_unique<ToyRobot>(symmetry_.layout(), 0, 20, 0);
  }
  std::unique_ptr<Robot> make_finetune_robot() override {
    return std::make_unique<ToyRobot>(symmetry_.layout(), static_cast<int>(samples_.size()), 10, 1,
                                      RateSchedule{.kind = RateSchedule::Kind::kCosine});
  }
  int test_parts() const override { return 7; }
  std::vector<std::string> metrics() const override { return {"loss"}; }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    const Vector x = Vector::Constant(kInputs, 0.3F * static_cast<float>(part));
    return {{static_cast<double>(Network::output(weights, x).squaredNorm()), 1.0}};
  }

 private:
  SymmetrySpec symmetry_;
  std::vector<AffineMap> maps_ = toy::maps();
  double learning_rate_;
  std::vector<int> samples_;
};

/// Robots spread over the ranks of `comm`, each with weights and data of its own.
class ToyFleet {
 public:
  ToyFleet(int robots, const Comm& comm) : symmetry_(toy::symmetry()) {
    const Placement placement{.robots = robots, .ranks = comm.size()};
    for (int i = placement.begin(comm.rank()); i < placement.end(comm.rank()); ++i) {
      robots_.push_back(awake(std::make_unique<ToyRobot>(symmetry_.layout(), i, 10 + i, i)));
      indices_.push_back(i);
    }
  }

  MergeInput input(const std::vector<int>& participants) {
    MergeInput input{.symmetry = &symmetry_, .maps = maps_, .participants = participants, .seed = 3, .round = 1};
    for (std::size_t i = 0; i < robots_.size(); ++i) {
      input.rows.push_back({.robot = indices_[i],
                            .weights = &robots_[i].weights,
                            .samples = static_cast<double>(robots_[i].robot->samples()),
                            .participates = std::binary_search(participants.begin(), participants.end(), indices_[i]),
                            .data = robots_[i].robot.get()});
    }
    return input;
  }

  /// Makes every robot a copy of `original`, permuted by an element of its own.
  void become_permuted_copies(const ParamVector& original) {
    for (std::size_t row = 0; row < rows(); ++row) {
      RandomStream stream(8, Purpose::kTest, static_cast<std::uint64_t>(indices_[row]));
      weights(row) = symmetry_.apply(symmetry_.random(stream), original);
    }
  }

  [[nodiscard]] const SymmetrySpec& symmetry() const { return symmetry_; }
  ParamVector& weights(std::size_t row) { return robots_[row].weights; }
  [[nodiscard]] std::size_t rows() const { return robots_.size(); }
  [[nodiscard]] int index(std::size_t row) const { return indices_[row]; }

 private:
  SymmetrySpec symmetry_;
  std::vector<AffineMap> maps_ = toy::maps();
  std::vector<AwakeRobot> robots_;
  std::vector<int> indices_;
};

}  // namespace fleet::toy
