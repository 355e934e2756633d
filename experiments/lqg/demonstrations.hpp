// What a robot learns from: trajectories of an expert, observations with the expert's actions.
#pragma once

#include <functional>
#include <span>

#include "base/random.hpp"
#include "lqg/linear_policy.hpp"

namespace fleet {

/// Trajectories of equal length, time by time: column t * trajectories + k is step t of trajectory k.
struct Demonstrations {
  int trajectories = 0;
  Eigen::MatrixXd observations;  ///< y, p x steps
  Eigen::MatrixXd actions;       ///< u, m x steps

  [[nodiscard]] Eigen::Index steps() const { return observations.cols(); }
  /// The chosen trajectories, which may repeat.
  [[nodiscard]] Demonstrations chosen(std::span<const int> which) const;
};

/// Sets of equal length side by side.
[[nodiscard]] Demonstrations pooled(std::span<const Demonstrations> sets);

/// A system with noise drawn from it.
class Simulator {
 public:
  explicit Simulator(LinearSystem system);

  [[nodiscard]] const LinearSystem& system() const { return system_; }
  /// Takes note of step t: state, observation, action.
  using Observer =
      std::function<void(int t, const Eigen::VectorXd& x, const Eigen::VectorXd& y, const Eigen::VectorXd& u)>;
  /// One trajectory of `horizon` steps under `policy`, with noise from `stream`.
  void roll_out(const LinearPolicy& policy, int horizon, RandomStream& stream, const Observer& observe) const;
  /// Trajectory k under experts[k], with noise from streams[k].
  [[nodiscard]] Demonstrations demonstrate(std::span<const LinearPolicy* const> experts, int horizon,
                                           std::span<RandomStream> streams) const;

 private:
  LinearSystem system_;
  Eigen::MatrixXd initial_root_;  // square roots of the covariances
  Eigen::MatrixXd process_root_;
  Eigen::MatrixXd measurement_root_;
};

}  // namespace fleet
